"""Component moments: closed forms of what each part of a Transformer does to moments, against simulation.

After Kedia et al., Transformers Get Stable (ICML 2024), with the defects of the published simulations mended (dslm 1).
Nothing enters this folder that another experiment needs; closed forms are in `metrics`.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.deepscale.component_moments.config import PRESETS, Config
from tasks.deepscale.component_moments.params import MOMENTS_STAGE
from tasks.deepscale.component_moments.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.deepscale.component_moments.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="component_moments",
    config=Config,
    presets=PRESETS,
    stages=(MOMENTS_STAGE,),
    plan=plan,
    reduce=reduce,
)
