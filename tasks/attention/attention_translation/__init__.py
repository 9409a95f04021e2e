"""How one attention head learns to translate: checkpoints, word relevance, agreement, against uniform and bag models.

After Snell et al., Approximating How Single Head Attention Learns (2021); README 2. Nothing enters this folder that
another experiment needs; what classification shares is in `tasks.attention.learning`.
"""

from orchestrator.experiment import Experiment
from tasks.attention.attention_translation.config import PRESETS, Config
from tasks.attention.attention_translation.plan import plan
from tasks.attention.attention_translation.stages import STAGES
from tasks.attention.learning.plan import ATTENTION_STATISTICS
from tasks.attention.pairs.plan import PAIR_REPORT, SUBWORD_PAIRS

EXPERIMENT = Experiment(
    name="attention_translation",
    config=Config,
    presets=PRESETS,
    stages=(SUBWORD_PAIRS, PAIR_REPORT, *STAGES, ATTENTION_STATISTICS),
    plan=plan,
    reduce="tasks.attention.attention_translation.reduce:summarise",
)
