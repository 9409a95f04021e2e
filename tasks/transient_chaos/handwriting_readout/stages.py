"""The parameters, tables and stage of `handwriting_readout`: one job is one encoder on one task, with all windows."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import NotNegative
from tasks.data.plan import ExampleLimits
from tasks.encoders.params import EncoderParams
from tasks.transient_chaos.handwriting_readout.config import Readout


@dataclass(frozen=True, kw_only=True)
class _Task(EncoderParams):
    task: str
    """A task with scores or two classes."""


@dataclass(frozen=True, kw_only=True)
class _Drawn(Readout, _Task):
    drawn_samples: NotNegative = 5
    """Examples of each extreme label that are drawn: those with the smallest errors."""


@dataclass(frozen=True, kw_only=True)
class HandwritingParams(ExampleLimits, _Drawn):
    """One encoder, one task, all windows; with mask_mode none every example is padded to `max_length`."""

    def __post_init__(self):
        super().__post_init__()
        self.check_task("task", self.task)


_LEAD = (
    column("task", pa.string(), "task whose labels choose the letter"),
    column("encoder", pa.string(), "source of the encoder's weights: pretrained or random"),
)
_WINDOW = (
    *_LEAD,
    column("start", pa.int64(), "first layer of the window; 0 is the embedding"),
    column("length", pa.int64(), "window length in layers, one point of the curve each"),
)
_SAMPLE = (
    *_WINDOW,
    column("sample", pa.int64(), "index of the dev example"),
    column("label", pa.float64(), "its score or class in the data"),
    column("share", pa.float64(), "share of the second letter (S) in its target; the rest is the first letter (U)"),
)

WINDOWS = TableSpec(
    schema=pa.schema(
        [
            *_WINDOW,
            column(
                "error_mean", pa.float64(), "sum (output - target)^2 / sum target^2, mean over dev examples, no unit"
            ),
            column("error_sd", pa.float64(), "sample standard deviation of the error over dev examples, no unit"),
            column("error_median", pa.float64(), "median of the error over dev examples, no unit"),
            column("error_blind", pa.float64(), "mean error of the curve of the mean training label: no information"),
            column("samples", pa.int64(), "dev examples in these numbers"),
            column("undefined", pa.int64(), "dev examples left out because their target is zero throughout"),
            column("rows", pa.int64(), "equations of the fit: training examples times layers"),
            column("features", pa.int64(), "unknowns of the fit for each coordinate: hidden size, and a constant"),
            column("rank", pa.int64(), "features that vary by more than rounding, and the constant"),
            column("condition", pa.float64(), "estimated condition number of the scaled scatter; inf: Cholesky fails"),
            column(
                "solver", pa.string(), "cholesky; for the min-norm solution deflated or eigen (metrics.least_squares)"
            ),
        ]
    ),
    key=("task", "encoder", "start", "length"),
    doc="Reconstruction error of every window.",
)
SAMPLES = TableSpec(
    schema=pa.schema(
        [
            *_SAMPLE,
            column("best", pa.bool_(), "whether the window is the best one of the job (else one that was asked for)"),
            column(
                "error", pa.float64(), "sum (output - target)^2 / sum target^2 over layers and coordinates, no unit"
            ),
        ]
    ),
    key=("task", "encoder", "start", "length", "sample"),
    doc="Errors of single dev examples, in the best window and those asked for.",
)
DRAWINGS = TableSpec(
    schema=pa.schema(
        [
            *_SAMPLE,
            column("point", pa.int64(), "point of the curve; its layer is start + point"),
            column("x", pa.float64(), "output, horizontal: velocity or summed velocity by `write_mode`, squares / q"),
            column("y", pa.float64(), "output, vertical"),
            column("target_x", pa.float64(), "target, horizontal"),
            column("target_y", pa.float64(), "target, vertical"),
        ]
    ),
    key=("task", "encoder", "start", "length", "sample", "point"),
    doc="Curves written for the dev examples of the two extreme labels with the smallest errors.",
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
    doc="Examples left out because their states are not finite.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            column("n_train", pa.int64(), "training examples used"),
            column("n_dev", pa.int64(), "dev examples used"),
            column("left_out", pa.int64(), "examples left out because their states are not finite"),
            column("windows", pa.int64(), "windows solved"),
            column("deflated", pa.int64(), "windows solved by Cholesky after constant directions were filled up"),
            column("eigen", pa.int64(), "windows that needed an eigendecomposition"),
            column("groups", pa.int64(), "groups of starts whose sums fit into memory; each is a pass over the data"),
            column("layer_passes", pa.int64(), "forward layer applications to one sequence, counted while running"),
            column("encoder_seconds", pa.float64(), "seconds in the encoder"),
            column("sum_seconds", pa.float64(), "seconds in the sums over training states"),
            column("solve_seconds", pa.float64(), "seconds in solving all windows"),
            column("error_seconds", pa.float64(), "seconds in the dev errors of all windows"),
        ]
    ),
    key=("task", "encoder"),
    doc="Cost of each job.",
)

HANDWRITING = Stage(
    name="handwriting",
    function="tasks.transient_chaos.handwriting_readout.readout:handwriting",
    params=HandwritingParams,
    tables={"windows": WINDOWS, "samples": SAMPLES, "drawings": DRAWINGS, "faults": FAULTS, "costs": COSTS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
