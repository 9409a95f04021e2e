"""The options of the experiments that compare encoders on proteins. Imports no torch."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.options import Ints
from tasks.encoders.options import QUICK_SMALL, at_least, distinct
from tasks.encoders.params import SCRATCH, SMALL
from tasks.encoders.transformer_options import TransformerOrSmallOptions
from tasks.transfer.proteins.tasks import ProteinTask

Pair = Literal["pretrained-plus", "pretrained-random", "random-plus"]
RANDOM = "random"
"""In place of a PLUS checkpoint: random weights of the sizes given."""


@dataclass(frozen=True, kw_only=True)
class ProteinOptions(TransformerOrSmallOptions):
    """A pretrained text encoder, its random twin and PLUS, a protein encoder, on the same proteins."""

    models: tuple[str, ...] = ("google-bert/bert-base-uncased",)
    """Text encoders that AutoModel loads: hub names or directories; small: an ALBERT of that --width which the project
    pretrains itself, a job of the sweep; scratch: random weights of the sizes given."""
    pairs: tuple[Pair, ...] = ("pretrained-plus", "pretrained-random", "random-plus")
    """Which two are compared: the text encoder, its random twin, PLUS."""
    encoder_seeds: Ints = (0, 1, 2)
    """Seeds of the random twins. Published: one."""
    plus: str = "PLUS-TFM.pt"
    """The published checkpoint (--pickled-weights allows it to be read; only tensors are taken), a directory that
    the project wrote; small: one of the sizes given that the sweep pretrains itself on the train split; random."""
    plus_layers: int | None = None
    """Layers of PLUS where it is small or random; None: 12."""
    plus_width: int | None = None
    """Its hidden size; None: 768."""
    plus_heads: int | None = None
    """Its heads; None: one per 64 of width."""
    plus_intermediate: int | None = None
    """Its feed-forward size; None: four times the width."""
    plus_seeds: Ints = (0,)
    """Seeds of a small or random PLUS."""
    plus_steps: int = 2000
    """Training steps of a small PLUS."""
    plus_batch: int = 32
    """Proteins a step."""
    plus_learning_rate: float = 1e-3
    """Its highest learning rate."""
    protein_tasks: tuple[ProteinTask, ...] = ("localization", "stability", "fluorescence")
    """Whose proteins are read, each from its folder of --data-dir; builtin: made families, no files needed."""
    data_dir: str | None = None
    """Directory with the tasks' folders."""
    split: Literal["train", "dev", "test"] = "test"
    """The part that is read."""
    proteins: int | None = None
    """At most so many proteins, a fixed random part; None: all."""
    max_length: int = 512
    """Tokens a protein at most, the two special ones included."""
    table_seed: int | None = 100
    """Seed of the table that assigns an ordinary word piece to each raw token id of the text encoder; None: the ids are
    the raw ones (amino acids are 1 to 21, unused word pieces of BERT)."""
    table: str | None = None
    """In place of --table-seed, a table from an .npy file of whole numbers, such as a published one that was
    converted."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the encoders."""
    legacy_dropout: bool = False
    """Dropout on for random encoders and PLUS, as published."""

    def __post_init__(self):
        for name in ("pairs", "encoder_seeds", "plus_seeds", "protein_tasks"):
            distinct(self, name)
        self.check_models()
        sizes = ("plus_layers", "plus_width", "plus_heads", "plus_intermediate")
        for name in (*sizes, "plus_steps", "plus_batch", "proteins"):
            at_least(self, name, 1)
        at_least(self, "max_length", 3)
        if self.plus_learning_rate <= 0:
            raise ValueError(f"plus-learning-rate is {self.plus_learning_rate}: give more than 0")
        if self.plus not in (SMALL, RANDOM) and any(getattr(self, name) for name in sizes):
            raise ValueError(
                "the sizes of a PLUS checkpoint are its own: --plus-width and the like go with small, random"
            )
        if SCRATCH in self.models and any("pretrained" in pair for pair in self.pairs):
            raise ValueError("the model scratch has random weights only: give --pairs random-plus, or --models small")
        self.check_length("max_length", self.models)


QUICK_PROTEIN: Mapping[str, Any] = types.MappingProxyType(
    {
        **{name: value for name, value in QUICK_SMALL.items() if name not in ("model", "init_range")},
        "models": (SMALL,),
        "encoder_seeds": (0, 1, 2),
        "plus": SMALL,
        "plus_layers": 2,
        "plus_width": 64,
        "plus_heads": 4,
        "plus_steps": 300,
        "plus_learning_rate": 5e-3,  # at this width; at 1e-3 so few steps learn little more than frequencies
        "protein_tasks": ("builtin",),
        "max_length": 32,
    }
)
"""The encoders and the proteins of the quick presets: with one results directory their sweeps pretrain each once."""
