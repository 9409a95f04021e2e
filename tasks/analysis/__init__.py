"""From rows to summary tables, figures and sentences: what the reduce steps of several experiments share.

Nothing here knows an experiment, a model or a file. Nothing here is imported while a sweep is planned.
"""
