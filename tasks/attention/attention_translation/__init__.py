"""How one attention head learns to translate: checkpoints, word relevance, agreement, against uniform and bag models.

After Snell et al., Approximating How Single Head Attention Learns (2021). Nothing enters this folder that another
experiment needs; what classification and translation share is in `tasks.attention.learning`.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.attention.attention_translation.config import PRESETS, Config
from tasks.attention.attention_translation.params import (
    EVALUATE_TRANSLATOR,
    TRAIN_TRANSLATOR,
    TRANSLATION_PROXY,
    TRANSLATOR_DELTA,
)
from tasks.attention.attention_translation.plan import plan
from tasks.attention.learning.params import ATTENTION_STATISTICS
from tasks.attention.pairs.plan import PAIR_REPORT, SUBWORD_PAIRS


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.attention.attention_translation.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="attention_translation",
    config=Config,
    presets=PRESETS,
    stages=(
        SUBWORD_PAIRS,
        PAIR_REPORT,
        TRAIN_TRANSLATOR,
        EVALUATE_TRANSLATOR,
        TRANSLATOR_DELTA,
        TRANSLATION_PROXY,
        ATTENTION_STATISTICS,
    ),
    plan=plan,
    reduce=reduce,
)
