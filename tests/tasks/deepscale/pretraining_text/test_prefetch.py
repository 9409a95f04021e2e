"""Batches made ahead in a thread: the same ones, and the thread ends with its reader."""

import threading

import pytest

from tasks.deepscale.pretraining_text.batches import Batches, prefetched
from tests.tasks.deepscale.pretraining_text.made import random_documents


@pytest.fixture
def batches():
    return Batches(random_documents(5), length=32, global_batch=4, micro_batch=2, seed=0)


def test_the_same_batches_in_their_order(batches):
    found = list(prefetched(batches, 3, 9, rank=1, workers=2))
    assert [step for step, _ in found] == list(range(3, 9))
    for step, made in found:
        expected = list(batches.micro_batches(step, 1, 2))
        assert [b.index for b in made] == [b.index for b in expected] == [1]
        assert made[0].input_ids.tolist() == expected[0].input_ids.tolist()
    assert list(prefetched(batches, 3, 3)) == []


def test_the_thread_ends_with_its_reader(batches):
    before = threading.active_count()
    reader = prefetched(batches, 0, 1000, ahead=1)
    next(reader)
    assert threading.active_count() == before + 1
    reader.close()
    assert threading.active_count() == before
    for _ in prefetched(batches, 0, 5):
        pass
    assert threading.active_count() == before


def test_not_more_than_asked_is_made_ahead(batches, monkeypatch):
    made, enough = [], threading.Event()
    take = batches.micro_batches

    def counted(step, rank, workers):
        made.append(step)
        if len(made) == 5:
            enough.set()
        return take(step, rank, workers)

    monkeypatch.setattr(batches, "micro_batches", counted)
    reader = prefetched(batches, 0, 1000, ahead=3)
    next(reader)
    assert enough.wait(10)  # one given, four ahead
    assert made == [0, 1, 2, 3, 4]
    reader.close()
    assert len(made) == 5


def test_errors_come_out_where_the_step_would(batches, monkeypatch):
    take = batches.micro_batches

    def failing(step, rank, workers):
        if step == 2:
            raise OSError("the file is gone")
        return take(step, rank, workers)

    monkeypatch.setattr(batches, "micro_batches", failing)
    before = threading.active_count()
    reader = prefetched(batches, 0, 5)
    assert [next(reader)[0], next(reader)[0]] == [0, 1]
    with pytest.raises(OSError, match="the file is gone"):
        next(reader)
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="ahead is 0: give at least 1 step"):
        next(prefetched(batches, 0, 5, ahead=0))
