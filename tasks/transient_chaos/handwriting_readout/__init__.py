"""Two letters read out of the states of all windows of ALBERT layers by least squares: the reconstruction error.

After Inoue et al., Transient Chaos in BERT (2022), see README 8: an encoder that keeps its inputs apart for many layers
can write a letter that the input's label chooses. All windows of an encoder share one pass and the sums over its
layers.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.handwriting_readout.config import PRESETS, Config
from tasks.transient_chaos.handwriting_readout.plan import plan
from tasks.transient_chaos.handwriting_readout.stages import HANDWRITING

EXPERIMENT = Experiment(
    name="handwriting_readout",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, HANDWRITING),
    plan=plan,
    reduce="tasks.transient_chaos.handwriting_readout.reduce:summarise",
)
