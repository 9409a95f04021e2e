"""End-to-end fine-tuning of BERT-family encoders on SQuAD 2.0: exact match and F1 of each model with its own head.

After the student project "Importance of Depth and Fine-tuning in BERT-models" (CS224N, 2020), which took run_squad of
transformers 2.5. Given checkpoints can be evaluated alone. Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.squad.params import TRAIN, TRAIN_REPORT
from tasks.squad.questions.plan import SQUAD_DATA, WINDOWS
from tasks.squad.squad_finetune.config import PRESETS, Config
from tasks.squad.squad_finetune.params import EVALUATE
from tasks.squad.squad_finetune.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.squad.squad_finetune.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="squad_finetune",
    config=Config,
    presets=PRESETS,
    stages=(WINDOWS, SQUAD_DATA, TRAIN, TRAIN_REPORT, EVALUATE),
    plan=plan,
    reduce=reduce,
)
