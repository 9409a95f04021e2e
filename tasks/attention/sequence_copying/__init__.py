"""Copying sequences: what a model learns to attend to when bags of words tell something, and when they tell nothing.

After Snell, Zhong, Klein & Steinhardt, Approximating How Single Head Attention Learns (2021). Nothing enters this
folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.attention.sequence_copying.config import PRESETS, Config
from tasks.attention.sequence_copying.plan import plan
from tasks.attention.sequence_copying.stages import TRAIN_COPIES

EXPERIMENT = Experiment(
    name="sequence_copying",
    config=Config,
    presets=PRESETS,
    stages=(TRAIN_COPIES,),
    plan=plan,
    reduce="tasks.attention.sequence_copying.reduce:summarise",
)
