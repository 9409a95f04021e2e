"""Pretraining of deep BERTs: pre-LN and post-LN, ordinary weights and DeepScaleLM, 12 to 192 layers, up to 8 GPUs.

After Kedia et al., Transformers Get Stable (ICML 2024). The training itself is in `tasks.deepscale.deep_bert`, since
finetuning shares its jobs; here are the sweep's options, its plan and its figures.
"""

from orchestrator.experiment import Experiment
from tasks.deepscale.bert_pretraining.config import PRESETS, Config
from tasks.deepscale.bert_pretraining.plan import plan
from tasks.deepscale.deep_bert.stages import PRETRAIN_BERT, PRETRAIN_BERT_REPORT
from tasks.deepscale.pretraining_text.plan import DOCUMENTS

EXPERIMENT = Experiment(
    name="bert_pretraining",
    config=Config,
    presets=PRESETS,
    stages=(DOCUMENTS, PRETRAIN_BERT, PRETRAIN_BERT_REPORT),
    plan=plan,
    reduce="tasks.deepscale.bert_pretraining.reduce:summarise",
)
