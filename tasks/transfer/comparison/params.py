"""The parameters of a job that compares two encoders on proteins. Imports no torch."""

from dataclasses import dataclass
from typing import Any, Literal

from tasks.encoders.params import require
from tasks.encoders.transformer import SIZES, Architecture, TransformerParams

Role = Literal["pretrained", "random", "plus"]


@dataclass(frozen=True, kw_only=True)
class PairParams:
    """Two encoders and the proteins that both read. Fields that neither side uses are None or empty."""

    first: Role
    """The text encoder, its random twin, or PLUS."""
    second: Role
    """What it is compared with."""
    protein_task: str
    """Whose proteins."""
    split: str
    """Their part."""
    proteins: int | None = None
    """At most so many; None: all."""
    max_length: int = 512
    """Tokens a protein at most, the two special ones included."""
    table_seed: int | None = 100
    """Of the table of the text encoder's token ids; None: raw ids, or a table from a file."""
    table_revision: str | None = None
    """Content hash of the table from a file (`context.paths["table"]`)."""
    model: str
    """Name of the text encoder: hub, directory, `small`, `scratch`."""
    revision: str = ""
    """Its commit, content hash or job, as in `TransformerParams`."""
    encoder_seed: int | None = None
    """Of the random twin."""
    architecture: Architecture | None = None
    """Of the model `scratch`, like the sizes."""
    layers: int | None = None
    width: int | None = None
    heads: int | None = None
    intermediate: int | None = None
    embedding: int | None = None
    tokenizer: str
    """Name of the tokenizer, whose special tokens frame a protein and whose vocabulary the table permutes."""
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    plus: str | None = None
    """PLUS: name of its checkpoint, `small` or `random`; None where it is no side."""
    plus_revision: str | None = None
    """Content hash of the checkpoint, or the job that pretrained it."""
    plus_seed: int | None = None
    """Of random weights or of the pretraining."""
    plus_layers: int | None = None
    """Its sizes where the weights are random."""
    plus_width: int | None = None
    plus_heads: int | None = None
    plus_intermediate: int | None = None
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the encoders."""
    legacy_dropout: bool = False
    """Dropout on for random encoders and PLUS, as published."""

    def __post_init__(self):
        require(self.first != self.second, "second", self.second, "another one than first")
        require(self.max_length >= 3, "max_length", self.max_length, "3 or more")
        one = self.table_seed is None or self.table_revision is None
        require(one, "table_seed", self.table_seed, "None with a table from a file")
        roles = (self.first, self.second)
        require(("plus" in roles) == (self.plus is not None), "plus", self.plus, "one iff it is a side")
        random = "random" in roles
        require(
            (self.encoder_seed is not None) == random, "encoder_seed", self.encoder_seed, "one iff a side is random"
        )
        for role in roles:
            if role != "plus":
                self.text_encoder(role)  # raises for what cannot be

    def text_encoder(self, role: Role) -> TransformerParams:
        """The parameters of the text encoder, pretrained or random."""
        given: dict[str, Any] = {name: getattr(self, name) for name in SIZES}
        if role == "random":
            given["encoder_seed"] = self.encoder_seed
        return TransformerParams(
            model=self.model,
            revision=self.revision,
            encoder="random" if role == "random" else "pretrained",
            tokenizer=self.tokenizer,
            dtype=self.dtype,
            **given,
        )
