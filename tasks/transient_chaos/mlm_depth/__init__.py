"""Masked-language-model readout against depth: accuracy and perplexity of 1-24 ALBERT layers, the encoder frozen.

After Inoue et al., Transient Chaos in BERT (2022), with the defects of the published code mended (README 4). The
readouts of all depths are trained together while each batch passes the encoder once.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.mlm_depth.config import PRESETS, Config
from tasks.transient_chaos.mlm_depth.plan import plan
from tasks.transient_chaos.mlm_depth.stages import MLM_FROZEN

EXPERIMENT = Experiment(
    name="mlm_depth",
    config=Config,
    presets=PRESETS,
    stages=(BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, MLM_FROZEN),
    plan=plan,
    reduce="tasks.transient_chaos.mlm_depth.reduce:summarise",
)
