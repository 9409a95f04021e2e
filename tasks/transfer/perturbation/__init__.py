"""Parameter perturbation: how far the first token's state moves when all weights get a little noise.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended
(README 3). Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.perturbation.config import PRESETS, Config
from tasks.transfer.perturbation.plan import plan
from tasks.transfer.perturbation.stages import PERTURBATION

EXPERIMENT = Experiment(
    name="perturbation",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, PERTURBATION),
    plan=plan,
    reduce="tasks.transfer.perturbation.reduce:summarise",
)
