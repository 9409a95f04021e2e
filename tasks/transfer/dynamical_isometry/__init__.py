"""Dynamical isometry: singular values of the Jacobians between levels of pretrained and random encoders.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended:
the token shift is applied, dropout is off for both, structurally null values stand apart, and so do the blocks of the
output's own position. Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.dynamical_isometry.config import PRESETS, Config
from tasks.transfer.dynamical_isometry.params import JACOBIAN_SPECTRA
from tasks.transfer.dynamical_isometry.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transfer.dynamical_isometry.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="dynamical_isometry",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, JACOBIAN_SPECTRA),
    plan=plan,
    reduce=reduce,
)
