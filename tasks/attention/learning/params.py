"""What the statistics on attention take and write: parameters and tables. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.attention.learning.runs import Runs, complete
from tasks.attention.learning.scores import TRAIN, VAL

Metric = Literal["top5", "kendall"]
Sign = Literal["correct", "legacy"]


def check_positive(params: object, *names: str) -> None:
    """Refuse numbers that are not above 0.

    Raises:
        ValueError: with the field's name and its value.
    """
    for name in names:
        if not getattr(params, name) > 0:
            raise ValueError(f"{name} is {getattr(params, name)}; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class StatisticsParams:
    """Which runs and checkpoints are compared, and how.

    Tuples spread over the rows. What else shapes them, such as the width of the models, is in `inputs`.

    Raises:
        ValueError: fewer than two normal seeds, or no checkpoint, metric, split or performance.
    """

    dataset: str
    inputs: str
    """16 hex digits over the ids of all jobs that the numbers come from: one for each setting of what was trained."""
    seeds: tuple[int, ...]
    """Seeds of the normal runs, the gold run's first."""
    uniform_seed: int
    steps: tuple[int, ...]
    """Checkpoints, as updates that they hold."""
    proxies: tuple[str, ...]
    """Word-level models: px (bags of words through embeddings), logistic."""
    performances: tuple[str, ...] = ("accuracy",)
    """What chooses the gold run's checkpoint, the more the better: accuracy, bleu."""
    metrics: tuple[Metric, ...] = ("top5", "kendall")
    splits: tuple[str, ...] = (VAL, TRAIN)
    signs: tuple[Sign, ...] = ("correct",)
    """Signs of Delta; legacy is the published one of classification (quirk C2), reported beside the correct one."""

    def __post_init__(self):
        complete(self.steps)
        Runs(seeds=self.seeds, uniform_seed=self.uniform_seed)
        for name in ("performances", "metrics", "splits", "signs"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} is {values!r}; give at least one, each once")

    @property
    def runs(self) -> Runs:
        return Runs(seeds=self.seeds, uniform_seed=self.uniform_seed)


PERFORMANCE = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val (the evaluation split), or train (a sample of the training split)"),
            column("part", pa.string(), "all items of the split, or one fixed half of them, a or b"),
            column("metric", pa.string(), "accuracy, perplexity, bleu, …"),
            column("value", pa.float64(), "classification: a fraction; translation: percent, BLEU points 0-100"),
        ]
    ),
    key=("split", "part", "metric"),
    doc="How well each checkpoint does. The stage's parameters `dataset`, `kind`, `seed` and `step` say which it is.",
)
AGREEMENT = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val or train"),
            column("part", pa.string(), "all, a or b: over which items the mean is taken"),
            column("metric", pa.string(), "top5 (top-5 % match) or kendall (tau-b)"),
            column("u", pa.string(), "what supplies the argmax: alpha, beta, delta, or delta-legacy (the other sign)"),
            column("u_run", pa.string(), "normal-<seed>, or a proxy: px, logistic (-heldout: chosen on half a)"),
            column("u_step", pa.int64(), "checkpoint of u, in updates; none for a proxy"),
            column("v", pa.string(), "what supplies the ranking: alpha or beta"),
            column("v_run", pa.string(), "normal-<seed> or uniform-<seed>"),
            column("v_step", pa.int64(), "checkpoint of v, in updates"),
            column("mean", pa.float64(), "mean over items; NaN where there is none"),
            column("items", pa.int64(), "items in the mean: for top5 all, for kendall those where tau is defined"),
            column(
                "undefined",
                pa.int64(),
                "items where u or v has a NaN (top5: still in the mean, as published), or is constant (kendall alone)",
            ),
            column("baseline", pa.float64(), "expected mean after each v is shuffled, in closed form, same items"),
        ]
    ),
    key=("split", "part", "metric", "u", "u_run", "u_step", "v", "v_run", "v_step"),
    doc="Agreement A(u, v) of every pair that was compared (attention_dynamics 5.1).",
)
STATISTICS = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "val or train"),
            column("performance", pa.string(), "what chose the gold run's checkpoint and gives xi: accuracy, bleu"),
            column("metric", pa.string(), "top5 (top-5 % match) or kendall (tau-b)"),
            column(
                "selection",
                pa.string(),
                "same (checkpoints are chosen on the items that they are judged on, as published), or held_out (chosen "
                "on half a, judged on half b)",
            ),
            column("sign", pa.string(), "of Delta: correct, or legacy (classification as published, quirk C2)"),
            column(
                "key",
                pa.string(),
                "of the published dictionary: agr_*, xi_*, baseline, best_perf, alpha_corrs, alpha_perfs; and "
                "baseline_*, the baseline of each agr_*",
            ),
            column("value", pa.float64(), "agreement, or performance in its unit; none where xi is never reached"),
            column(
                "step",
                pa.int64(),
                "checkpoint where the value is taken, in updates: the maximum of agr_*, the crossing of xi_*, the gold "
                "run's of best_perf; none for baseline and what is never reached",
            ),
        ]
    ),
    key=("split", "performance", "metric", "selection", "sign", "key", "step"),
    doc="The published dictionary of statistics (attention_dynamics 5.2), a row a key, or a key and checkpoint.",
)

ATTENTION_STATISTICS = Stage(
    name="attention_statistics",
    function="tasks.attention.learning.statistics:attention_statistics",
    params=StatisticsParams,
    tables={"agreement": AGREEMENT, "statistics": STATISTICS},
    resources=Resources(num_cpus=1),
)
