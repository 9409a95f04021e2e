"""The journal, its parts, and the store that reads them: what is written comes back, and damage is contained."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.call import Outcome
from orchestrator.experiment import Experiment, Job, Stage, Summary, TableSpec, column
from orchestrator.parts import NewerSchema, encode
from orchestrator.rows import rows_to_table
from orchestrator.store import Store

RUNS = [f"2026010{i}T000000-aaaa" for i in range(1, 6)]


@dataclass(frozen=True, kw_only=True)
class Params:
    task: str = "RTE"
    seed: int | None = None
    rate: float = 0.1
    shuffle: bool = True
    depths: tuple[int, ...] = (1, 2)


SCORES = TableSpec(
    schema=pa.schema([column("depth", pa.int64(), "depth"), column("score", pa.float64(), "score")]), key=("depth",)
)
NOTES = TableSpec(schema=pa.schema([column("note", pa.string(), "a note")]), key=())
STAGE = Stage(name="train", function="x:y", params=Params, tables={"scores": SCORES, "notes": NOTES})
OTHER = Stage(name="other", function="x:y", params=Params, tables={"scores": SCORES})


def job(stage=STAGE, **params) -> Job:
    return Job(stage=stage, params=Params(**params))


def done(job: Job, score: float = 1.0, notes: list | None = None, **facts) -> Outcome:
    tables = {"scores": rows_to_table([{"depth": d, "score": score} for d in job.params.depths], SCORES, "")}
    if notes is not None:
        tables["notes"] = rows_to_table([{"note": n} for n in notes], NOTES, "")
    return Outcome(status="done", tables=tables, code="c", **facts)


def failed() -> Outcome:
    return Outcome(status="failed", error="ValueError", message="bad", traceback="…")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "exp", {"scores": SCORES, "notes": NOTES})


def write(store: Store, run: str, *attempts: tuple[Job, Outcome], merge: bool = False, each: bool = False) -> None:
    journal = store.journal(run)
    for number, (attempted, outcome) in enumerate(attempts, 1):
        journal.add(attempted, outcome, number)
        if each:
            journal.flush()
    journal.flush()
    if merge:
        journal.merge()


def part(store: Store, table: str, n: int = 0) -> Path:
    return sorted(Path(store.storage.root, "_parts", table).glob("*.parquet"))[n]


def published(store: Store, table: str = "scores") -> pd.DataFrame:
    return pd.read_parquet(f"{store.storage.root}/{table}.parquet")


def test_rows_carry_their_parameters_as_typed_columns(store):
    a, b = job(seed=3, rate=1), job(task="CoLA", shuffle=False)
    write(store, RUNS[0], (a, done(a, 0.5)), (b, done(b, math.nan)))
    store.publish()
    schema = pq.read_schema(f"{store.storage.root}/scores.parquet")
    assert [(f.name, str(f.type)) for f in schema] == [
        ("depth", "int64"),
        ("score", "double"),
        ("task", "string"),
        ("seed", "int64"),
        ("rate", "double"),
        ("shuffle", "bool"),
        ("data", "string"),
        ("job_id", "string"),
    ]
    frame = pq.read_table(f"{store.storage.root}/scores.parquet").to_pylist()
    assert len(frame) == 4
    cola = next(row for row in frame if row["task"] == "CoLA")
    assert math.isnan(cola["score"])  # NaN stays NaN, and is not a missing value
    assert cola["seed"] is None
    assert (cola["rate"], cola["shuffle"], cola["job_id"]) == (0.1, False, b.id)
    jobs = published(store, "jobs")
    assert json.loads(jobs["params"].tolist()[0]) == {
        "depths": [1, 2],
        "rate": 1.0,
        "seed": 3,
        "shuffle": True,
        "task": "RTE",
    }


def test_columns_that_are_all_null_have_their_type(store):
    a = job()
    write(store, RUNS[0], (a, done(a, notes=[None])))
    store.publish()
    assert str(pq.read_schema(f"{store.storage.root}/notes.parquet").field("note").type) == "string"
    assert str(pq.read_schema(f"{store.storage.root}/notes.parquet").field("seed").type) == "int64"
    assert str(pq.read_schema(part(store, "jobs")).field("traceback").type) == "string"


def test_a_folder_of_parts_is_read_by_pandas(store):
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a)), (b, done(b)), each=True)
    assert len(pd.read_parquet(part(store, "scores").parent)) == 4


def test_an_orphan_part_does_not_count(store):
    """A driver killed between the tables' parts and the jobs part: the flush never was."""
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a)), (b, done(b)), each=True)
    part(store, "jobs", 1).unlink()
    snapshot = store.publish()
    assert set(snapshot.done) == {a.id}
    assert snapshot.problems == ()
    assert set(published(store)["job_id"]) == {a.id}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56  # the footer is good, the column behind it is not
    path.write_bytes(data)


def other_schema(path: Path) -> None:
    pq.write_table(pa.table({"job_id": ["x", "y"], "something": [1, 2]}), path)


def other_type(path: Path) -> None:
    table = pq.read_table(path)
    words = pa.array(["one", "two"])
    pq.write_table(table.set_column(table.schema.get_field_index("score"), "score", words), path)


def one_row_less(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)


@pytest.mark.parametrize("damage", [truncate, empty, scribble, other_schema, other_type, one_row_less, Path.unlink])
def test_a_damaged_table_part_costs_its_jobs_and_nothing_else(store, damage):
    a, b, c = job(), job(seed=1), job(seed=2)
    write(store, RUNS[0], (a, done(a, notes=["x"])), (b, done(b, notes=["y"])), (c, failed()), each=True)
    path = part(store, "scores")
    damage(path)
    snapshot = store.publish()
    assert set(snapshot.done) == {b.id}
    assert any(path.name in problem and "again" in problem for problem in snapshot.problems)
    assert not path.exists()
    assert path.with_suffix(".parquet.corrupt").exists() == (damage is not Path.unlink)
    assert set(published(store)["job_id"]) == set(published(store, "notes")["job_id"]) == {b.id}
    assert snapshot.values("status")[c.id] == "failed"
    write(store, RUNS[1], (a, done(a, 2.0, notes=["z"])))  # it runs again
    snapshot = store.publish()
    assert snapshot.problems == ()
    assert set(snapshot.done) == {a.id, b.id}
    assert sorted(published(store)["score"]) == [1.0, 1.0, 2.0, 2.0]
    assert sorted(published(store, "notes")["note"]) == ["y", "z"]


@pytest.mark.parametrize("damage", [truncate, empty, scribble, other_schema])
def test_a_damaged_jobs_part_costs_its_jobs_and_nothing_else(store, damage):
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a)), (b, done(b)), each=True)
    path = part(store, "jobs")
    damage(path)
    snapshot = store.publish()
    assert set(snapshot.done) == {b.id}
    assert any(path.name in problem for problem in snapshot.problems)
    assert path.with_suffix(".parquet.corrupt").exists()
    assert set(published(store)["job_id"]) == {b.id}
    assert store.snapshot().problems == ()


def test_two_damaged_tables_of_one_flush_are_both_named(store):
    a = job()
    write(store, RUNS[0], (a, done(a, notes=["x"])))
    for table in ("scores", "notes"):
        empty(part(store, table))
    problems = store.snapshot().problems
    assert len(problems) == 2
    assert {"scores", "notes"} == {Path(problem.split()[0]).parent.name for problem in problems}


def test_a_foreign_file_is_passed_over_and_left(store):
    a = job()
    write(store, RUNS[0], (a, done(a)))
    foreign = part(store, "jobs").with_name("notes.txt")
    foreign.write_text("mine")
    snapshot = store.publish()
    assert set(snapshot.done) == {a.id}
    assert [p for p in snapshot.problems if "notes.txt is no part of a sweep: passed over" in p]
    assert foreign.read_text() == "mine"


def test_a_storage_that_does_not_answer_condemns_no_part(store, monkeypatch):
    a = job()
    write(store, RUNS[0], (a, done(a)))

    def silent(self, name):
        raise OSError("When reading object: AWS Error NETWORK_CONNECTION")

    monkeypatch.setattr(type(store.storage), "read", silent)
    with pytest.raises(OSError, match="NETWORK"):
        store.snapshot()
    monkeypatch.undo()
    assert set(store.snapshot().done) == {a.id}


def test_a_part_of_a_newer_version_is_refused(store, tmp_path):
    newer = TableSpec(schema=SCORES.schema, key=("depth",), version=2)
    a = job()
    write(Store(tmp_path, "exp", {"scores": newer, "notes": NOTES}), RUNS[0], (a, done(a)))
    with pytest.raises(NewerSchema, match="schema version 2, this code knows 1: update the project"):
        store.publish()
    assert part(store, "scores").exists()


def to_two(table: pa.Table) -> pa.Table:
    return table.append_column("per_cent", pa.array([100 * s.as_py() for s in table["score"]]))


def to_three(table: pa.Table) -> pa.Table:
    return table.rename_columns(["share" if n == "score" else n for n in table.column_names])


def test_old_parts_are_upgraded_step_by_step(store, tmp_path):
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a, 0.5)))
    schema = pa.schema(
        [pa.field("depth", pa.int64()), pa.field("share", pa.float64()), pa.field("per_cent", pa.float64())]
    )
    spec = TableSpec(schema=schema, key=("depth",), version=3, upgrades={1: to_two, 2: to_three})
    new = Store(tmp_path, "exp", {"scores": spec, "notes": NOTES})
    rows = rows_to_table([{"depth": 1, "share": 0.25, "per_cent": 25.0}], spec, "")
    write(new, RUNS[1], (b, Outcome(status="done", tables={"scores": rows})))
    snapshot = new.publish()
    assert snapshot.problems == ()
    assert sorted(published(new)["per_cent"]) == [25.0, 50.0, 50.0]
    assert pq.read_schema(f"{new.storage.root}/scores.parquet").metadata[b"schema_version"] == b"3"


def test_merging_leaves_one_part_and_the_same_rows(store):
    jobs = [job(seed=i) for i in range(4)]
    write(store, RUNS[0], *((j, done(j)) for j in jobs), each=True)
    before = store.read("scores", store.snapshot())
    journal = store.journal(RUNS[1])
    for number, j in enumerate(jobs, 1):
        journal.add(j, done(j), number)
        journal.flush()
    journal.merge()
    assert len(store.storage.names("_parts/jobs")) == 4 + 1
    assert store.read("scores", store.snapshot()).equals(before)


@pytest.mark.parametrize("deletions", range(7))
def test_a_merge_that_was_broken_off_counts_each_attempt_once(store, monkeypatch, deletions):
    """Killed after writing the merged parts and deleting some of the old ones."""
    a, b = job(), job(seed=1)
    journal = store.journal(RUNS[0])
    for number, (attempted, outcome) in enumerate(
        [(a, failed()), (a, done(a, notes=["x"])), (b, done(b, notes=["y"]))], 1
    ):
        journal.add(attempted, outcome, number)
        journal.flush()
    left, delete = [deletions], type(store.storage).delete

    def killed(self, name):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        delete(self, name)

    monkeypatch.setattr(type(store.storage), "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        journal.merge()
    monkeypatch.undo()
    snapshot = store.publish()
    assert snapshot.problems == ()
    assert set(snapshot.done) == {a.id, b.id}
    assert len(published(store)) == 4
    assert len(published(store, "notes")) == 2
    attempts = published(store, "jobs")
    assert sorted(zip(attempts["job_id"], attempts["status"], attempts["current"], strict=True)) == sorted(
        [(a.id, "failed", False), (a.id, "done", True), (b.id, "done", True)]
    )


def two_parts(store):
    """The journal of a run that has written two jobs, each in a part of its own."""
    a, b = job(), job(seed=1)
    journal = store.journal(RUNS[0])
    for j in (a, b):
        journal.add(j, done(j), 1)
        journal.flush()
    return journal, a, b


def test_a_merge_broken_off_before_its_jobs_part_never_was(store, monkeypatch):
    journal, a, b = two_parts(store)
    write_file = type(store.storage).write

    def killed(self, name, data):
        if "/jobs/" in name:
            raise KeyboardInterrupt
        write_file(self, name, data)

    monkeypatch.setattr(type(store.storage), "write", killed)
    with pytest.raises(KeyboardInterrupt):
        journal.merge()
    monkeypatch.undo()
    assert set(store.publish().done) == {a.id, b.id}
    assert len(published(store)) == 4


def test_a_merged_part_that_is_damaged_falls_back_to_what_it_was_made_of(store, monkeypatch):
    journal, a, b = two_parts(store)
    monkeypatch.setattr(type(store.storage), "delete", lambda self, name: None)
    journal.merge()
    monkeypatch.undo()
    empty(part(store, "scores", 2))
    snapshot = store.publish()
    assert set(snapshot.done) == {a.id, b.id}
    assert len(published(store)) == 4
    assert len(published(store, "jobs")) == 2


@pytest.mark.parametrize("when", ["snapshot", "rows"])
def test_a_run_that_merges_while_another_reads_loses_nothing(store, monkeypatch, when):
    jobs = [job(seed=i) for i in range(3)]
    journal = store.journal(RUNS[0])
    for j in jobs:
        journal.add(j, done(j), 1)
        journal.flush()
    merged, read = [], type(store.storage).read

    def merge_first(self, name):
        if not merged and ("/jobs/" in name) == (when == "snapshot") and name.endswith("000001.parquet"):
            merged.append(True)
            journal.merge()
        return read(self, name)

    monkeypatch.setattr(type(store.storage), "read", merge_first)
    snapshot = store.publish()
    assert merged
    assert set(snapshot.done) == {j.id for j in jobs}
    assert snapshot.problems == ()
    assert len(published(store)) == 6


def test_two_runs_on_one_store(store):
    a, b, c = job(), job(seed=1), job(seed=2)
    one, two = store.journal(RUNS[0]), store.journal(RUNS[1])
    one.add(a, done(a, 1.0), 1)
    two.add(a, done(a, 2.0), 1)
    two.add(b, failed(), 1)
    two.flush()
    one.flush()
    one.add(b, done(b, 3.0), 1)
    two.add(c, failed(), 1)
    one.merge()
    two.merge()
    snapshot = store.publish()
    assert set(snapshot.done) == {a.id, b.id}
    frame = published(store)
    assert set(frame[frame["job_id"] == a.id]["score"]) == {2.0}  # done in two runs: the later run's rows
    assert set(frame[frame["job_id"] == b.id]["score"]) == {3.0}
    current = published(store, "jobs").query("current").set_index("job_id")["status"].to_dict()
    assert current == {a.id: "done", b.id: "done", c.id: "failed"}


def test_the_last_good_attempt_counts(store):
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a, 1.0)), (b, failed()))
    write(store, RUNS[1], (a, failed()), (b, failed()), (b, done(b, 2.0)))
    snapshot = store.publish()
    assert snapshot.values("status")[a.id] == snapshot.values("status")[b.id] == "done"
    assert "never" not in snapshot.by_id
    assert snapshot.values("run") == {a.id: RUNS[0], b.id: RUNS[1]}
    assert len(published(store, "jobs")) == 5


def test_published_rows_of_overlapping_jobs_are_there_once(store):
    short, long, shorter = job(depths=(1, 2)), job(depths=(1, 2, 3)), job(depths=(2,))
    other = Job(stage=OTHER, params=Params())
    foreign_data = Job(stage=STAGE, params=Params(), fingerprints={"RTE": "1"})
    write(store, RUNS[0], (short, done(short, 1.0)), (other, done(other, 9.0)), (foreign_data, done(foreign_data, 8.0)))
    write(store, RUNS[1], (long, done(long, 2.0)))
    write(store, RUNS[2], (shorter, done(shorter, 3.0)))
    snapshot = store.publish()
    frame = published(store)
    ours = frame[~frame["job_id"].isin([other.id, foreign_data.id])]
    assert list(zip(ours["depth"], ours["score"], strict=True)) == [(1, 2.0), (2, 3.0), (3, 2.0)]
    assert len(frame) == 3 + 2 + 2  # another stage, or other data, measures something else
    assert len(store.read("scores", snapshot, [short.id])) == 2
    assert len(store.read("scores", snapshot)) == 2 + 3 + 1 + 2 + 2


def test_overlapping_jobs_of_one_run_do_not_depend_on_the_order_they_ended_in(tmp_path):
    short, long = job(depths=(1, 2)), job(depths=(1, 2, 3))
    frames = []
    for name, order in (("a", (short, long)), ("b", (long, short))):
        store = Store(tmp_path / name, "exp", {"scores": SCORES, "notes": NOTES})
        write(store, RUNS[0], *((j, done(j, float(len(j.params.depths)))) for j in order))
        store.publish()
        frames.append(published(store))
    pd.testing.assert_frame_equal(*frames)


def test_rows_of_one_job_are_never_dropped(store):
    a = job()
    write(store, RUNS[0], (a, done(a, notes=["x", "x"])))
    store.publish()
    assert len(published(store, "notes")) == 2


def test_the_order_of_jobs_does_not_show(tmp_path):
    jobs = [job(seed=i) for i in range(5)]
    frames = []
    for name, order in (("a", jobs), ("b", reversed(jobs))):
        store = Store(tmp_path / name, "exp", {"scores": SCORES, "notes": NOTES})
        write(store, RUNS[0], *((j, done(j, float(j.params.seed))) for j in order), each=name == "a")
        store.publish()
        frames.append(published(store))
    pd.testing.assert_frame_equal(*frames)


def test_a_flush_that_fails_keeps_everything(store, monkeypatch):
    a, b = job(), job(seed=1)
    journal = store.journal(RUNS[0])
    journal.add(a, done(a), 1)
    write_file = type(store.storage).write

    def full(self, name, data):
        if "/jobs/" in name:
            raise OSError(28, "No space left on device")
        write_file(self, name, data)

    monkeypatch.setattr(type(store.storage), "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.flush()
    monkeypatch.undo()
    assert journal.buffered == 1
    journal.add(b, done(b), 1)
    assert journal.flush() == 2
    assert set(store.publish().done) == {a.id, b.id}
    assert len(published(store)) == 4


def test_when_a_flush_is_due(store, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("orchestrator.journal.time.monotonic", lambda: clock[0])
    journal = store.journal(RUNS[0])
    assert not journal.due
    journal.add(job(), done(job(), seconds=1), 1)
    assert not journal.due
    clock[0] += 5
    assert journal.due
    journal.flush()
    assert not journal.due
    journal.add(job(), done(job(), seconds=61), 1)
    assert journal.due  # a job of over a minute is written at once
    journal.flush()
    for i in range(512):
        journal.add(job(), failed(), i)
    assert journal.due


def test_a_table_called_jobs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'jobs'"):
        Store(tmp_path, "exp", {"jobs": SCORES})


def test_stages_must_agree_on_columns():
    @dataclass(frozen=True, kw_only=True)
    class Words:
        seed: str

    words = Stage(name="words", function="x:y", params=Words, tables={"scores": SCORES})
    with pytest.raises(ValueError, match="words makes the column 'seed' of 'scores' string, not int64"):
        _ = Experiment(
            name="x",
            config=Params,
            presets={},
            stages=(STAGE, words),
            plan=lambda c: [],
            reduce=lambda r, c: Summary(tables={}),
        ).tables


def test_encoding_says_the_version():
    data = encode(pa.table({"a": [1]}), 7, {"scores": 3})
    assert pq.read_schema(pa.BufferReader(data)).metadata == {b"schema_version": b"7", b"rows:scores": b"3"}


def test_what_another_run_publishes_meanwhile_is_not_overwritten_by_less(store, monkeypatch):
    """One run has read the parts and not yet written its tables when another writes a part and publishes."""
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a)))
    write_file, other = type(store.storage).write, []

    def other_first(self, name, data):
        if name == "scores.parquet" and not other:
            other.append(True)
            write(store, RUNS[1], (b, done(b)))
            store.publish()
        write_file(self, name, data)

    monkeypatch.setattr(type(store.storage), "write", other_first)
    assert set(store.publish().done) == {a.id, b.id}
    assert other
    assert set(published(store)["job_id"]) == {a.id, b.id}
    assert set(published(store, "jobs")["job_id"]) == {a.id, b.id}
