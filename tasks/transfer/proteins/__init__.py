"""Proteins: the files of eight published tasks and builtin families, the stage that prepares them, their token ids.

`tasks` says what a task is, `records` and `parsing` read files, `builtin` makes families without any, `stages` finds
data and is what a plan needs (no torch), `artifact` writes and opens what the stage makes, `tokens` makes ids of
residues. No model and no metric enters this room. Bad data is a `DataError` that names file, line and record.
"""
