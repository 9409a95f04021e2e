"""GLUE score against 1-100 ALBERT layers: frozen or finetuned, pretrained or random encoders.

After Inoue et al., Transient Chaos in BERT (2022), with the defects of the published code mended. All depths of a
frozen encoder come from one pass; their heads are trained together. Nothing enters this folder that another experiment
needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.plan import TOKENS
from tasks.transient_chaos.glue_depth.config import PRESETS, Config
from tasks.transient_chaos.glue_depth.plan import plan
from tasks.transient_chaos.glue_depth.stages import FINETUNED, FROZEN

EXPERIMENT = Experiment(
    name="glue_depth",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, FROZEN, FINETUNED),
    plan=plan,
    reduce="tasks.transient_chaos.glue_depth.reduce:summarise",
)
