"""Experiments: one module, or one folder, each, with its config, plan, stages and reduce.

Imports go from here to `models`, `metrics` and `orchestrator.experiment`; nothing here imports Ray. The registry names
the module that holds each experiment's `EXPERIMENT`; it is imported only when that experiment is asked for.
"""

EXPERIMENTS = {
    "attention_classification": "tasks.attention_classification",
    "attention_matching": "tasks.attention_matching",
    "attention_translation": "tasks.attention_translation",
    "bert_finetuning": "tasks.bert_finetuning",
    "bert_pretraining": "tasks.bert_pretraining",
    "chaos": "tasks.chaos",
    "component_moments": "tasks.component_moments",
    "dynamical_isometry": "tasks.dynamical_isometry",
    "glue_depth": "tasks.glue_depth",
    "gradient_confusion": "tasks.gradient_confusion",
    "handwriting_readout": "tasks.handwriting_readout",
    "layernorm_lipschitz": "tasks.layernorm_lipschitz",
    "mlm_depth": "tasks.mlm_depth",
    "multihead_copying": "tasks.multihead_copying",
    "perturbation": "tasks.perturbation",
    "representation_similarity": "tasks.representation_similarity",
    "sequence_copying": "tasks.sequence_copying",
    "signal_propagation": "tasks.signal_propagation",
    "squad_finetune": "tasks.squad_finetune",
    "squad_probes": "tasks.squad_probes",
}
