"""Readers: GLUE files and hub data, builtin text, text corpora, tokenizers, and the stages that prepare them.

What is read here is `Examples` (plain strings and labels), passages of a corpus, or an artifact of the stages `tokens`
and `blocks`. `plan`, `sources`, `tokenizers`, `corpus` and `blocks` are used while a sweep is
planned, so they import neither torch nor transformers nor datasets before they have to. No model and no metric enters
this room. Bad data is a `DataError` that names the file, the line and the remedy.
"""
