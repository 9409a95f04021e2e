"""Signal propagation: variance of stream and gradient through depth, measured in one pass, against whole-model theory.

After Kedia et al., Transformers Get Stable (2024), which draws predictions through measured ends; here they are the
recursion of moments. Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.deepscale.pretraining_text.plan import DOCUMENTS
from tasks.deepscale.signal_propagation.config import PRESETS, Config
from tasks.deepscale.signal_propagation.params import DEPTH_RULE, SIGNALS
from tasks.deepscale.signal_propagation.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.deepscale.signal_propagation.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="signal_propagation",
    config=Config,
    presets=PRESETS,
    stages=(DOCUMENTS, SIGNALS, DEPTH_RULE),
    plan=plan,
    reduce=reduce,
)
