"""Gradient confusion: how alike the gradients of batches are, of pretrained and of random encoders.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended
(README 2). Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.gradient_confusion.config import PRESETS, Config
from tasks.transfer.gradient_confusion.plan import plan
from tasks.transfer.gradient_confusion.stages import CONFUSION

EXPERIMENT = Experiment(
    name="gradient_confusion",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, CONFUSION),
    plan=plan,
    reduce="tasks.transfer.gradient_confusion.reduce:summarise",
)
