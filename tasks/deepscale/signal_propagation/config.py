"""The options of `signal_propagation` and its presets; `paper` is the published setting (dslm 2.1)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.deepscale.deep_bert.params import Activation, Norm, Scheme
from tasks.deepscale.signal_propagation.params import Source
from tasks.encoders.options import at_least, distinct


@dataclass(frozen=True, kw_only=True)
class Config:
    """How do variances of the stream and of its gradient change through depth, and does the theory say so?"""

    norms: tuple[Norm, ...] = ("pre", "post")
    """Where the LayerNorms stand."""
    schemes: tuple[Scheme, ...] = ("vanilla", "xavier", "dslm")
    """How weights are drawn: vanilla (0.02 everywhere), xavier, dslm (DeepScaleLM, which scales the residual too)."""
    depths: Ints = (192,)
    """Numbers of layers. The published headline is 1,000."""
    sources: tuple[Source, ...] = ("text", "zipf")
    """What goes in: text (the corpus), zipf or uniform (random tokens)."""
    seeds: Ints = (0, 1, 2, 3, 4)
    """Of weights, sequences, masked pieces and dropout; a seed is a network and a batch."""
    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    tokenizer: str = "google-bert/bert-base-uncased"
    """A hub name, a directory, or builtin."""
    document_limit: int | None = 20_000
    """Read no more than so many documents; a batch needs few."""
    length: int = 256
    """Tokens of a sequence, special ones and padding included."""
    batch: int = 8
    """Sequences."""
    vocab_size: int = 30_592
    """Rows of the word table, and ids of random tokens. Published: BERT's 30,522 padded to a multiple of 128."""
    width: int = 1024
    """Hidden size."""
    heads: int = 16
    """Attention heads."""
    intermediate: int = 0
    """Width of the MLPs; 0: four times the width."""
    activation: Activation = "relu"
    """Of the MLPs. Published: relu."""
    dropout: float = 0.1
    """Of embeddings and branches."""
    attention_dropout: float = 0.1
    """Of attention probabilities."""
    branch_k: float = 0.96
    """Of dslm: beta^2 = branch-k / layers^branch-alpha. Published: 0.005 for 192 layers, which is this k."""
    branch_alpha: float = 1.0
    """See branch-k."""
    correlation: float | None = None
    """Of dslm: correlation of two tokens' embeddings before dropout; None: from the data. Published: 0.221."""
    rule_depths: Ints = (12, 24, 48, 96, 192, 384, 768, 1536)
    """Depths that only the theory goes through, for the rule of depth."""
    rule_ks: tuple[float, ...] = (0.5, 0.96)
    """k of beta^2 = k / layers^alpha there; below 1."""
    rule_alphas: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)
    """alpha there."""
    rule_dropouts: tuple[float, ...] = (0.0, 0.1)
    """Dropouts there."""
    rule_correlations: tuple[float, ...] = (0.221,)
    """Correlations of embeddings there."""
    rule_top_correlations: tuple[float, ...] = (0.0, 0.9)
    """Correlations of the gradient at the top there: 0 as masked words give it, 0.9 as one label a text does."""
    legacy_padding: bool = False
    """Count padding into the moments, as published."""
    legacy_logit_scale: bool = False
    """Of dslm: the published factor before the decoder, right for a dropout of 0.1 alone."""

    def __post_init__(self):
        for name in ("norms", "schemes", "depths", "sources", "seeds"):
            distinct(self, name)
        rule = ("rule_ks", "rule_alphas", "rule_dropouts", "rule_correlations", "rule_top_correlations")
        if self.rule_depths:
            for name in ("rule_depths", *rule):
                distinct(self, name)
        for name in ("length", "batch", "vocab_size", "width", "heads"):
            at_least(self, name, 1)
        for name in ("depths", "rule_depths"):
            if values := [depth for depth in getattr(self, name) if depth < 1]:
                raise ValueError(f"{name.replace('_', '-')} has {values[0]}: give 1 or more")
        for name, low, high in (
            ("rule_ks", 0.0, 1.0),
            ("rule_alphas", -1e-9, 10.0),
            ("rule_dropouts", -1e-9, 1.0),
            ("rule_correlations", 0.0, 1.0),
            ("rule_top_correlations", -1e-9, 1.0),
        ):
            if values := [value for value in getattr(self, name) if not low < value < high]:
                raise ValueError(
                    f"{name.replace('_', '-')} has {values[0]}: give values from {max(low, 0):g} to {high:g}"
                )


_SMALL = {
    "corpus": "builtin",
    "tokenizer": "builtin",
    "document_limit": None,
    "vocab_size": 4096,
    "width": 64,
    "heads": 4,
    "length": 64,
}
PRESETS = {
    "paper": Config(),
    "legacy": Config(
        schemes=("xavier", "dslm"),
        sources=("text",),
        seeds=(1234,),
        correlation=0.221,
        legacy_padding=True,
        legacy_logit_scale=True,
        rule_depths=(),
    ),
    "deep": Config(**_SMALL, depths=(1000,), batch=4, rule_depths=()),
    "quick": Config(
        **_SMALL, depths=(48,), seeds=(0, 1, 2), batch=8, rule_depths=(12, 24, 48, 96, 192), rule_ks=(0.5,)
    ),
}
