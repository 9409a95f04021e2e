"""Heads that fail to learn alone: whether several of them learn to copy together, and whether a good one helps.

After section 5.2 of Snell, Zhong, Klein & Steinhardt, Approximating How Single Head Attention Learns (2021). Nothing
enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.attention.multihead_copying.config import PRESETS, Config
from tasks.attention.multihead_copying.plan import plan
from tasks.attention.multihead_copying.stages import COMBINE_HEADS, SCREEN_HEADS

EXPERIMENT = Experiment(
    name="multihead_copying",
    config=Config,
    presets=PRESETS,
    stages=(SCREEN_HEADS, COMBINE_HEADS),
    plan=plan,
    reduce="tasks.attention.multihead_copying.reduce:summarise",
)
