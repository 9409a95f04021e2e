"""Span probes on every layer of frozen encoders, pretrained against fine-tuned on SQuAD 2.0.

After the student project "Importance of Depth and Fine-tuning in BERT-models" (CS224N, 2020), its decoding and its
unfinished training mended (README 4 to 8). All layers, learning rates and seeds are trained together from one frozen
pass. Nothing enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.squad.questions.plan import SQUAD_DATA, WINDOWS
from tasks.squad.squad_probes.config import PRESETS, Config
from tasks.squad.squad_probes.plan import plan
from tasks.squad.squad_probes.stages import PROBE_ADAM, PROBE_EVALUATE, PROBE_LBFGS, PROBE_PREDICT
from tasks.squad.stages import TRAIN, TRAIN_REPORT

EXPERIMENT = Experiment(
    name="squad_probes",
    config=Config,
    presets=PRESETS,
    stages=(WINDOWS, SQUAD_DATA, TRAIN, TRAIN_REPORT, PROBE_ADAM, PROBE_LBFGS, PROBE_PREDICT, PROBE_EVALUATE),
    plan=plan,
    reduce="tasks.squad.squad_probes.reduce:summarise",
)
