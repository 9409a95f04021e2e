"""Gradient confusion: how alike the gradients of different batches are, of pretrained and of random encoders.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended.
Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.gradient_confusion.config import PRESETS, Config
from tasks.transfer.gradient_confusion.params import CONFUSION
from tasks.transfer.gradient_confusion.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transfer.gradient_confusion.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="gradient_confusion",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, CONFUSION),
    plan=plan,
    reduce=reduce,
)
