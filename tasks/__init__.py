"""Experiments: a folder a paper's family, in it a folder an experiment, with its config, plan, stages and reduce.

Imports go from here to `models`, `metrics` and `orchestrator.experiment`; nothing here imports Ray. The registry names
the module that holds each experiment's `EXPERIMENT`; it is imported only when that experiment is asked for.
"""

from pathlib import Path

EXPERIMENTS = {
    "attention_classification": "tasks.attention.attention_classification",
    "attention_matching": "tasks.transfer.attention_matching",
    "attention_translation": "tasks.attention.attention_translation",
    "bert_finetuning": "tasks.deepscale.bert_finetuning",
    "bert_pretraining": "tasks.deepscale.bert_pretraining",
    "chaos": "tasks.transient_chaos.chaos",
    "component_moments": "tasks.deepscale.component_moments",
    "dynamical_isometry": "tasks.transfer.dynamical_isometry",
    "glue_depth": "tasks.transient_chaos.glue_depth",
    "gradient_confusion": "tasks.transfer.gradient_confusion",
    "handwriting_readout": "tasks.transient_chaos.handwriting_readout",
    "layernorm_lipschitz": "tasks.transfer.layernorm_lipschitz",
    "mlm_depth": "tasks.transient_chaos.mlm_depth",
    "multihead_copying": "tasks.attention.multihead_copying",
    "perturbation": "tasks.transfer.perturbation",
    "representation_similarity": "tasks.transfer.representation_similarity",
    "sequence_copying": "tasks.attention.sequence_copying",
    "signal_propagation": "tasks.deepscale.signal_propagation",
    "squad_finetune": "tasks.squad.squad_finetune",
    "squad_probes": "tasks.squad.squad_probes",
}

FIGURE_STYLE = Path(__file__).with_name("analysis") / "figures.mplstyle"
"""How the figures of all experiments look: a matplotlib style file, in force while `reduce` draws and saves them."""
