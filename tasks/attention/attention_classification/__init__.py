"""Which words the attention of a document classifier learns: checkpoints of many runs, proxies, agreement.

After Snell et al., Approximating How Single Head Attention Learns (2021); README 1. Nothing enters this folder that
another experiment needs; what translation shares is in `tasks.attention.learning`.
"""

from orchestrator.experiment import Experiment
from tasks.attention.attention_classification.config import PRESETS, Config
from tasks.attention.attention_classification.plan import plan
from tasks.attention.attention_classification.stages import STAGES
from tasks.attention.learning.plan import ATTENTION_STATISTICS
from tasks.attention.texts.plan import TEXT_REPORT, TEXT_TOKENS

EXPERIMENT = Experiment(
    name="attention_classification",
    config=Config,
    presets=PRESETS,
    stages=(TEXT_TOKENS, TEXT_REPORT, *STAGES, ATTENTION_STATISTICS),
    plan=plan,
    reduce="tasks.attention.attention_classification.reduce:summarise",
)
