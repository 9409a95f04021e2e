"""The rule by which any table becomes metrics, and any parameters flat ones."""

import math
import re
from dataclasses import dataclass

import pyarrow as pa
import pytest

from orchestrator.experiment import Job, Stage, TableSpec
from orchestrator.measurements import Measurement, measurements, parameters


def spec(key: tuple[str, ...], **columns: pa.DataType) -> TableSpec:
    return TableSpec(schema=pa.schema(list(columns.items())), key=key)


def told(spec: TableSpec, rows: list[dict], name: str = "scores") -> list[Measurement]:
    return list(measurements({name: pa.Table.from_pylist(rows, schema=spec.schema)}, {name: spec}))


INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()


def test_the_example_of_the_docstring():
    scores = spec(("depth", "split"), depth=INT, split=TEXT, metric=TEXT, value=FLOAT)
    assert told(scores, [{"depth": 3, "split": "dev", "metric": "accuracy", "value": 0.7}]) == [
        Measurement("scores/dev/accuracy", 0.7, 3)
    ]


def test_the_first_whole_number_is_the_step_and_the_others_name():
    table = spec(
        ("seed", "split", "depth", "rate", "tied"),
        seed=INT,
        split=TEXT,
        depth=INT,
        rate=FLOAT,
        tied=pa.bool_(),
        value=FLOAT,
    )
    [only] = told(table, [{"seed": 4, "split": "dev", "depth": 3, "rate": 0.5, "tied": True, "value": 1.0}])
    assert only == Measurement("scores/dev/depth-3/rate-0.5/tied-True", 1.0, 4)


def test_several_values_are_named_by_their_columns():
    table = spec(("step",), step=INT, value=FLOAT, error=pa.float32(), count=INT, text=TEXT)
    row = {"step": 2, "value": 1.0, "error": 0.5, "count": 3, "text": "x"}
    assert told(table, [row]) == [Measurement("scores/value", 1.0, 2), Measurement("scores/error", 0.5, 2)]


def test_a_metric_column_in_the_key_names_once():
    table = spec(("metric",), metric=TEXT, value=FLOAT)
    assert told(table, [{"metric": "f1", "value": 0.5}]) == [Measurement("scores/f1", 0.5, 0)]
    numbers = spec((), metric=INT, value=FLOAT)  # a column called metric that holds no names
    assert told(numbers, [{"metric": 1, "value": 0.5}]) == [Measurement("scores", 0.5, 0)]


def test_missing_values_are_left_out_and_odd_ones_are_not():
    table = spec(("step",), step=INT, value=FLOAT)
    values = [1.0, None, math.nan, math.inf]
    found = told(table, [{"step": i, "value": v} for i, v in enumerate(values)])
    assert [m.step for m in found] == [0, 2, 3]
    assert [math.isfinite(m.value) for m in found] == [True, False, False]


def test_tables_without_numbers_or_of_another_stage_give_nothing():
    table = spec((), note=TEXT)
    assert told(table, [{"note": "x"}]) == []
    assert list(measurements({"other": pa.table({"value": [1.0]})}, {"scores": table})) == []
    assert told(spec((), value=FLOAT), []) == []


@pytest.mark.parametrize("text", ["../../etc", "a/b", ".", "..", "", "x" * 300, "<b>", "é\n", "a=b;c", " "])
def test_names_are_fit_for_a_file_store(text):
    """No part of a name is empty or leads elsewhere, and different names stay different."""
    table = spec(("split",), split=TEXT, value=FLOAT)
    [found] = told(table, [{"split": text, "value": 1.0}])
    assert re.fullmatch(r"scores/[\w.\- ]+", found.name, re.ASCII)
    assert len(found.name) <= 250
    assert found.name.removeprefix("scores/").strip(". ")
    [longer] = told(table, [{"split": text + "x" * 300, "value": 1.0}])
    assert longer.name != found.name


def test_every_name_of_a_table_has_as_many_parts():
    """A file store keeps a metric in a file: `a` and `a/b` cannot both be."""
    table = spec(("split",), split=TEXT, metric=TEXT, value=FLOAT, other=FLOAT)
    rows = [{"split": s, "metric": m, "value": 1.0, "other": 2.0} for s in ("a", "", "a/b") for m in ("", "b", "value")]
    assert {m.name.count("/") for m in told(table, rows)} == {3}


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Params:
    number: int = 1
    inner: Inner = Inner()
    seeds: tuple[int, ...] = (1, 2)
    text: str = "plain"
    nothing: str | None = None
    long: str = "x" * 9000


def test_parameters_are_flat_texts():
    stage = Stage(name="s", function="tests.toy:square", params=Params)
    flat = parameters(Job(stage=stage, params=Params(), fingerprints={"RTE": "0123"}))
    assert flat["number"] == "1"
    assert flat["inner.rate"] == "0.5"
    assert flat["seeds"] == "[1, 2]"
    assert flat["text"] == "plain"
    assert flat["nothing"] == "null"
    assert flat["data"] == "RTE@0123"
    assert len(flat["long"]) == 6000
    assert flat["long"].endswith("x…")
