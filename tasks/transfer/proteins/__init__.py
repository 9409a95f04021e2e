"""Proteins: their alphabet, the files of eight published tasks and builtin families, and the stage that prepares them.

`alphabets` and `framing` make ids of residues, `tasks` says what a task is, `records`, `parsing` and `pairs` read
files, `sources` finds them, `builtin` makes families without any, `plan` is what a plan needs (no torch), `stages`
writes and opens the artifact. No model and no metric enters this room. Bad data is a `DataError` that names file, line
and record.
"""
