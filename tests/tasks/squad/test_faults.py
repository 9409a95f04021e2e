"""Sentences on faults of the data."""

import pandas as pd

from tasks.squad.faults import KINDS, fault_notes
from tasks.squad.questions.examples import KINDS as READER_KINDS


def test_each_kind_that_occurs_is_said_once():
    rows = [
        {"split": "train", "metric": "questions", "value": 10.0, "tokenizer": "a"},
        {"split": "train", "metric": "problem_answer_moved", "value": 2.0, "tokenizer": "a"},
        {"split": "train", "metric": "problem_answer_moved", "value": 2.0, "tokenizer": "b"},
        {"split": "dev", "metric": "problem_duplicate_id", "value": 0.0, "tokenizer": "a"},
        {"split": "dev", "metric": "problem_new", "value": 1.0, "tokenizer": "a"},
    ]
    moved, new = fault_notes(pd.DataFrame(rows))
    assert moved.startswith("train: 2 answers not at their offset")
    assert "kind answer_moved" in moved
    assert new.startswith("dev: 1 new")
    assert fault_notes(pd.DataFrame(columns=["split", "metric", "value"])) == []


def test_the_kinds_of_the_reader_have_sentences():
    assert set(KINDS) == set(READER_KINDS)
