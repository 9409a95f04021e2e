"""Signal propagation: variance of stream and gradient through depth, measured in one pass, against whole-model theory.

After Kedia et al., Transformers Get Stable (ICML 2024); README 2 says what was published and what is corrected. Nothing
enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.deepscale.pretraining_text.plan import DOCUMENTS
from tasks.deepscale.signal_propagation.config import PRESETS, Config
from tasks.deepscale.signal_propagation.plan import plan
from tasks.deepscale.signal_propagation.stages import DEPTH_RULE, SIGNALS

EXPERIMENT = Experiment(
    name="signal_propagation",
    config=Config,
    presets=PRESETS,
    stages=(DOCUMENTS, SIGNALS, DEPTH_RULE),
    plan=plan,
    reduce="tasks.deepscale.signal_propagation.reduce:summarise",
)
