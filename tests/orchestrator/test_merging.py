"""Merging in tiers: few files at any time, every row once, whenever the driver is killed."""

import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import merging
from orchestrator.call import Outcome
from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.journal import Journal
from orchestrator.merging import Written, due, merge, packed
from orchestrator.rows import rows_to_table
from orchestrator.storage import Storage
from orchestrator.store import Store
from tests.orchestrator.test_store import NOTES, RUNS, SCORES, Params, done, failed, job

A_WEEK = 7 * 24 * 3600 // 5  # flushes


class Killed(BaseException):
    """The driver is gone: nothing after this moment happens."""


def fail_at(monkeypatch, operation: int, error: BaseException) -> list[int]:
    """Let the n-th write or deletion from now on raise, and all later ones; returns the count of operations."""
    count = [0]

    def failing(name):
        real = getattr(Storage, name)

        def call(self, *arguments):
            count[0] += 1
            if count[0] > operation:
                raise error
            real(self, *arguments)

        monkeypatch.setattr(Storage, name, call)

    failing("write")
    failing("delete")
    return count


def attempts(n: int) -> list[tuple[Job, Outcome, int]]:
    """Attempts at `n` jobs: every third fails first, some write notes."""
    tried = []
    for seed in range(n):
        a = job(seed=seed)
        if seed % 3 == 0:
            tried.append((a, failed(), 1))
        tried.append((a, done(a, float(seed), notes=["x"] * (seed % 2) or None), 1 + (seed % 3 == 0)))
    return tried


def published(store: Store) -> dict[str, pd.DataFrame]:
    store.publish()
    return {
        name: pd.read_parquet(f"{store.storage.root}/{name}.parquet")
        for name in ("scores", "notes", "jobs")
        if Path(store.storage.root, f"{name}.parquet").exists()
    }


def files(store: Store) -> int:
    return sum(len(names) for _, _, names in os.walk(Path(store.storage.root, "_parts")))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "exp", {"scores": SCORES, "notes": NOTES})


def test_a_week_of_flushes_stands_in_few_stems():
    """120,960 flushes of a run, counted without files."""
    stems: list[Written] = []
    most = rewritten = 0
    for number in range(A_WEEK):
        stems.append(Written(f"{number}", 0, 100))
        while group := due(stems):
            most = max(most, len(stems))
            rewritten += sum(each.size // 100 for each in group)
            stems[-len(group) :] = [Written(group[-1].stem, group[0].level + 1, sum(each.size for each in group))]
    assert most <= 7 * 6 + 1  # the old stems and the one made of eight of them stand together for a moment
    assert rewritten <= 6 * A_WEEK  # a row is written again once a level
    assert sum(each.size for each in stems) == 100 * A_WEEK
    assert [int(each.stem) for each in stems] == sorted(int(each.stem) for each in stems)


def test_thousands_of_flushes_leave_few_files(tmp_path, monkeypatch):
    """Three tables and the attempts, a flush an attempt: the clock stands still between them."""
    specs = {
        name: TableSpec(schema=pa.schema([column("value", pa.int64(), "value")]), key=()) for name in ("a", "b", "c")
    }
    stage = Stage(name="many", function="x:y", params=Params, tables=specs)
    store = Store(tmp_path, "exp", specs)
    most, write = [0], Storage.write

    def counted(self, name, data):
        write(self, name, data)
        most[0] = max(most[0], files(store))

    monkeypatch.setattr("orchestrator.storage.os.fsync", lambda number: None)
    monkeypatch.setattr(Storage, "write", counted)
    monkeypatch.setattr("orchestrator.journal.time.monotonic", iter(range(0, 10**9, 5)).__next__)
    journal = store.journal(RUNS[0])
    n = 600  # flushes: 8**3 and more
    for seed in range(n):
        a = Job(stage=stage, params=Params(seed=seed))
        rows = {name: rows_to_table([{"value": seed}], spec, "") for name, spec in specs.items()}
        journal.add(a, Outcome(status="done", tables=rows), 1)
        journal.add(a, failed(), 2)  # asks the clock once more
        if journal.due:
            journal.flush()
    assert most[0] <= 4 * (7 * 4 + 2)
    assert files(store) <= 4 * 7 * 4
    journal.merge()
    assert files(store) == 4
    snapshot = store.snapshot()
    assert len(snapshot.done) == n
    assert snapshot.attempts.num_rows == 2 * n
    assert sorted(store.read("b", snapshot)["value"].to_pylist()) == list(range(n))


def run_until(store: Store, operation: int, monkeypatch, n: int, error: BaseException | None = None) -> int:
    """Write `n` jobs with a flush an attempt and merge, killed before an operation; returns the attempts flushed."""
    journal, flushed = store.journal(RUNS[0]), 0
    with monkeypatch.context() as patch:
        fail_at(patch, operation, error or Killed())
        try:
            for each in attempts(n):
                journal.add(*each)
                flushed += journal.flush()
            journal.merge()
        except Killed:
            pass
    return flushed


def test_whenever_it_is_killed_each_attempt_is_there_once(tmp_path, monkeypatch):
    """Every moment between two operations on files of a run that merges on three levels, all of them."""
    monkeypatch.setattr(merging, "FANOUT", 2)
    n, everything = 6, attempts(6)
    operation = 0
    while True:
        store = Store(tmp_path / str(operation), "exp", {"scores": SCORES, "notes": NOTES})
        flushed = run_until(store, operation, monkeypatch, n)
        snapshot = store.snapshot()
        assert snapshot.problems == ()
        there = Counter(zip(*(snapshot.attempts[c].to_pylist() for c in ("job_id", "attempt")), strict=True))
        # A flush that was killed after its last file stands all the same.
        assert there in (
            Counter((a.id, number) for a, _, number in everything[: flushed + more]) for more in range(2)
        ), operation
        good = {a.id: o for a, o, _ in everything[: len(there)] if o.status == "done"}
        assert set(snapshot.done) == set(good)
        tables = published(store)
        if good:
            assert Counter(tables["scores"]["job_id"]) == Counter(dict.fromkeys(good, 2))
            assert sorted(set(tables["scores"]["score"])) == sorted(
                float(a.params.seed) for a, o, _ in everything[: len(there)] if o.status == "done"
            )
            notes = sum(o.tables["notes"].num_rows for o in good.values() if "notes" in o.tables)
            assert len(tables.get("notes", ())) == notes
        if len(there) == len(everything) and files(store) == 3:
            break
        operation += 1
    assert operation > 60


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fanout=st.integers(2, 4), operation=st.integers(0, 120), n=st.integers(1, 14))
def test_a_killed_run_and_its_next_give_the_tables_of_an_undisturbed_one(
    tmp_path_factory, monkeypatch, fanout, operation, n
):
    monkeypatch.setattr(merging, "FANOUT", fanout)
    specs = {"scores": SCORES, "notes": NOTES}
    killed, whole = (Store(tmp_path_factory.mktemp("store"), "exp", specs) for _ in range(2))
    run_until(killed, operation, monkeypatch, n)
    published(killed)
    there = killed.snapshot().done
    journal = killed.journal(RUNS[1])
    for each in attempts(n):
        if each[0].id not in there:
            journal.add(*each)
            journal.flush()
    journal.merge()
    run_until(whole, 10**9, monkeypatch, n)
    ours, theirs = published(killed), published(whole)
    assert ours.keys() == theirs.keys()
    for name in ("scores", "notes"):
        if name in theirs:
            pd.testing.assert_frame_equal(ours[name], theirs[name])
    assert set(ours["jobs"].query("current")["job_id"]) == set(theirs["jobs"].query("current")["job_id"])


@pytest.mark.parametrize("operation", range(0, 40, 3))
def test_a_merge_that_fails_loses_nothing_and_is_tried_again(store, monkeypatch, operation):
    """The disk is full, or the object store silent, from some moment of the merges on, and later it is not."""
    monkeypatch.setattr(merging, "FANOUT", 2)
    journal, everything = store.journal(RUNS[0]), attempts(5)
    with monkeypatch.context() as patch:
        fail_at(patch, operation, OSError(28, "No space left on device"))
        for each in everything:
            journal.add(*each)
            try:
                journal.flush()
            except OSError:
                assert journal.buffered
    journal.merge()
    snapshot = store.snapshot()
    there = Counter(zip(*(snapshot.attempts[c].to_pylist() for c in ("job_id", "attempt")), strict=True))
    assert there == Counter((a.id, number) for a, _, number in everything)
    assert snapshot.problems == ()
    assert len(published(store)["scores"]) == 10


def test_a_stem_that_has_lost_rows_is_not_merged_into_a_whole_one(store):
    """A reader has set a damaged part aside while the run goes on: its job must run again, not count as done."""
    journal = store.journal(RUNS[0])
    jobs = [job(seed=i) for i in range(3)]
    for a in jobs:
        journal.add(a, done(a), 1)
        journal.flush()
    second = sorted(Path(store.storage.root, "_parts", "scores").iterdir())[1]
    second.write_bytes(b"")
    assert len(store.snapshot().done) == 2  # sets it aside
    journal.merge()
    snapshot = store.publish()
    assert set(snapshot.done) == {jobs[0].id, jobs[2].id}
    assert [p for p in snapshot.problems if second.name in p]
    assert len(store.storage.names("_parts/jobs")) == 2


def test_a_part_with_too_few_rows_is_left_to_the_readers(store):
    journal = store.journal(RUNS[0])
    for a in (job(), job(seed=1), job(seed=2)):
        journal.add(a, done(a), 1)
        journal.flush()
    first = min(Path(store.storage.root, "_parts", "scores").iterdir())
    pq.write_table(pq.read_table(first).slice(1), first)
    journal.merge()
    assert len(store.snapshot().done) == 2
    assert list(first.parent.glob("*.corrupt"))


def test_large_stems_are_left_alone(store, monkeypatch):
    monkeypatch.setattr("orchestrator.journal.MERGE_BYTES", 1)
    monkeypatch.setattr(merging, "MERGE_BYTES", 1)
    merged = []
    monkeypatch.setattr("orchestrator.journal.merge", lambda *arguments: merged.append(arguments))
    journal = store.journal(RUNS[0])
    for each in attempts(20):
        journal.add(*each)
        journal.flush()
    assert merged == []
    assert len(store.snapshot().done) == 20


def test_stems_that_are_too_large_together_become_as_few_as_can_be(store, monkeypatch):
    tried = attempts(40)
    journal = store.journal(RUNS[0])
    journal.add(*tried[0])
    journal.flush()
    limit = 5 * journal._stems[0].size  # fewer than eight flushes, more than two
    monkeypatch.setattr("orchestrator.journal.MERGE_BYTES", limit)
    monkeypatch.setattr(merging, "MERGE_BYTES", limit)
    for each in tried[1:]:
        journal.add(*each)
        journal.flush()
    assert len(store.storage.names("_parts/jobs")) <= 2 * len(tried) / 3 + 8
    assert all(each.size <= limit for each in journal._stems)
    snapshot = store.snapshot()
    assert snapshot.attempts["attempt"].to_pylist() == [number for _, _, number in tried]  # oldest first, each once
    assert len(snapshot.done) == 40


def test_a_run_is_packed_into_as_few_parts_as_one_merge_can_handle(monkeypatch):
    megabyte = 1 << 20
    monkeypatch.setattr(merging, "MERGE_BYTES", 32 * megabyte)
    sizes = [30, 1, 1, 1, 20, 10, 3, 40, 1]
    groups = packed([Written(str(i), 0, size * megabyte) for i, size in enumerate(sizes)])
    assert [[each.size // megabyte for each in group] for group in groups] == [[30, 1, 1], [1, 20, 10], [3], [40], [1]]
    assert packed([]) == []


def test_merging_nothing_that_is_left_gives_nothing(store):
    gone = [Written(f"{RUNS[0]}-{n:06d}", 0, 1) for n in range(2)]
    assert merge(store.storage, store.specs, gone, f"{RUNS[0]}-000002") == []
    assert files(store) == 0


def test_stems_merged_by_another_process_do_not_stop_a_journal(store):
    journal = store.journal(RUNS[0])
    assert isinstance(journal, Journal)
    for a in (job(), job(seed=1), job(seed=2)):
        journal.add(a, done(a), 1)
        journal.flush()
    for table in ("jobs", "scores"):
        min(Path(store.storage.root, "_parts", table).iterdir()).unlink()
    journal.merge()
    assert len(store.snapshot().done) == 2
