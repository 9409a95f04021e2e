"""The options that say which encoders of the BERT family an experiment works on; its Config inherits them."""

from dataclasses import dataclass

from orchestrator.limits import Positive, Several, require
from tasks.encoders.options import PretrainOptions
from tasks.encoders.params import SCRATCH, SMALL, EncoderSizes
from tasks.encoders.transformer import SIZES, Architecture


@dataclass(frozen=True, kw_only=True)
class TransformerOptions(EncoderSizes):
    """Models by name, and the sizes of one with random weights."""

    models: Several[str]
    """BERT, ALBERT, DistilBERT or RoBERTa checkpoints: hub names or directories; scratch: random weights of the sizes
    given."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    tokenizer: str | None = None
    """Tokenizer of all models: a hub name, a directory, or builtin; None: each model's own."""
    architecture: Architecture = "bert"
    """Architecture of the model scratch."""
    layers: Positive | None = None
    """Number of layers of the model scratch; None: 12."""

    def check_models(self) -> None:
        """Refuse scratch without a tokenizer, and sizes for a checkpoint. Width None: 768.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        if SCRATCH in self.models:
            remedy = "a directory, a hub name, or builtin with the model scratch"
            require(self.tokenizer is not None, "tokenizer", self.tokenizer, remedy)
            fine = self.embedding is None or self.architecture == "albert"
            require(fine, "embedding", self.embedding, f"none: {self.architecture} has its width there, albert its own")
        elif SMALL not in self.models:
            for name in SIZES[1:]:
                value = getattr(self, name)
                require(value is None, name, value, "none: sizes go with the model scratch, a checkpoint has its own")


@dataclass(frozen=True, kw_only=True)
class TransformerOrSmallOptions(PretrainOptions, TransformerOptions):
    """Models of any type that AutoModel loads, and the ALBERT that the project pretrains itself."""

    models: Several[str]
    """Checkpoints that AutoModel loads: hub names or directories; scratch: random weights of the sizes given; small: an
    ALBERT of that --width which the project pretrains itself, a job of the sweep."""

    def check_models(self) -> None:
        """Refuse also small without a tokenizer or a width, and layers for it, which are --pretrain-depth.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        super().check_models()
        if SMALL in self.models:
            remedy = "a directory, a hub name, or builtin with the model small"
            require(self.tokenizer is not None, "tokenizer", self.tokenizer, remedy)
            require(self.width is not None, "width", self.width, "the model small's")
            fine = self.layers is None or SCRATCH in self.models
            require(fine, "layers", self.layers, "none: the model small has those of --pretrain-depth")
