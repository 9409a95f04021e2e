"""What the stage `handwriting` takes and writes: its parameters, its tables, the stage itself.

Light on purpose (no torch): the plan imports it. One job is one encoder on one task, with all windows of layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.encoders.params import EncoderParams, require

MaskMode = Literal["none", "padding"]
WriteMode = Literal["velocity", "position"]

TOP_SCORES: Mapping[str, float] = {"STS-B": 5.0, "similarity": 1.0}
"""The highest score of the tasks that have scores; the lowest is 0."""


@dataclass(frozen=True, kw_only=True)
class HandwritingParams(EncoderParams):
    """One encoder, one task, all windows (transient_chaos 8)."""

    task: str
    """A task with scores or two classes."""
    mask_mode: MaskMode = "none"
    """`none`: padding tokens attend and are attended, as published; `padding`: nothing attends to them."""
    max_length: int = 64
    """Tokens an example at most; with mask_mode none every example is padded to so many."""
    write_mode: WriteMode = "velocity"
    """What the readout gives at a layer: the pen's velocity, or the running sum of velocities."""
    steps: int = 200
    """Layers of the trajectory: the states 0 to `steps` exist."""
    starts: tuple[int, ...]
    """First layers of the windows, ascending; 0 is the embedding."""
    lengths: tuple[int, ...]
    """Layers of the windows, ascending."""
    threshold_low: float | None = None
    """Scores up to this are class 0; None: no classes, the score mixes the two letters."""
    threshold_high: float | None = None
    """Scores from this on are class 1; None iff `threshold_low` is."""
    legacy_labels: bool = False
    """Truncate scores to whole numbers before they mix the letters, as published."""
    best_from: int = 20
    """Shortest window that may be the best one: one point can be written without any knowledge of a letter."""
    drawn_starts: tuple[int, ...] = ()
    """With `drawn_lengths`: windows that are drawn beside the best one, every start with every length."""
    drawn_lengths: tuple[int, ...] = ()
    drawn_samples: int = 5
    """Samples of each extreme label that are drawn: those with the smallest errors."""
    train_limit: int | None = None
    """Training examples that the tokens job drew; None: all."""
    dev_limit: int | None = None
    """Dev examples that the tokens job drew; None: all."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("max_length", "steps", "train_limit", "dev_limit"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "1 or more")
        for name, least in (("starts", 0), ("lengths", 1)):
            values = getattr(self, name)
            fine = bool(values) and values[0] >= least and all(a < b for a, b in pairwise(values))
            require(fine, name, values, f"ascending numbers from {least}")
        last = self.starts[-1] + self.lengths[-1] - 1
        require(
            last <= self.steps,
            "steps",
            self.steps,
            f"{last} or more: the window of {self.lengths[-1]} layers from layer {self.starts[-1]} ends at {last}",
        )
        low, high, half = self.threshold_low, self.threshold_high, TOP_SCORES.get(self.task, float("nan")) / 2
        require((low is None) == (high is None), "threshold_high", high, "both thresholds or none")
        if low is not None and high is not None:
            require(self.task in TOP_SCORES, "threshold_low", low, f"None: {self.task} has no scores")
            require(
                low <= half < high, "thresholds", (low, high), f"low up to {half} and high above: classes part there"
            )
        fine = not self.legacy_labels or (self.task == "STS-B" and low is None)
        require(fine, "legacy_labels", self.legacy_labels, "False but for STS-B without thresholds")
        require(self.best_from >= 1, "best_from", self.best_from, "1 or more")
        require(self.drawn_samples >= 0, "drawn_samples", self.drawn_samples, "0 or more")
        for name, of in (("drawn_starts", "starts"), ("drawn_lengths", "lengths")):
            require(set(getattr(self, name)) <= set(getattr(self, of)), name, getattr(self, name), f"some of {of}")

    @property
    def last_layer(self) -> int:
        """The deepest layer that a window reads."""
        return self.starts[-1] + self.lengths[-1] - 1


_LEAD = (
    column("task", pa.string(), "task whose labels choose the letter"),
    column("encoder", pa.string(), "where the encoder's weights came from: pretrained or random"),
)
_WINDOW = (
    column("start", pa.int64(), "first layer of the window; 0 is the embedding"),
    column("length", pa.int64(), "layers of the window, one point of the curve each"),
)
_SAMPLE = (
    column("sample", pa.int64(), "index of the dev example"),
    column("label", pa.float64(), "its score or class as the data give it"),
    column("share", pa.float64(), "share of the second letter (S) in its target; the rest is the first letter (U)"),
)

WINDOWS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            *_WINDOW,
            column(
                "error_mean", pa.float64(), "mean over dev samples of sum (output - target)^2 / sum target^2, no unit"
            ),
            column("error_sd", pa.float64(), "standard deviation of that error over dev samples (n - 1), no unit"),
            column("error_median", pa.float64(), "median of that error over dev samples, no unit"),
            column("error_blind", pa.float64(), "mean error of the curve of the mean training label: no information"),
            column("samples", pa.int64(), "dev samples in these numbers"),
            column("undefined", pa.int64(), "dev samples left out since their target is zero throughout"),
            column("rows", pa.int64(), "equations of the fit: training samples times layers"),
            column(
                "features", pa.int64(), "unknowns of the fit for each coordinate: the state's dimensions and a constant"
            ),
            column("rank", pa.int64(), "features that vary by more than rounding, and the constant"),
            column(
                "condition",
                pa.float64(),
                "condition number of the scaled scatter, estimated; inf where Cholesky is of no use",
            ),
            column(
                "solver",
                pa.string(),
                "cholesky; or, for the min-norm solution, deflated or eigen (metrics.least_squares)",
            ),
        ]
    ),
    key=("task", "encoder", "start", "length"),
    doc="Reconstruction error of every window.",
)
SAMPLES = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            *_WINDOW,
            *_SAMPLE,
            column("best", pa.bool_(), "whether the window is the best one of the job (else one that was asked for)"),
            column(
                "error", pa.float64(), "sum (output - target)^2 / sum target^2 over layers and coordinates, no unit"
            ),
        ]
    ),
    key=("task", "encoder", "start", "length", "sample"),
    doc="Errors of single dev samples, in the best window and those asked for.",
)
DRAWINGS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            *_WINDOW,
            *_SAMPLE,
            column("point", pa.int64(), "point of the curve; its layer is start + point"),
            column(
                "x", pa.float64(), "output, horizontal: velocity or summed velocity as `write_mode` says, squares / q"
            ),
            column("y", pa.float64(), "output, vertical"),
            column("target_x", pa.float64(), "target, horizontal"),
            column("target_y", pa.float64(), "target, vertical"),
        ]
    ),
    key=("task", "encoder", "start", "length", "sample", "point"),
    doc="Curves written for the dev samples of the two extreme labels that are written best.",
)
FAULTS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            column("split", pa.string(), "train or dev"),
            column("sample", pa.int64(), "index of the example"),
            column("layer", pa.int64(), "first layer at which its state is NaN or infinite"),
        ]
    ),
    key=("task", "encoder", "split", "sample"),
    doc="Examples that were left out since their states are not finite.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            column("n_train", pa.int64(), "training examples used"),
            column("n_dev", pa.int64(), "dev examples used"),
            column("left_out", pa.int64(), "examples left out since their states are not finite"),
            column("windows", pa.int64(), "windows solved"),
            column("deflated", pa.int64(), "windows solved by Cholesky after constant directions were filled up"),
            column("eigen", pa.int64(), "windows that needed an eigendecomposition"),
            column(
                "groups", pa.int64(), "groups of starts whose sums were in memory together; each passes the data again"
            ),
            column("layer_passes", pa.int64(), "forward layer applications to one sequence"),
            column("encoder_seconds", pa.float64(), "seconds in the encoder, s"),
            column("sum_seconds", pa.float64(), "seconds in the sums over training states, s"),
            column("solve_seconds", pa.float64(), "seconds in solving all windows, s"),
            column("error_seconds", pa.float64(), "seconds in the dev errors of all windows, s"),
        ]
    ),
    key=("task", "encoder"),
    doc="What each job cost.",
)

HANDWRITING = Stage(
    name="handwriting",
    function="tasks.transient_chaos.handwriting_readout.stage:handwriting",
    params=HandwritingParams,
    tables={"windows": WINDOWS, "samples": SAMPLES, "drawings": DRAWINGS, "faults": FAULTS, "costs": COSTS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
