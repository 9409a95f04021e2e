"""The options that say which encoders of the BERT family an experiment works on; its Config inherits them."""

from dataclasses import dataclass

from tasks.encoders.options import PretrainOptions, at_least, distinct
from tasks.encoders.params import SCRATCH, SMALL
from tasks.encoders.transformer import SIZES, Architecture


@dataclass(frozen=True, kw_only=True)
class TransformerOptions:
    """Models by name, and the sizes of one with random weights."""

    models: tuple[str, ...]
    """BERT, ALBERT, DistilBERT or RoBERTa checkpoints: hub names or directories; scratch: random weights of the sizes
    given."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    tokenizer: str | None = None
    """A hub name, a directory, or builtin, for all models; None: each model's own."""
    architecture: Architecture = "bert"
    """Type of the model scratch."""
    layers: int | None = None
    """Its layers; None: 12."""
    width: int | None = None
    """Its hidden size; None: 768."""
    heads: int | None = None
    """Its attention heads; None: one per 64 of width."""
    intermediate: int | None = None
    """Its feed-forward size; None: four times the width."""
    embedding: int | None = None
    """Its embedding size (albert only); None: 128."""

    def check_models(self) -> None:
        """Refuse a model named twice, scratch without a tokenizer, and sizes for a checkpoint.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        distinct(self, "models")
        for name in SIZES[1:]:
            at_least(self, name, 1)
        if SCRATCH in self.models:
            if self.tokenizer is None:
                raise ValueError("the model scratch needs a --tokenizer (a directory, a hub name, or builtin)")
            if self.embedding is not None and self.architecture != "albert":
                raise ValueError(f"embedding goes with --architecture albert: {self.architecture} has its width there")
        elif SMALL not in self.models and any(getattr(self, name) for name in SIZES[1:]):
            raise ValueError("the sizes of a checkpoint are its own: --layers, --width and the like go with scratch")


@dataclass(frozen=True, kw_only=True)
class TransformerOrSmallOptions(PretrainOptions, TransformerOptions):
    """The same, of any type that the library's AutoModel loads, and the ALBERT that the project pretrains itself."""

    models: tuple[str, ...]
    """Checkpoints that AutoModel loads: hub names or directories; scratch: random weights of the sizes given; small: an
    ALBERT of that --width which the project pretrains itself, a job of the sweep."""

    def check_models(self) -> None:
        """As above; small needs a tokenizer and a width, and its layers are --pretrain-depth.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        super().check_models()
        self.check_pretraining()
        if SMALL in self.models:
            if self.tokenizer is None:
                raise ValueError("the model small needs a --tokenizer (a directory, a hub name, or builtin)")
            if self.width is None:
                raise ValueError("the model small needs a --width")
            if self.layers is not None and SCRATCH not in self.models:
                raise ValueError("layers goes with the model scratch: small has those of --pretrain-depth")
