"""Which words the attention of a document classifier learns: checkpoints of many runs, proxies, agreement.

After "Approximating How Single Head Attention Learns" (Snell et al., 2021), classification. Nothing enters this folder
that another experiment needs; what translation shares is in `tasks/attention`.
"""
