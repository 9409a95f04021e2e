"""The options of `handwriting_readout` and its presets; `paper` is the published setting (README 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from orchestrator.limits import Distinct, Limited, Positive, Several, require
from orchestrator.options import Ints
from tasks.data.examples import TaskName, task_info
from tasks.data.plan import ExampleLimits
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, SeveralInts

MaskMode = Literal["none", "padding"]
WriteMode = Literal["velocity", "position"]

TOP_SCORES: Mapping[str, float] = {"STS-B": 5.0, "similarity": 1.0}
"""The highest score of the tasks that have scores; the lowest is 0."""


@dataclass(frozen=True, kw_only=True)
class Readout(Limited):
    """Which states are read out, what is written, and in which windows of layers."""

    mask_mode: MaskMode = "none"
    """none: padding tokens attend and are attended to, as published. padding: they are masked."""
    max_length: Positive = 64
    """Maximum length of an example in tokens; of a pair the longer text is cut first."""
    write_mode: WriteMode = "velocity"
    """Target at each layer: the pen's velocity, or its position, the running sum of velocities."""
    steps: Positive = 200
    """Number of layers of the trajectories."""
    starts: Annotated[SeveralInts, Ge(0)] = tuple(range(101))
    """First layers of the windows; 0 is the embedding."""
    lengths: Annotated[SeveralInts, Ge(1)] = tuple(range(1, 101))
    """Window lengths in layers."""
    threshold_low: float | None = None
    """Scores up to this write the first letter; None: the score mixes both letters."""
    threshold_high: float | None = None
    """Scores from this on write the second letter; those between the thresholds are left out."""
    legacy_labels: bool = False
    """Truncate STS-B scores to whole numbers before they mix the letters, as the published code did."""
    best_from: Positive = 20
    """Minimum length of the windows on the heat map, among which the best one is sought: one point can be written
    without any knowledge of a letter."""
    drawn_starts: Annotated[Ints, Distinct()] = ()
    """First layers of further windows to draw beside the best one, each with every one of --drawn-lengths."""
    drawn_lengths: Annotated[Ints, Distinct()] = ()
    """Lengths of the windows that --drawn-starts asks for."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("starts", "lengths", "drawn_starts", "drawn_lengths"):  # in another order they are the same work
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))
        last = self.last_layer
        window = f"the window of {self.lengths[-1]} layers from layer {self.starts[-1]} ends at layer {last}"
        require(last <= self.steps, "steps", self.steps, f"at least {last}, or smaller starts or lengths: {window}")
        low, high = self.threshold_low, self.threshold_high
        require((low is None) == (high is None), "threshold_high", high, "both thresholds or none")
        require(not self.legacy_labels or low is None, "legacy_labels", True, "no thresholds: it mixes the letters")
        fine = bool(self.drawn_starts) == bool(self.drawn_lengths)
        require(fine, "drawn_lengths", self.drawn_lengths, "both drawn-starts and drawn-lengths, or none")
        for name, of in (("drawn_starts", "starts"), ("drawn_lengths", "lengths")):
            drawn = getattr(self, name)
            require({*drawn} <= {*getattr(self, of)}, name, drawn, f"some of the {of}: solved windows are drawn")

    @property
    def last_layer(self) -> int:
        """The deepest layer that a window reads."""
        return self.starts[-1] + self.lengths[-1] - 1

    def check_task(self, name: str, task: str) -> None:
        """Refuse a task whose labels choose no letter, or not in the way that is asked for.

        Raises:
            ValueError: with the name of the field that says which task.
        """
        info = task_info(task)
        two = info.is_regression or info.n_outputs == 2
        require(
            two, name, task, f"tasks with scores or two classes: there are two letters, and {info.n_outputs} classes"
        )
        require(not self.legacy_labels or task == "STS-B", name, task, "STS-B with legacy-labels: its scores go to 5")
        low, high = self.threshold_low, self.threshold_high
        if low is not None and high is not None:
            require(
                task in TOP_SCORES, name, task, f"{' or '.join(TOP_SCORES)} with thresholds: classes have no scores"
            )
            half = TOP_SCORES[task] / 2
            require(low <= half, "threshold_low", low, f"at most {half:g}, where the letters of {task} part")
            require(half < high, "threshold_high", high, f"more than {half:g}, where the letters of {task} part")


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions, ExampleLimits, Readout):
    """Least-squares readout of two letters from the first token's states, in every window of layers."""

    tasks: Several[TaskName] = ("STS-B",)
    """GLUE or builtin tasks with scores (STS-B, similarity) or two classes: their labels choose the letter."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""

    def __post_init__(self):
        super().__post_init__()
        for task in self.tasks:
            self.check_task("tasks", task)
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
