"""End-to-end fine-tuning of BERT-family encoders on SQuAD 2.0: exact match and F1 of each model with its own head.

After the student project "Importance of Depth and Fine-tuning in BERT-models" (CS224N, 2020), which took run_squad of
transformers 2.5 (README 3). Given checkpoints can be evaluated alone. Nothing enters this folder that another
experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.squad.questions.plan import SQUAD_DATA, WINDOWS
from tasks.squad.squad_finetune.config import PRESETS, Config
from tasks.squad.squad_finetune.plan import plan
from tasks.squad.squad_finetune.stages import EVALUATE
from tasks.squad.stages import TRAIN, TRAIN_REPORT

EXPERIMENT = Experiment(
    name="squad_finetune",
    config=Config,
    presets=PRESETS,
    stages=(WINDOWS, SQUAD_DATA, TRAIN, TRAIN_REPORT, EVALUATE),
    plan=plan,
    reduce="tasks.squad.squad_finetune.reduce:summarise",
)
