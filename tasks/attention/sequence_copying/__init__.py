"""Copying sequences: what a model learns to attend to when bags of words tell something, and when they tell nothing.

After Snell, Zhong, Klein & Steinhardt, Approximating How Single Head Attention Learns (2021). Nothing enters this
folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.attention.sequence_copying.config import PRESETS, Config
from tasks.attention.sequence_copying.params import TRAIN_COPIES
from tasks.attention.sequence_copying.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.attention.sequence_copying.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="sequence_copying",
    config=Config,
    presets=PRESETS,
    stages=(TRAIN_COPIES,),
    plan=plan,
    reduce=reduce,
)
