"""Pretrained BERTs finetuned on MNLI, QQP and RACE: every learning rate and seed, chosen by the median over seeds.

After the finetuning of DeepScaleLM (Kedia et al., 2024), from a network of any depth that the project pretrained with
or without it, or from a Hugging Face BERT. Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.plan import TOKENS
from tasks.deepscale.bert_finetuning.config import PRESETS, Config
from tasks.deepscale.bert_finetuning.plan import plan
from tasks.deepscale.bert_finetuning.stages import DATA_REPORT, FINETUNE
from tasks.deepscale.deep_bert.stages import PRETRAIN_BERT, PRETRAIN_BERT_REPORT
from tasks.deepscale.pretraining_text.plan import DOCUMENTS
from tasks.deepscale.race.plan import CHOICE_TOKENS

EXPERIMENT = Experiment(
    name="bert_finetuning",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, CHOICE_TOKENS, DOCUMENTS, PRETRAIN_BERT, PRETRAIN_BERT_REPORT, DATA_REPORT, FINETUNE),
    plan=plan,
    reduce="tasks.deepscale.bert_finetuning.reduce:summarise",
)
