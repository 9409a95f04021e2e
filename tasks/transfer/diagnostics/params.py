"""The parameters that the four diagnostics share. Imports no torch."""

from dataclasses import dataclass

from orchestrator.experiment import Resources
from tasks.encoders.params import require
from tasks.encoders.transformer import TransformerParams

ENCODER = Resources(num_cpus=1, num_gpus=1)


@dataclass(frozen=True, kw_only=True)
class DiagnosticParams(TransformerParams):
    """One encoder and the sentences that it reads. `model` is also any checkpoint that AutoModel loads."""

    task: str
    """A GLUE task or a builtin one; the sentences are of its train split."""
    shift: int = 0
    """Added to every token id, modulo the size of the vocabulary; special tokens and padding too."""
    seed: int
    """Of the order of the sentences, of positions, noise and heads; of a random encoder also of its weights."""
    max_length: int = 128
    """Tokens a text at most."""
    train_limit: int | None = None
    """Examples that the tokens job chose; None: all."""
    legacy_dropout: bool = False
    """Dropout as published: on by mistake."""

    def __post_init__(self):
        super().__post_init__()
        require(self.shift >= 0, "shift", self.shift, "0 or more")
        require(self.max_length >= 1, "max_length", self.max_length, "1 or more")
