"""Questions with four options about a passage, in RACE's form: from files, the hub or builtin, and their tokens.

All but `tokenised` is used while a sweep is planned and imports neither torch nor transformers nor datasets before it
has to. No model and no metric enters this room.
"""
