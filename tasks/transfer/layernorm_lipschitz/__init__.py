"""LayerNorm spread: by how much every LayerNorm of pretrained and random encoders divides its input.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended
(README 4). Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.layernorm_lipschitz.config import PRESETS, Config
from tasks.transfer.layernorm_lipschitz.plan import plan
from tasks.transfer.layernorm_lipschitz.stages import LAYERNORM_SPREAD

EXPERIMENT = Experiment(
    name="layernorm_lipschitz",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, LAYERNORM_SPREAD),
    plan=plan,
    reduce="tasks.transfer.layernorm_lipschitz.reduce:summarise",
)
