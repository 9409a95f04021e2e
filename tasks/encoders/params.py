"""The parameters that say which encoder a job works on. Light on purpose (no torch): plans import it."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.limits import AboveZero, Limited, Positive, require

SCRATCH = "scratch"
"""The model name of an ALBERT that is described by its sizes; it has random weights only."""
SMALL = "small"
"""The model name of the ALBERT that the project pretrains itself; the job that made it is needed as `model`."""
JOB = "job-"
"""What the revision of `small` begins with; the rest is the id of the job that pretrained it."""

Encoder = Literal["pretrained", "random"]
InitStyle = Literal["hf_default", "keras", "glue_legacy", "mlm_legacy", "dump_legacy"]
RANGED_STYLES = ("hf_default", "keras")
"""The styles whose standard deviation may be set: that of the others is part of what was published."""


@dataclass(frozen=True, kw_only=True)
class EncoderSizes(Limited):
    """Sizes of a model that no checkpoint describes."""

    width: Positive | None = None
    """Hidden size H of the model scratch or small: 768, 1024, 4096 are ALBERT base, large, xxlarge; 2048 with 16 heads
    xlarge."""
    heads: Positive | None = None
    """Number of attention heads of that model; None: H/64, at least 1."""
    intermediate: Positive | None = None
    """Feed-forward size of that model; None: 4 H."""
    embedding: Positive | None = None
    """Embedding size of that model (ALBERT only); None: 128."""

    def check_sizes(self, scratch: bool) -> None:
        """Refuse the model scratch without a width, and sizes for another model.

        Raises:
            ValueError: with the size's name.
        """
        require((self.width is not None) == scratch, "width", self.width, "a number iff the model is scratch")
        for name in ("heads", "intermediate", "embedding"):
            value = getattr(self, name)
            require(scratch or value is None, name, value, "None unless the model is scratch")


@dataclass(frozen=True, kw_only=True)
class Precision(Limited):
    """Floating-point precision."""

    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the weights and of what is computed from them."""


@dataclass(frozen=True, kw_only=True)
class TokenisedText(Limited):
    """Which tokens are read."""

    tokenizer: str
    """Identity of the tokenizer that made the tokens."""


@dataclass(frozen=True, kw_only=True)
class AlbertWeights(Limited):
    """Where the weights of an ALBERT come from."""

    model: str
    """Hub name or directory name of the checkpoint (its place is in `context.paths["model"]`), `scratch`, or `small`
    (its directory is `context.needs["model"]`)."""
    revision: str = ""
    """Commit or content hash of the checkpoint; `job-` and the id of the job that pretrained `small`; empty for
    `scratch`."""
    encoder: Encoder
    """Whether the weights are the checkpoint's, or drawn anew for its architecture."""
    init_style: InitStyle | None = None
    """How random weights are drawn (`models.albert.random_albert`); set to None when pretrained."""
    init_range: AboveZero | None = None
    """Standard deviation of random weights; None: the architecture's initializer_range, 0.02 in every ALBERT."""
    encoder_seed: int | None = None
    """Seed of random weights; None when pretrained."""


@dataclass(frozen=True, kw_only=True)
class EncoderParams(Precision, TokenisedText, EncoderSizes, AlbertWeights):
    """One ALBERT. The parameters of stages that work on one inherit it; sizes are those of `scratch`, else None."""

    def __post_init__(self):
        super().__post_init__()
        random = self.encoder == "random"
        if not random:  # else the same work would have two identities
            object.__setattr__(self, "init_style", None)
            object.__setattr__(self, "init_range", None)
        require((self.encoder_seed is not None) == random, "encoder_seed", self.encoder_seed, "a seed iff random")
        fine = self.init_range is None or self.init_style in RANGED_STYLES
        require(fine, "init_range", self.init_range, f"none, or the init style {' or '.join(RANGED_STYLES)}")
        require(not random or self.init_style is not None, "init_style", self.init_style, "how weights are drawn")
        scratch = self.is_scratch
        require(random or not scratch, "encoder", self.encoder, "random with model scratch")
        self.check_sizes(scratch)

    @property
    def is_scratch(self) -> bool:
        """Whether sizes describe the model. A directory may have that name too; it has a revision."""
        return self.model == SCRATCH and not self.revision

    @property
    def is_small(self) -> bool:
        """Whether the project pretrains the model itself."""
        return self.model == SMALL and self.revision.startswith(JOB)
