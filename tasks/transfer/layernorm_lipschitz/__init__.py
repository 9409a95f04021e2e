"""LayerNorm spread: how much every LayerNorm of pretrained and random encoders divides its input by.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended:
padding is left out, dropout is off, pretrained gains count. Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.layernorm_lipschitz.config import PRESETS, Config
from tasks.transfer.layernorm_lipschitz.params import LAYERNORM_SPREAD
from tasks.transfer.layernorm_lipschitz.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transfer.layernorm_lipschitz.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="layernorm_lipschitz",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, LAYERNORM_SPREAD),
    plan=plan,
    reduce=reduce,
)
