"""Dynamical isometry: singular values of the Jacobians between levels of pretrained and random encoders.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended
(README 1). Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.dynamical_isometry.config import PRESETS, Config
from tasks.transfer.dynamical_isometry.plan import plan
from tasks.transfer.dynamical_isometry.stages import JACOBIAN_SPECTRA

EXPERIMENT = Experiment(
    name="dynamical_isometry",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, JACOBIAN_SPECTRA),
    plan=plan,
    reduce="tasks.transfer.dynamical_isometry.reduce:summarise",
)
