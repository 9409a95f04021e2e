"""Text for pretraining as published for DeepScaleLM (README 4): documents, samples of them, masked tokens, batches.

`plan` has the job that reads and tokenises a corpus once, `documents` opens what it made, `batches` gives the
micro-batches of any step, `random_tokens` gives some without a corpus. No model enters this room, and what a plan needs
(`plan`, `checks`) imports no torch.
"""
