"""Documents with one of two labels: from files, the hub or builtin, their vocabulary and their ids.

`plan` and what it imports are used while a sweep is planned: neither torch nor transformers nor datasets. No model and
no metric enters this room.
"""
