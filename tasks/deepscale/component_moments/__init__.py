"""Component moments: closed forms of what each part of a Transformer does to moments, against simulation.

After Kedia et al., Transformers Get Stable (ICML 2024); README 1 says what is corrected. Nothing enters this folder
that another experiment needs; closed forms are in `metrics`.
"""

from orchestrator.experiment import Experiment
from tasks.deepscale.component_moments.config import PRESETS, Config
from tasks.deepscale.component_moments.plan import plan
from tasks.deepscale.component_moments.stages import MOMENTS_STAGE

EXPERIMENT = Experiment(
    name="component_moments",
    config=Config,
    presets=PRESETS,
    stages=(MOMENTS_STAGE,),
    plan=plan,
    reduce="tasks.deepscale.component_moments.reduce:summarise",
)
