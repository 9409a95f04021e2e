"""The parameters that say which encoder a job works on. Light on purpose (no torch): plans import it."""

from dataclasses import dataclass
from typing import Literal

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
class EncoderParams:
    """One encoder. The parameters of stages that work on one inherit it."""

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
    init_range: float | None = None
    """Standard deviation of random weights; None: the architecture's initializer_range, 0.02 in every ALBERT."""
    encoder_seed: int | None = None
    """Seed of random weights; None when pretrained."""
    width: int | None = None
    """Hidden size H of a `scratch` model; None otherwise (the checkpoint says it)."""
    heads: int | None = None
    """Attention heads of a `scratch` model; None: H/64, at least 1."""
    intermediate: int | None = None
    """Feed-forward width of a `scratch` model; None: 4 H."""
    embedding: int | None = None
    """Embedding width of a `scratch` model; None: 128."""
    tokenizer: str
    """Identity of the tokenizer that made the tokens."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the weights and of what is computed from them."""

    def __post_init__(self):
        for name in ("width", "heads", "intermediate", "embedding"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "1 or more, or None")
        random = self.encoder == "random"
        if not random:  # else the same work would have two identities
            object.__setattr__(self, "init_style", None)
            object.__setattr__(self, "init_range", None)
        require((self.encoder_seed is not None) == random, "encoder_seed", self.encoder_seed, "a seed iff random")
        ranged = self.init_style in RANGED_STYLES
        fine = self.init_range is None or (self.init_range > 0 and ranged)
        require(fine, "init_range", self.init_range, f"more than 0 with {' or '.join(RANGED_STYLES)}, else None")
        require(not random or self.init_style is not None, "init_style", self.init_style, "how weights are drawn")
        scratch = self.is_scratch
        require(random or not scratch, "encoder", self.encoder, "random with model scratch")
        require((self.width is not None) == scratch, "width", self.width, "a number iff the model is scratch")
        for name in ("heads", "intermediate", "embedding"):
            value = getattr(self, name)
            require(scratch or value is None, name, value, "None unless the model is scratch")

    @property
    def is_scratch(self) -> bool:
        """Whether sizes describe the model. A directory may have that name too; it has a revision."""
        return self.model == SCRATCH and not self.revision

    @property
    def is_small(self) -> bool:
        """Whether the project pretrains the model itself."""
        return self.model == SMALL and self.revision.startswith(JOB)


def require(fine: bool, name: str, value: object, remedy: str) -> None:
    """Raise a ValueError that names the parameter, its value and the remedy, unless it is fine."""
    if not fine:
        raise ValueError(f"{name} is {value!r}; give {remedy}")
