"""A published table is left alone only when it would come out the same."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.experiment import Job, Stage
from orchestrator.store import Store
from tests.orchestrator.test_store import NOTES, RUNS, SCORES, Params, done, failed, job, part, write

TABLES = ("scores", "notes", "jobs")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "exp", {"scores": SCORES, "notes": NOTES})


def path(store: Store, table: str) -> Path:
    return Path(store.storage.root, f"{table}.parquet")


def replaced(store: Store) -> set[str]:
    """Publish; returns the tables whose file was replaced."""
    before = {name: os.stat(path(store, name)).st_ino for name in TABLES if path(store, name).exists()}
    kept = [path(store, name).open() for name in before]  # an inode in use is not given to another file
    store.publish()
    after = {name: os.stat(path(store, name)).st_ino for name in TABLES if path(store, name).exists()}
    for file in kept:
        file.close()
    return {name for name in after if before.get(name) != after[name]}


def test_nothing_is_published_twice(store):
    a, b = job(), job(seed=1)
    journal = store.journal(RUNS[0])
    for each in (a, b):
        journal.add(each, done(each), 1)
        journal.flush()
    assert replaced(store) == {"scores", "jobs"}  # notes have no rows
    assert replaced(store) == set()
    journal.merge()  # the rows lie elsewhere now, and are the same
    assert replaced(store) == set()
    assert replaced(Store(store.storage.root.rpartition("/")[0], "exp", store.specs)) == set()


def test_what_has_changed_is_published(store, monkeypatch):
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a, 1.0)))
    assert replaced(store) == {"scores", "jobs"}
    write(store, RUNS[1], (b, failed()))
    assert replaced(store) == {"jobs"}
    write(store, RUNS[2], (a, done(a, 2.0)))  # the same job again
    assert replaced(store) == {"scores", "jobs"}
    assert set(pd.read_parquet(path(store, "scores"))["score"]) == {2.0}
    write(store, RUNS[3], (b, done(b, notes=["x"])))
    assert replaced(store) == {"scores", "notes", "jobs"}
    part(store, "notes").unlink()
    assert replaced(store) == {"scores", "notes", "jobs"}
    assert len(pd.read_parquet(path(store, "notes"))) == 0
    path(store, "scores").unlink()
    assert replaced(store) == {"scores"}
    path(store, "jobs").write_bytes(path(store, "jobs").read_bytes()[:-20])
    assert replaced(store) == {"jobs"}
    pq.write_table(pq.read_table(path(store, "scores")).replace_schema_metadata(None), path(store, "scores"))
    assert replaced(store) == {"scores"}
    monkeypatch.setattr("orchestrator.published.code_digest", lambda: "another")
    assert replaced(store) == {"scores", "notes", "jobs"}
    assert replaced(store) == set()


def test_another_definition_of_a_table_is_published(store, tmp_path):
    a = job()
    write(store, RUNS[0], (a, done(a, 1.0)))
    store.publish()
    newer = Store(tmp_path, "exp", {"scores": replace(SCORES, version=2), "notes": NOTES})
    assert replaced(newer) == {"scores"}
    other_key = Store(tmp_path, "exp", {"scores": replace(SCORES, version=2, key=("depth", "score")), "notes": NOTES})
    assert replaced(other_key) == {"scores"}


def test_a_snapshot_that_another_sweep_published_late_is_replaced(store):
    """Two sweeps on one store: the slower one publishes what it saw before the other's last rows."""
    a, b = job(), job(seed=1)
    write(store, RUNS[0], (a, done(a)))
    old = store.snapshot()
    write(store, RUNS[1], (b, done(b)))
    store.publish()
    assert store._publish(old) is old
    assert set(pd.read_parquet(path(store, "scores"))["job_id"]) == {a.id}
    assert replaced(store) == {"scores", "jobs"}
    assert set(pd.read_parquet(path(store, "scores"))["job_id"]) == {a.id, b.id}


CHANGES = st.one_of(
    st.tuples(st.just("done"), st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.just("failed"), st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.just("damage"), st.sampled_from(["scores", "notes", "jobs"]), st.integers(0, 5)),
    st.tuples(st.just("merge"), st.none(), st.integers(0, 4)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, max_size=7))
def test_a_table_that_is_left_alone_is_the_one_that_would_be_written(tmp_path_factory, changes):
    store = Store(tmp_path_factory.mktemp("store"), "exp", {"scores": SCORES, "notes": NOTES})
    journals = [store.journal(run) for run in RUNS]
    for number, (kind, which, at) in enumerate(changes):
        if kind == "merge":
            journals[at].merge()
        elif kind == "damage":
            parts = sorted(Path(store.storage.root, "_parts", which).glob("*.parquet"))
            if parts:
                parts[at % len(parts)].write_bytes(b"")
        else:
            a = job(seed=which, depths=(1, which))
            outcome = done(a, float(number), notes=["x"] * (number % 2) or None) if kind == "done" else failed()
            journals[at].add(a, outcome, number)
            journals[at].flush()
        store.publish()
        ours = {name: pq.read_table(path(store, name)) for name in TABLES if path(store, name).exists()}
        for name in ours:
            path(store, name).unlink()
        store.publish()
        for name, table in ours.items():
            if path(store, name).exists():
                assert table.equals(pq.read_table(path(store, name))), name
            else:
                assert table.num_rows == 0


@dataclass(frozen=True, kw_only=True)
class Tuned(Params):
    """Parameters of a stage that writes the same table, with one of its own."""

    precision: str = "float32"
    layers: int | None = None


TRAIN = Stage(name="train", function="x:y", params=Params, tables={"scores": SCORES})
TUNE = Stage(name="tune", function="x:y", params=Tuned, tables={"scores": SCORES})


@pytest.mark.parametrize("ran", [(TRAIN,), (TUNE,), (TRAIN, TUNE), (TUNE, TRAIN)])
def test_columns_do_not_depend_on_what_was_run(tmp_path, ran):
    store = Store(tmp_path, "exp", {"scores": SCORES}, [TRAIN, TUNE])
    for run, stage in zip(RUNS, ran, strict=False):
        each = Job(stage=stage, params=stage.params())
        write(store, run, (each, done(each)))
    store.publish()
    schema = pq.read_schema(path(store, "scores"))
    parameters = ["task", "seed", "rate", "shuffle", "precision", "layers"]
    assert schema.names == ["depth", "score", *parameters, "data", "job_id"]
    assert (str(schema.field("precision").type), str(schema.field("layers").type)) == ("string", "int64")
    rows = pq.read_table(path(store, "scores")).to_pylist()
    assert {row["precision"] for row in rows} == {"float32" if stage is TUNE else None for stage in ran}
    assert store.read("scores", store.snapshot()).schema.names == schema.names


def test_without_rows_a_table_has_all_its_columns(tmp_path):
    store = Store(tmp_path, "exp", {"scores": SCORES}, [TRAIN, TUNE])
    empty = store.read("scores", store.snapshot())
    assert empty.schema.names[-4:] == ["precision", "layers", "data", "job_id"]
    assert empty.num_rows == 0


def test_a_table_of_before_gets_the_columns_of_a_new_stage(store, tmp_path):
    each = job()
    write(store, RUNS[0], (each, done(each)))
    assert replaced(store) == {"scores", "jobs"}
    newer = Store(tmp_path, "exp", {"scores": SCORES, "notes": NOTES}, [TRAIN, TUNE])
    assert replaced(newer) == {"scores"}
    assert "precision" in pq.read_schema(path(newer, "scores")).names
