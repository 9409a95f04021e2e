"""Questions of the SQuAD 2.0 form, and the windows of tokens that a span model reads them in.

`files`, `hub` and `builtin` give paragraphs with questions, `sources` finds which; `pairs` and `features` cut them into
windows, the stage `squad_windows` writes those as Arrow, and `windows.open_windows` reads them again. `plan` is what a
plan needs and imports no torch. No model, no decoding and no metric enters this room; bad data is a `DataError` or a
counted `Problem`, never a crash without words.
"""
