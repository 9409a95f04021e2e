"""The options of the experiments that compare encoders on proteins, and the parameters of their jobs. Imports no torch.

Both inherit the groups of settings at the top.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from orchestrator.limits import AboveZero, Limited, Positive, Several, require
from tasks.encoders.options import QUICK_SMALL, SeveralInts
from tasks.encoders.params import SCRATCH, SMALL, EncoderSizes, Precision, TokenisedText
from tasks.encoders.transformer import SIZES, Architecture, TransformerOrSmallOptions, TransformerParams
from tasks.training.settings import SmallTraining
from tasks.transfer.proteins.tasks import ProteinTask, Split

Pair = Literal["pretrained-plus", "pretrained-random", "random-plus"]
Role = Literal["pretrained", "random", "plus"]
RANDOM = "random"
"""In place of a PLUS checkpoint: random weights of the sizes given."""


@dataclass(frozen=True, kw_only=True)
class ReadProteins(Limited):
    """Which proteins both encoders read, and the text encoder's token ids."""

    split: Split = "test"
    """Split that is read."""
    proteins: Positive | None = None
    """Maximum number of proteins, a fixed random part; None: all."""
    max_length: Annotated[int, Ge(3)] = 512
    """Maximum length of a protein in tokens, the two special ones included."""
    table_seed: int | None = 100
    """Random seed of the table that assigns an ordinary word piece to each raw token id of the text encoder; None: the
    raw ids (amino acids are 1 to 21, unused word pieces of BERT)."""


@dataclass(frozen=True, kw_only=True)
class PlusSizes(Limited):
    """Sizes of a PLUS that no checkpoint describes."""

    plus_layers: Positive | None = None
    """Layers of PLUS where it is small or random; None: 12."""
    plus_width: Positive | None = None
    """Hidden size of PLUS; None: 768."""
    plus_heads: Positive | None = None
    """Attention heads of PLUS; None: one per 64 of width."""
    plus_intermediate: Positive | None = None
    """Feed-forward size of PLUS; None: four times the width."""


@dataclass(frozen=True, kw_only=True)
class PublishedDropout(Limited):
    """Dropout in the forward passes."""

    legacy_dropout: bool = False
    """Dropout on for random encoders and PLUS, as published."""


PLUS_SIZES = tuple(PlusSizes.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class ProteinOptions(PublishedDropout, Precision, PlusSizes, ReadProteins, TransformerOrSmallOptions):
    """A pretrained text encoder, its random twin and PLUS, a protein encoder, on the same proteins."""

    models: Several[str] = ("google-bert/bert-base-uncased",)
    """Text encoders that AutoModel loads: hub names or directories; small: an ALBERT of that --width which the project
    pretrains itself, a job of the sweep; scratch: random weights of the sizes given."""
    pairs: Several[Pair] = ("pretrained-plus", "pretrained-random", "random-plus")
    """Pairs of encoders that are compared: the text encoder, its random twin, PLUS."""
    encoder_seeds: SeveralInts = (0, 1, 2)
    """Random seeds of the random twins. Published: one."""
    plus: str = "PLUS-TFM.pt"
    """PLUS checkpoint: the published file (--pickled-weights allows it to be read; only tensors are taken out of it) or
    a directory; small: one of the sizes given that the sweep pretrains itself on the train split; random: random
    weights."""
    plus_seeds: SeveralInts = (0,)
    """Random seeds of a small or random PLUS."""
    plus_steps: Positive = 2000
    """Training steps of a small PLUS."""
    plus_batch: Positive = 32
    """Batch size of a small PLUS, in proteins."""
    plus_learning_rate: AboveZero = 1e-3
    """Peak learning rate of a small PLUS."""
    protein_tasks: Several[ProteinTask] = ("localization", "stability", "fluorescence")
    """Protein tasks, each read from its folder of --data-dir; builtin: made families, no files needed."""
    data_dir: str | None = None
    """Directory with the tasks' folders."""
    table: str | None = None
    """In place of --table-seed, a table from an .npy file of whole numbers, such as a published one that was
    converted."""

    def __post_init__(self):
        super().__post_init__()
        self.check_models()
        for name in PLUS_SIZES:
            fine = self.plus in (SMALL, RANDOM) or getattr(self, name) is None
            require(
                fine, name, getattr(self, name), "none: sizes go with --plus small or random, a checkpoint has its own"
            )
        fine = SCRATCH not in self.models or set(self.pairs) == {"random-plus"}
        require(
            fine, "pairs", self.pairs, "random-plus alone: the model scratch has random weights only; or --models small"
        )
        self.check_length("max_length", self.models)


@dataclass(frozen=True, kw_only=True)
class _Sides(Limited):
    first: Role
    """The text encoder, its random twin, or PLUS."""
    second: Role
    """What it is compared with."""
    protein_task: str
    """Whose proteins."""


@dataclass(frozen=True, kw_only=True)
class _Text(Limited):
    table_revision: str | None = None
    """Content hash of the table from a file (`context.paths["table"]`), which is there in place of `table_seed`."""
    model: str
    """Name of the text encoder: hub, directory, `small`, `scratch`."""
    revision: str = ""
    """Commit, content hash or job of its weights, as in `TransformerParams`."""
    encoder_seed: int | None = None
    """Seed of the random twin."""
    architecture: Architecture | None = None
    """Type of the model `scratch`, whose sizes follow; those that neither side uses are None."""
    layers: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Plus(Limited):
    tokenizer_revision: str
    """Content hash or hub commit of the tokenizer, whose special tokens frame a protein and whose vocabulary the table
    permutes."""
    plus: str | None = None
    """PLUS: name of its checkpoint, `small` or `random`; None where it is no side."""
    plus_revision: str | None = None
    """Content hash of the checkpoint, or the job that pretrained it."""
    plus_seed: int | None = None
    """Seed of random weights or of the pretraining."""


@dataclass(frozen=True, kw_only=True)
class PairParams(
    PublishedDropout, Precision, PlusSizes, _Plus, TokenisedText, EncoderSizes, _Text, ReadProteins, _Sides
):
    """Two encoders and the proteins that both read; the sizes of PLUS are given where its weights are random."""

    def __post_init__(self):
        super().__post_init__()
        roles = (self.first, self.second)
        require(self.first != self.second, "second", self.second, "another one than first")
        one = self.table_seed is None or self.table_revision is None
        require(one, "table_seed", self.table_seed, "None with a table from a file")
        require(("plus" in roles) == (self.plus is not None), "plus", self.plus, "one iff it is a side")
        fine = (self.encoder_seed is not None) == ("random" in roles)
        require(fine, "encoder_seed", self.encoder_seed, "one iff a side is random")
        for role in roles:
            if role != "plus":
                self.text_encoder(role)  # raises for what cannot be

    def text_encoder(self, role: Role) -> TransformerParams:
        """The parameters of the text encoder, pretrained or random."""
        given: dict[str, Any] = {name: getattr(self, name) for name in SIZES}
        return TransformerParams(
            model=self.model,
            revision=self.revision,
            encoder="random" if role == "random" else "pretrained",
            encoder_seed=self.encoder_seed if role == "random" else None,
            tokenizer=self.tokenizer,
            dtype=self.dtype,
            **given,
        )


@dataclass(frozen=True, kw_only=True)
class _Network(Limited):
    protein_task: str
    """Whose proteins it is trained on; a part of them is kept aside to judge the result."""
    layers: Positive = 2
    """Blocks L."""
    width: Positive = 64
    """Hidden size H."""
    heads: Positive = 4
    """Attention heads."""
    intermediate: Positive = 256
    """Feed-forward width."""
    max_length: Annotated[int, Ge(3)] = 512
    """Maximum length of a protein in tokens, the two special ones included; longer ones lose their end."""


@dataclass(frozen=True, kw_only=True)
class PretrainPlusParams(SmallTraining, _Network):
    """Everything that shapes the weights of a small PLUS, beside the proteins, which are a need of the job."""

    steps: Positive = 2000
    learning_rate: AboveZero = 3e-3
    held_out: Annotated[AboveZero, Lt(1)] = 0.1
    """Share of the proteins that is kept aside, at least one."""
    test_proteins: Positive = 200
    """Maximum number of those kept aside that judge the result."""
    seed: int = 0
    """Random seed of weights, order of the proteins and masks."""

    def __post_init__(self):
        super().__post_init__()
        require(self.width % self.heads == 0, "heads", self.heads, f"a number that divides the width {self.width}")
        require(self.width % 2 == 0, "width", self.width, "an even number")


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
