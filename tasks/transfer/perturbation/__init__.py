"""Parameter perturbation: how far the first token's state moves when all weights get a little noise.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended.
Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.perturbation.config import PRESETS, Config
from tasks.transfer.perturbation.params import PERTURBATION
from tasks.transfer.perturbation.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transfer.perturbation.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="perturbation",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, PERTURBATION),
    plan=plan,
    reduce=reduce,
)
