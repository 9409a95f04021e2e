"""Sentences and their translations: from files, the hub or builtin, and their subwords.

`plan` and what it imports are used while a sweep is planned: neither torch nor transformers nor datasets. No model and
no metric enters this room.
"""
