"""Attention heads of a text encoder, its random twin and PLUS on proteins: which of them do alike, layer by layer.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended:
valid positions only, no dropout, and the null of shuffled heads beside every value. Nothing enters this folder that
another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.attention_matching.config import PRESETS, Config
from tasks.transfer.attention_matching.plan import plan
from tasks.transfer.attention_matching.stages import MATCHING
from tasks.transfer.comparison.plan import PLUS_REPORT, PRETRAIN_PLUS
from tasks.transfer.proteins.stages import PROTEIN_DATA

EXPERIMENT = Experiment(
    name="attention_matching",
    config=Config,
    presets=PRESETS,
    stages=(BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, PROTEIN_DATA, PRETRAIN_PLUS, PLUS_REPORT, MATCHING),
    plan=plan,
    reduce="tasks.transfer.attention_matching.reduce:summarise",
)
