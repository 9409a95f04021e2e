"""Which words the attention of a document classifier learns: checkpoints of many runs, proxies, agreement.

After "Approximating How Single Head Attention Learns" (Snell et al., 2021), classification. Nothing enters this folder
that another experiment needs; what translation shares is in `tasks/attention/learning`.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.attention.attention_classification.config import PRESETS, Config
from tasks.attention.attention_classification.params import (
    CLASSIFIER_DELTA,
    EMBEDDING_PROXY,
    EVALUATE_CLASSIFIER,
    LOGISTIC_PROXY,
    TRAIN_CLASSIFIER,
)
from tasks.attention.attention_classification.plan import plan
from tasks.attention.learning.params import ATTENTION_STATISTICS
from tasks.attention.texts.plan import TEXT_REPORT, TEXT_TOKENS


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.attention.attention_classification.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="attention_classification",
    config=Config,
    presets=PRESETS,
    stages=(
        TEXT_TOKENS,
        TEXT_REPORT,
        TRAIN_CLASSIFIER,
        EVALUATE_CLASSIFIER,
        CLASSIFIER_DELTA,
        EMBEDDING_PROXY,
        LOGISTIC_PROXY,
        ATTENTION_STATISTICS,
    ),
    plan=plan,
    reduce=reduce,
)
