"""Heads that fail to learn alone: whether several of them learn to copy together, and whether a good one helps.

After section 5.2 of Snell, Zhong, Klein & Steinhardt, Approximating How Single Head Attention Learns (2021). Nothing
enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.attention.multihead_copying.config import PRESETS, Config
from tasks.attention.multihead_copying.params import COMBINE_HEADS, SCREEN_HEADS
from tasks.attention.multihead_copying.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.attention.multihead_copying.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="multihead_copying",
    config=Config,
    presets=PRESETS,
    stages=(SCREEN_HEADS, COMBINE_HEADS),
    plan=plan,
    reduce=reduce,
)
