"""What the experiments on SQuAD share beside data: from window scores to a prediction a question, and evaluation rows.

No experiment stands here, no file is read. Windows come from `tasks.squad.questions`, span search and metrics from
`metrics`; the experiments are `tasks.squad.squad_finetune` and `tasks.squad.squad_probes`.
"""
