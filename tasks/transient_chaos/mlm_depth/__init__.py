"""Masked-language-model readout against depth: accuracy and perplexity of 1-24 ALBERT layers, the encoder frozen.

After Inoue et al., Transient Chaos in BERT (2022), with the defects of the published code mended. The readouts of all
depths are trained together while each batch passes the encoder once. Nothing enters this folder that another experiment
needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.mlm_depth.config import PRESETS, Config
from tasks.transient_chaos.mlm_depth.params import MLM_FROZEN
from tasks.transient_chaos.mlm_depth.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transient_chaos.mlm_depth.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="mlm_depth",
    config=Config,
    presets=PRESETS,
    stages=(BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, MLM_FROZEN),
    plan=plan,
    reduce=reduce,
)
