"""ALBERT as an iterated map: Lyapunov spectrum, chaos length, token synchronisation, effective dimension.

After Inoue et al., Transient Chaos in BERT (2022), see README 5, 6 and 7: pretrained against random networks, one pass
over the sentences for everything that is measured.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.chaos.config import PRESETS, Config
from tasks.transient_chaos.chaos.plan import plan
from tasks.transient_chaos.chaos.stages import CHAOS_LONG, CHAOS_SWEEP
from tasks.transient_chaos.sentences import SENTENCES

EXPERIMENT = Experiment(
    name="chaos",
    config=Config,
    presets=PRESETS,
    stages=(SENTENCES, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, CHAOS_SWEEP, CHAOS_LONG),
    plan=plan,
    reduce="tasks.transient_chaos.chaos.reduce:summarise",
)
