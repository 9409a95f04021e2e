"""Which network a job works on: the fields that name one DeepBert. Imports no torch, since plans import it."""

from dataclasses import dataclass
from typing import Literal

Norm = Literal["pre", "post"]
Scheme = Literal["vanilla", "xavier", "dslm"]
Activation = Literal["relu", "gelu"]
SCHEMES: tuple[Scheme, ...] = ("vanilla", "xavier", "dslm")


@dataclass(frozen=True, kw_only=True)
class DeepBertParams:
    """A network at its beginning. Vocabulary and longest sequence come from the data."""

    norm: Norm
    """`pre` or `post`: where the LayerNorms stand (dslm 2.1)."""
    scheme: Scheme
    """How weights are drawn: `vanilla` N(0, 0.02^2), `xavier`, or `dslm` (DeepScaleLM), which also scales the residual
    stream (dslm 2.2)."""
    layers: int = 12
    width: int = 768
    heads: int = 12
    intermediate: int = 0
    """Width of the MLP; 0: four times the width."""
    activation: Activation = "relu"
    """Of the MLPs; the published runs have ReLU."""
    dropout: float = 0.1
    attention_dropout: float = 0.1
    branch_k: float = 2.0
    """Of `dslm`: beta^2 = branch_k / layers^branch_alpha, lambda^2 = 1 - beta^2."""
    branch_alpha: float = 1.0
    correlation: float | None = None
    """Of `dslm`: correlation of two tokens' embeddings before dropout; None: from the data's statistics. The published
    code has 0.221."""
    legacy_logit_scale: bool = False
    """Of `dslm`: the published factor 1/sqrt(0.3 H) before the decoder whatever the dropout and the tables; the default
    gives logits of variance 1 (dslm 5, quirk 11)."""
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.norm not in ("pre", "post"):
            raise ValueError(f"norm is {self.norm!r}; choose pre or post")
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme is {self.scheme!r}; choose {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
        if self.activation not in ("relu", "gelu"):
            raise ValueError(f"activation is {self.activation!r}; choose relu or gelu")
        for name in ("layers", "width", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")
        if self.intermediate < 0:
            raise ValueError(f"intermediate is {self.intermediate}; expected at least 1, or 0 for four times the width")
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a share, 0 or more and below 1")
        if self.scheme == "dslm" and not 0 < self.branch_k < self.layers**self.branch_alpha:
            raise ValueError(
                f"beta^2 = {self.branch_k:g} / {self.layers}^{self.branch_alpha:g} is not between 0 and 1; "
                "give a smaller branch_k, or more layers"
            )
        if self.correlation is not None and not 0 < self.correlation <= 1:
            raise ValueError(f"correlation is {self.correlation}; expected above 0 and at most 1, or None")

    @property
    def mlp_width(self) -> int:
        return self.intermediate or 4 * self.width

    @property
    def variant(self) -> str:
        """`post-LN dslm`, in words for figures."""
        return f"{self.norm}-LN {self.scheme}"
