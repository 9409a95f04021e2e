"""The options of `handwriting_readout` and its presets; `paper` is the published setting (transient_chaos 2 and 8)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.data.examples import TaskName, task_info
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, at_least, distinct
from tasks.transient_chaos.handwriting_readout.params import TOP_SCORES, MaskMode, WriteMode


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions):
    """Least-squares readout of two letters from the first token's states, in every window of layers."""

    tasks: tuple[TaskName, ...] = ("STS-B",)
    """Tasks with scores (STS-B, similarity) or two classes: their labels choose the letter."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""
    starts: Ints = tuple(range(101))
    """First layers of the windows; 0 is the embedding."""
    lengths: Ints = tuple(range(1, 101))
    """Layers of the windows."""
    steps: int = 200
    """Layers of the trajectories."""
    mask_mode: MaskMode = "none"
    """none: padding tokens attend and are attended, as published. padding: nothing attends to them."""
    write_mode: WriteMode = "velocity"
    """What is read out at a layer: the pen's velocity, or the running sum of velocities."""
    threshold_low: float | None = None
    """Scores up to this write the first letter; None: the score mixes both letters."""
    threshold_high: float | None = None
    """Scores from this on write the second letter; those between the thresholds are left out."""
    legacy_labels: bool = False
    """Truncate STS-B scores to whole numbers before they mix the letters, as the published code did."""
    best_from: int = 20
    """Shortest window on the heat map and among which the best one is sought."""
    drawn_starts: Ints = ()
    """Draw windows with these starts and --drawn-lengths too, beside the best one."""
    drawn_lengths: Ints = ()
    """See --drawn-starts."""
    max_length: int = 64
    """Tokens an example at most; of a pair the longer text is cut first."""
    train_limit: int | None = None
    """Fit on at most so many examples."""
    dev_limit: int | None = None
    """Measure errors on at most so many examples."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("tasks", "starts", "lengths"):
            distinct(self, name)
        for name in ("max_length", "steps", "train_limit", "dev_limit", "best_from"):
            at_least(self, name, 1)
        if min(self.lengths) < 1:
            raise ValueError("lengths start at 1 layer")
        last = max(self.starts) + max(self.lengths) - 1
        if last > self.steps:
            raise ValueError(
                f"the window of {max(self.lengths)} layers from layer {max(self.starts)} ends at layer {last}, steps "
                f"is {self.steps}: give smaller starts or lengths, or more --steps"
            )
        for task in self.tasks:
            info = task_info(task)
            if not info.is_regression and info.n_outputs != 2:
                raise ValueError(f"{task} has {info.n_outputs} classes, there are two letters; give a task with two")
            if self.threshold_low is not None and task not in TOP_SCORES:
                raise ValueError(f"{task} has classes and no scores: the thresholds go with {', '.join(TOP_SCORES)}")
            if self.legacy_labels and task != "STS-B":
                raise ValueError(f"{task} has no scores from 0 to 5: legacy-labels goes with STS-B")
        if (self.threshold_low is None) != (self.threshold_high is None):
            raise ValueError("threshold-low and threshold-high go together: give both or none")
        if self.legacy_labels and self.threshold_low is not None:
            raise ValueError("legacy-labels goes with scores that mix the letters: leave out the thresholds")
        if bool(self.drawn_starts) != bool(self.drawn_lengths):
            raise ValueError("drawn-starts and drawn-lengths go together: give both or none")
        for name, of in (("drawn_starts", "starts"), ("drawn_lengths", "lengths")):
            if other := sorted(set(getattr(self, name)) - set(getattr(self, of))):
                raise ValueError(f"{name.replace('_', '-')} {other[0]} is none of the --{of}: give solved windows")
        self.check_length("max_length", (self.model,))


PRESETS = {
    "paper": Config(),
    "quick": Config(
        tasks=("similarity",),
        **QUICK_SMALL,
        pretrain_corpus="builtin",
        encoder_seeds=(0, 1),
        max_length=32,
        starts=tuple(range(21)),
        lengths=tuple(range(1, 21)),
        steps=40,
        best_from=5,
        train_limit=1000,
        dev_limit=300,
    ),
}
