"""The options that the four diagnostics share: models, tasks, seeds, token shifts. Imports no torch."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.options import Ints
from tasks.data.examples import TaskName
from tasks.encoders.options import QUICK_SMALL, at_least, distinct
from tasks.encoders.params import SCRATCH, SMALL, Encoder
from tasks.encoders.transformer_options import TransformerOrSmallOptions

DoubleOrNot = Literal["float32", "float64"]


@dataclass(frozen=True, kw_only=True)
class DiagnosticOptions(TransformerOrSmallOptions):
    """Which networks are looked at, and on which sentences."""

    models: tuple[str, ...] = ("google-bert/bert-base-uncased", "albert/albert-base-v1")
    """Encoders that AutoModel loads: hub names or directories; scratch: random weights of the sizes given; small: an
    ALBERT of that --width which the project pretrains itself, a job of the sweep."""
    encoders: tuple[Encoder, ...] = ("pretrained", "random")
    """Whether the weights are the checkpoint's or drawn for its architecture."""
    tasks: tuple[TaskName, ...] = ("MNLI", "SST-2", "STS-B")
    """GLUE tasks, or the builtin acceptability, same_topic, similarity; of the train split."""
    seeds: Ints = (100, 101, 102)
    """Seeds of the order of the sentences and of all that is drawn; of a random encoder also of its weights."""
    shifts: Ints = (0, 1000)
    """What is added to every token id, modulo the size of the vocabulary (special tokens too): 0 is ordinary text,
    another value text whose tokens have lost their meaning."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""
    max_length: int = 128
    """Tokens a sentence or pair at most; of a pair the longer text is cut first."""
    train_limit: int | None = None
    """Take the sentences from so many examples at most, a fixed random part."""
    dtype: DoubleOrNot = "float32"
    """Precision of the weights and of what is computed from them."""
    legacy_dropout: bool = False
    """Leave dropout on where the published code had it on by mistake, which drowns what is measured."""

    def __post_init__(self):
        for name in ("encoders", "tasks", "seeds", "shifts"):
            distinct(self, name)
        self.check_models()
        for name in ("max_length", "train_limit"):
            at_least(self, name, 1)
        at_least_shift = min(self.shifts)
        if at_least_shift < 0:
            raise ValueError(f"shifts has {at_least_shift}: give 0 or more")
        if SCRATCH in self.models and "pretrained" in self.encoders:
            raise ValueError(
                "the model scratch has random weights only: give --encoders random, or --models small, which the "
                "project pretrains"
            )
        self.check_length("max_length", self.models)


QUICK_DIAGNOSTIC: Mapping[str, Any] = types.MappingProxyType(
    {
        **{name: value for name, value in QUICK_SMALL.items() if name not in ("model", "init_range")},
        "models": (SMALL,),
        "tasks": ("acceptability", "same_topic", "similarity"),
        "seeds": (0, 1, 2),
        "shifts": (0, 1000),
        "max_length": 32,
        "train_limit": 1200,
    }
)
"""The model and the sentences of the quick presets: with one results directory their sweeps pretrain it once."""
