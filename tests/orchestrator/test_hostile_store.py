"""Stores in which somebody else has written: pickles, types that bring code, names that steer a terminal."""

import json
import pickle
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.names import UnsafePath
from orchestrator.printable import Terminal
from orchestrator.store import Store
from tests import toy
from tests.payload import Payload


@pytest.fixture
def mark(tmp_path):
    """Where a payload leaves its mark; the payload is live, and at the end it has not run."""
    place = tmp_path / "mark"
    pickle.loads(pickle.dumps(Payload(place)))
    assert place.exists()
    place.rmdir()
    yield place
    assert not place.exists(), "something was unpickled"


def parts(out: Path, table: str) -> list[Path]:
    return sorted((out / "toy" / "_parts" / table).glob("*.parquet"))


def replace_column(path: Path, name: str, values: pa.Array) -> None:
    table = pq.read_table(path)
    at = table.schema.names.index(name)
    pq.write_table(table.set_column(at, name, values).replace_schema_metadata(table.schema.metadata), path)


def pickled_column(mark: Path, rows: int) -> pa.Array:
    """Ray's own column of pickles; importing it registers the type with Arrow in this process."""
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectType

    storage = pa.array([pickle.dumps(Payload(mark))] * rows, pa.large_binary())
    return pa.ExtensionArray.from_storage(ArrowPythonObjectType(), storage)


@pytest.mark.parametrize(("table", "column"), [("squares", "value"), ("squares", "extra"), ("jobs", "message")])
def test_a_part_with_a_column_of_pickles_is_set_aside(table, column, sweep, out, mark, capsys):
    assert sweep("--numbers", "1-2") == 0
    [path] = parts(out, table)
    found = pq.read_table(path)
    pickles = pickled_column(mark, found.num_rows)
    if column in found.schema.names:
        replace_column(path, column, pickles)
    else:
        pq.write_table(found.append_column(column, pickles), path)
    pq.read_table(path).to_pylist()
    assert mark.exists()  # the part is live: reading it plainly runs it
    mark.rmdir()
    capsys.readouterr()
    assert sweep("--numbers", "1-2") == 0
    assert "set aside as *.corrupt" in capsys.readouterr().out
    assert sorted(pd.read_parquet(out / "toy" / "squares.parquet")["value"]) == [1, 1, 4, 4]
    assert sweep("--numbers", "1-2", "--status") == 0
    assert sweep("--numbers", "1-2", "--reduce-only") == 0


def test_a_plan_with_a_column_of_pickles_is_not_read(sweep, out, mark):
    assert sweep("--numbers", "1") == 0
    [run] = (out / "toy" / "_runs").iterdir()
    replace_column(run / "plan.parquet", "job_id", pickled_column(mark, 2))
    assert sweep("--numbers", "1", "--gc") == 0
    assert sweep("--numbers", "1", "--status") == 0


def test_pandas_metadata_and_unknown_types_run_nothing(sweep, out, mark):
    """`pandas` metadata name types to be made; an unregistered extension type is read as its storage."""
    assert sweep("--numbers", "1") == 0
    [path] = parts(out, "squares")
    table = pq.read_table(path)
    hostile = {
        "index_columns": ["value"],
        "column_indexes": [{"name": None, "pandas_type": "object", "numpy_type": f"__import__('os').mkdir('{mark}')"}],
        "columns": [{"name": "value", "pandas_type": "object", "numpy_type": "O", "metadata": {"pickle": True}}],
    }
    field = pa.field("value", pa.float64(), metadata={
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Payload(mark)),
    })  # fmt: skip
    schema = table.schema.set(table.schema.names.index("value"), field)
    metadata = {**(table.schema.metadata or {}), b"pandas": json.dumps(hostile).encode()}
    pq.write_table(table.cast(schema).replace_schema_metadata(metadata), path)
    assert sweep("--numbers", "1") == 0
    assert sweep("--numbers", "1", "--reduce-only") == 0


def test_planted_files_are_named_and_never_opened(sweep, out, mark, capsys):
    assert sweep("--numbers", "1") == 0
    bomb = pickle.dumps(Payload(mark))
    [path] = parts(out, "jobs")
    (out / "toy" / "_parts" / "jobs" / "planted.pkl").write_bytes(bomb)
    path.with_name(path.name[:-14] + "000099.parquet").write_bytes(bomb)  # named like a part
    (out / "toy" / "_runs" / "00000000T000000-0000").mkdir()
    (out / "toy" / "_runs" / "00000000T000000-0000" / "config.json").write_bytes(bomb)
    for name in ("squares.parquet", "jobs.parquet", "summary/means.parquet", "report.html", "x.npz", "x.pt"):
        (out / "toy" / name).write_bytes(bomb)
    capsys.readouterr()
    for option in ((), ("--status",), ("--plan",), ("--reduce-only",), ("--gc",)):
        assert sweep("--numbers", "1", *option) == 0
    shown = capsys.readouterr().out
    assert "planted.pkl is no part of a sweep" in shown
    assert "000099.parquet is damaged" in shown


def test_names_of_planted_files_do_not_steer_the_terminal(sweep, out, capsys):
    assert sweep("--numbers", "1") == 0
    (out / "toy" / "_parts" / "jobs" / "\x1b[2J[red]:smile:\x07.txt").touch()
    (out / "toy" / "figures").mkdir(exist_ok=True)
    (out / "toy" / "_runs" / "9\x1b]0;title\x07").mkdir()
    for option in ((), ("--status",)):
        assert sweep("--numbers", "1", *option) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\x1b[2J[red]:smile:\\x07.txt is no part" in shown
    assert "run 9\\x1b]0;title\\x07: its driver has left no word" in shown


def test_a_terminal_shows_cells_as_they_are(capsys):
    from rich.table import Table

    table = Table(title="[red]\x1b[2Jt", box=None)
    table.add_column("[b]\x07")
    table.add_row("[link=x]\x1b]8;;http://x\x07")
    Terminal().print(table)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert all(text in shown for text in ("[red]\\x1b[2Jt", "[b]\\x07", "[link=x]\\x1b]8;;http://x\\x07"))


def test_a_store_of_another_experiment_is_another_directory(tmp_path):
    one, two = (Store(tmp_path, name, toy.EXPERIMENT.tables) for name in ("one", "two"))
    one.storage.write("x", b"one")
    assert not two.storage.exists("x")
    with pytest.raises(UnsafePath):
        one.storage.write("../two/x", b"one")
