"""Readers: GLUE files, GLUE from the hub, the builtin sentences, tokenizers, and the `tokens` stage that prepares them.

What is read here is `Examples` (plain strings and labels) or a tokenised artifact. `plan`, `sources` and `tokenizers`
are used while a sweep is planned, so they import neither torch nor transformers nor datasets before they have to. No
model and no metric enters this room. Bad data is a `DataError` that names the file, the line and the remedy.
"""
