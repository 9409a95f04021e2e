"""Jobs of several processes, without any: who may start, whose error counts, what a rank gets."""

import os
import pickle
from pathlib import Path

import pytest

from orchestrator.backend import CannotRun, InlineBackend
from orchestrator.call import Call, Outcome, log_name
from orchestrator.capacity import Capacity
from orchestrator.experiment import Job, Resources, Stage
from orchestrator.groups import Groups, from_others, outcome_of
from orchestrator.worker import run_call
from tests import toy_group


def group_call(tmp_path: Path, rank: int, **facts) -> Call:
    defaults = {
        "job_id": "0123456789abcdef",
        "stage": pickle.dumps(toy_group.ADD_UP),
        "params": toy_group.Params(number=1, steps=2),
        "needs": {},
        "paths": {},
        "artifacts": str(tmp_path / "artifacts"),
        "checkpoints": str(tmp_path / "checkpoints"),
        "gpus": 0.0,
        "threads": 1,
        "memory_bytes": None,
        "code": None,
        "rank": rank,
        "workers": 3,
        "device": "cpu",
    }
    return Call(**(defaults | facts))


@pytest.mark.parametrize("rank", [0, 2])
def test_rank_0_alone_has_an_artifact_and_gives_rows(rank, tmp_path, monkeypatch):
    contexts = []

    def stage(params, context):
        contexts.append(context)
        return {"sums": [{"total": 1.0, "first": 0, "workers": context.workers}]} if context.rank == 0 else {"x": 5}

    monkeypatch.setattr(toy_group, "add_up", stage)
    outcome = run_call(group_call(tmp_path, rank), lambda peaks: [peaks, (1e9, None)])
    assert outcome.status == "done", outcome.message
    assert outcome.peak_rss_mb == 1e9  # of the largest of them
    assert outcome.peak_gpu_mb is None
    [context] = contexts
    assert (context.rank, context.workers, context.device) == (rank, 3, "cpu")
    assert context.checkpoints is not None
    assert (context.artifact is not None) == (rank == 0) == bool(outcome.tables)


def test_nothing_is_published_before_all_have_met(tmp_path, monkeypatch):
    def meet(peaks):
        assert not (tmp_path / "artifacts" / "toy_add_up" / "01").exists()
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(toy_group, "add_up", lambda params, context: None)
    outcome = run_call(group_call(tmp_path, 0), meet)
    assert outcome.status == "failed"
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []


def test_each_rank_has_its_own_log(tmp_path, monkeypatch):
    def speak(params, context):
        os.write(1, f"I am {context.rank}\n".encode())

    monkeypatch.setattr(toy_group, "add_up", speak)
    logs = [run_call(group_call(tmp_path, rank, logs=str(tmp_path / "logs"))).log for rank in (0, 1)]
    assert logs == ["0123456789abcdef-1.log", "0123456789abcdef-1-rank1.log"]
    assert [(tmp_path / "logs" / str(log)).read_text() for log in logs] == ["I am 0\n", "I am 1\n"]
    assert log_name("key", 0) == "key"


def test_a_rank_of_other_code_refuses(tmp_path):
    outcome = run_call(group_call(tmp_path, 1, code="0" * 12), lambda peaks: [peaks])
    assert (outcome.status, outcome.error) == ("failed", "WrongCode")


def test_workers_are_no_part_of_the_identity():
    params = toy_group.Params(number=1, steps=2)
    ids = {Job(stage=toy_group.ADD_UP, params=params, resources=Resources(workers=n)).id for n in (1, 2, 8)}
    assert len(ids) == 1
    both = [Stage(name="s", function="x:y", params=toy_group.Params, checkpoints=kept) for kept in (False, True)]
    assert len({Job(stage=stage, params=params).id for stage in both}) == 1


def test_impossible_workers_are_refused():
    with pytest.raises(ValueError, match="workers is 0"):
        Resources(workers=0)
    with pytest.raises(ValueError, match=r"num_gpus is 0\.5 with 2 workers"):
        Resources(workers=2, num_gpus=0.5)
    with pytest.raises(CannotRun, match=r"wants 2 worker processes.*--backend ray"):
        InlineBackend().gpus(Resources(workers=2))


SMALL, LARGE = {"CPU": 3.0, "memory": 8e9}, {"CPU": 16.0, "GPU": 4.0, "memory": 64e9}


def test_capacity_counts_workers_node_by_node():
    nodes = Capacity([SMALL, LARGE])
    assert nodes.resolve(Resources(workers=9, num_cpus=2)) == (2, 0)  # one and eight
    with pytest.raises(CannotRun, match=r"wants 10 workers with 2 CPUs, .* hold 9 of them at a time"):
        nodes.resolve(Resources(workers=10, num_cpus=2))
    assert nodes.resolve(Resources(workers=4, num_gpus=1)) == (1, 1)
    with pytest.raises(CannotRun, match=r"wants 5 workers .* hold 4 of them"):
        nodes.resolve(Resources(workers=5, num_gpus=1))
    with pytest.raises(CannotRun, match=r"wants 6 workers .* hold 4 of them"):
        Capacity([SMALL]).resolve(Resources(workers=6, num_cpus=0.5, memory_mb=1900))
    assert Capacity([SMALL, LARGE], gpus_per_job=0).resolve(Resources(workers=5, num_gpus=1)) == (1, 0)
    with pytest.raises(CannotRun, match=r"2 workers would get 0\.5 GPUs"):
        Capacity([LARGE], gpus_per_job=0.5).resolve(Resources(workers=2, num_gpus=1))


def test_groups_start_in_their_order_as_far_as_there_is_room(tmp_path):
    groups, call = Groups(), group_call(tmp_path, 0)
    for key, workers in (("a", 2), ("b", 3), ("c", 1), ("d", 9), ("e", 1)):
        groups.add(key, call, Resources(workers=workers))

    def started() -> list[str]:
        return [key for key, *_ in groups.starting(lambda wanted: sum(wants.workers for wants in wanted) <= 4)]

    assert started() == ["a"]  # b has no room, and c does not pass it
    groups.ended("an ordinary job")
    assert started() == []
    groups.ended("a")
    assert started() == ["b", "c"]
    groups.ended("c")
    groups.ended("b")
    assert started() == ["d"]  # nothing else runs: the cluster must see what it wants
    assert groups.withdraw() == ["e"]
    groups.ended("d")
    assert started() == []


def failed(error: str, message: str, status: str = "failed") -> Outcome:
    return Outcome(status=status, error=error, message=message, traceback="Traceback")


OWN = failed("ValueError", "bad")
GLOO = failed("RuntimeError", "[gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.1]:9999")
NCCL = failed("DistBackendError", "NCCL error: remote process exited or there was a network error")
DIED = failed("ActorDiedError", "The actor died", "lost")


def test_the_error_that_is_somebodys_own_counts():
    assert [from_others(outcome) for outcome in (OWN, GLOO, NCCL)] == [False, True, True]
    assert not from_others(failed("RuntimeError", "mat1 and mat2 shapes cannot be multiplied"))
    assert not from_others(failed("ValueError", "connection closed"))
    first = outcome_of({0: GLOO, 2: OWN, 3: failed("KeyError", "x")}, 4)
    assert (first.status, first.error, first.traceback) == ("failed", "ValueError", "On rank 2 of 4:\nTraceback")


def test_a_death_counts_before_errors():
    assert outcome_of({0: GLOO, 1: DIED}, 2).status == "lost"
    assert outcome_of({0: OWN, 1: DIED}, 2).message == "rank 1 of 2: The actor died"
    alone = outcome_of({0: NCCL, 1: NCCL}, 2)  # the network, and no bug: it is worth another try
    assert (alone.status, alone.error) == ("lost", "DistBackendError")
