"""Which encoder of the BERT family a job works on, and the options that say so. Light on purpose (no torch)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.limits import Limited, Positive, Several, require
from tasks.encoders.options import PretrainOptions
from tasks.encoders.params import JOB, SCRATCH, SMALL, EncoderSizes, Precision, TokenisedText

Architecture = Literal["albert", "bert", "distilbert", "roberta"]
Weights = Literal["pretrained", "finetuned", "random"]
SIZES = ("architecture", "layers", "width", "heads", "intermediate", "embedding")


@dataclass(frozen=True, kw_only=True)
class TransformerWeights(Limited):
    """Where the weights of an encoder come from."""

    model: str
    """Hub name or directory name of the checkpoint that names the encoder, `scratch`, or `small`."""
    checkpoint: str = ""
    """Hub name or directory name of the fine-tuned checkpoint that was given beside it; else empty."""
    revision: str = ""
    """Commit or content hash of the weights that are read (`context.paths["model"]`, or the hub); `job-` and the id of
    the job that trained them (`context.needs["model"]`); empty for random weights of `scratch`."""
    encoder: Weights
    """Whether the weights are the checkpoint's, those after fine-tuning, or drawn for its architecture."""
    encoder_seed: int | None = None
    """Seed of random weights; of an encoder that the sweep fine-tunes, the seed of that training; else None."""
    architecture: Architecture | None = None
    """Type of a `scratch` model; None otherwise, as all sizes are (the checkpoint says them)."""
    layers: Positive | None = None
    """Number of layers of a `scratch` model."""


@dataclass(frozen=True, kw_only=True)
class TransformerParams(Precision, TokenisedText, EncoderSizes, TransformerWeights):
    """One encoder of the BERT family. The parameters of stages that work on one inherit it."""

    def __post_init__(self):
        super().__post_init__()
        scratch = self.is_scratch
        require(not scratch or self.encoder != "pretrained", "encoder", self.encoder, "random or finetuned for scratch")
        for name in ("architecture", "layers"):
            value = getattr(self, name)
            require((value is not None) == scratch, name, value, "a value iff the model is scratch")
        self.check_sizes(scratch)
        made = self.encoder == "random" or (self.is_made and not self.is_small)
        require((self.encoder_seed is not None) == made, "encoder_seed", self.encoder_seed, "a seed iff made here")
        given = self.encoder == "finetuned" and not self.is_made
        require(given or not self.checkpoint, "checkpoint", self.checkpoint, "one for a given finetuned encoder only")
        trained = self.encoder == "finetuned" or self.is_small
        require(not self.is_made or trained, "revision", self.revision, "a job's iff finetuned or small")

    @property
    def is_made(self) -> bool:
        """Whether a job of the sweep trained the weights."""
        return self.revision.startswith(JOB)

    @property
    def is_small(self) -> bool:
        """Whether the project pretrains the model itself."""
        return self.model == SMALL and self.is_made

    @property
    def is_scratch(self) -> bool:
        """Whether sizes describe the model. A directory may have that name too; it has a revision of its own."""
        return self.model == SCRATCH and (not self.revision or self.is_made)


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
