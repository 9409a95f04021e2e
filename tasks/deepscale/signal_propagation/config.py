"""The options of `signal_propagation` and its presets; `paper` is the published setting (README 2)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from orchestrator.limits import Distinct, Limited, Positive, Probability, Several
from orchestrator.options import Ints
from tasks.deepscale.deep_bert.params import Network, Norm, Scheme
from tasks.deepscale.pretraining_text.plan import MIN_LENGTH, DocumentLimit
from tasks.encoders.options import SeveralInts

Source = Literal["text", "zipf", "uniform"]


@dataclass(frozen=True, kw_only=True)
class Batch(Limited):
    """The one batch that goes through a network."""

    length: Annotated[int, Ge(MIN_LENGTH)] = 256
    """Tokens of a sequence, special tokens and padding included."""
    batch: Positive = 8
    """Batch size in sequences."""
    vocab_size: Positive | None = 30_592
    """Rows of the word embedding matrix, and number of random tokens; None: the size of the tokenizer's vocabulary.
    Published: BERT's 30,522 padded to a multiple of 128."""


@dataclass(frozen=True, kw_only=True)
class Padding(Limited):
    """What the moments are of."""

    legacy_padding: bool = False
    """Count padding into the moments, as published."""


@dataclass(frozen=True, kw_only=True)
class Config(Padding, Batch, Network, DocumentLimit):
    """How do variances of the stream and of its gradient change through depth, and does the theory say so?"""

    norms: Several[Norm] = ("pre", "post")
    """Where the LayerNorms stand."""
    schemes: Several[Scheme] = ("vanilla", "xavier", "dslm")
    """Initialisation: vanilla (0.02 everywhere), xavier, dslm (DeepScaleLM, which scales the residual stream too)."""
    depths: Annotated[SeveralInts, Ge(1)] = (192,)
    """Numbers of layers. The published headline is 1,000."""
    sources: Several[Source] = ("text", "zipf")
    """Input: text (the corpus), zipf or uniform (random tokens of that law)."""
    seeds: SeveralInts = (0, 1, 2, 3, 4)
    """Random seeds of weights, sequences, masked tokens and dropout; a seed is a network and a batch."""
    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    tokenizer: str = "google-bert/bert-base-uncased"
    """Tokenizer: a hub name, a directory, or builtin."""
    rule_depths: Annotated[Ints, Ge(1), Distinct()] = (12, 24, 48, 96, 192, 384, 768, 1536)
    """Depths at which the theory alone is evaluated, for the rule of depth."""
    rule_ks: Annotated[Several[float], Gt(0), Lt(1)] = (0.5, 0.96)
    """Values of k in beta^2 = k / layers^alpha, for the rule of depth."""
    rule_alphas: Annotated[Several[float], Ge(0), Lt(10)] = (0.0, 0.5, 1.0, 1.5, 2.0)
    """Values of alpha, for the rule of depth."""
    rule_dropouts: Several[Probability] = (0.0, 0.1)
    """Dropout rates, for the rule of depth."""
    rule_correlations: Annotated[Several[float], Gt(0), Lt(1)] = (0.221,)
    """Correlations of two tokens' embeddings, for the rule of depth."""
    rule_top_correlations: Several[Probability] = (0.0, 0.9)
    """Correlations of the gradient at the top, for the rule of depth: 0 as masked tokens give it, 0.9 as one label a
    text does."""


_K = 0.96  # beta^2 = 0.005 for 192 layers, as published
_PUBLISHED = {
    "document_limit": 20_000,  # a batch needs few
    "width": 1024,
    "heads": 16,
    "branch_k": _K,
}
_SMALL = {
    "corpus": "builtin",
    "tokenizer": "builtin",
    "vocab_size": 4096,
    "width": 64,
    "heads": 4,
    "length": 64,
    "branch_k": _K,
}
PRESETS = {
    "paper": Config(**_PUBLISHED),
    "legacy": Config(
        **_PUBLISHED,
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
