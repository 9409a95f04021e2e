import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experiment import Job, Stage
from orchestrator.identity import UnstableValue, canonical_json, coerce, content_hash, job_id

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Params:
    epochs: float = 3.0
    depths: tuple[int, ...] = (1, 2)
    pair: tuple[float, str] = (1.0, "a")
    kind: Literal["a", 1] = "a"
    seed: int | None = None
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    rates: Mapping[str, float] | None = None


def job(**params) -> Job:
    return Job(stage=STAGE, params=Params(**params), fingerprints={"RTE": "0123"})


STAGE = Stage(name="train", function="nowhere:train", params=Params)


def turned(value):
    """The value with every dict in the opposite order and every list a tuple."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    return tuple(map(turned, value)) if isinstance(value, list) else value


@given(VALUES)
def test_order_of_keys_and_kind_of_sequence_do_not_matter(value):
    assert canonical_json(value) == canonical_json(turned(value))
    assert content_hash(value) == content_hash(turned(value))


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_in_float_fields_are_floats(number):
    assert job(epochs=number).id == job(epochs=float(number)).id
    assert job(inner=Inner(rate=number)).id == job(inner=Inner(rate=float(number))).id
    assert job(rates={"a": number}).id == job(rates={"a": float(number)}).id


@given(st.integers(-(2**53), 2**53))
def test_floats_in_whole_number_fields_are_whole_numbers(number):
    assert job(seed=float(number)).id == job(seed=number).id


def test_minus_zero_is_zero():
    assert job(epochs=-0.0).id == job(epochs=0.0).id


def test_a_list_and_a_tuple_are_one_job():
    assert job(depths=[1, 2]).id == job(depths=(1, 2)).id
    assert job(depths=(2, 1)).id != job(depths=(1, 2)).id


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        len,
        lambda: 0,
        np.zeros(2),
        np.float32(1),
        {1, 2},
        b"x",
        object(),
        {1: 2},
        [[{"a": {3}}]],
    ],
)
def test_values_without_a_stable_form_are_refused(value):
    with pytest.raises(UnstableValue, match="params"):
        canonical_json(value, "params")


def test_the_refusal_says_where():
    with pytest.raises(UnstableValue, match=r"train job\.params\.epochs is nan"):
        _ = job(epochs=float("nan")).id


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epochs": True}, "epochs"),
        ({"epochs": "3"}, "epochs"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"depths": "12"}, "depths"),
        ({"depths": (1.5,)}, r"depths\[0\]"),
        ({"pair": (1.0,)}, "pair has 1 items"),
        ({"kind": "b"}, "choose one of 'a', 1"),
        ({"kind": True}, "kind"),
        ({"kind": 1.0}, "kind"),
        ({"rates": {"a": "b"}}, r"rates\['a'\]"),
    ],
)
def test_values_of_another_type_are_refused_by_name(params, message):
    with pytest.raises(TypeError, match=message):
        coerce(Params(**params))


def test_known_ids():
    """A change of these is a change of identity: every finished sweep would run again."""
    text = (
        '{"data":{"RTE":"0123"},"needs":{},"params":{"colour":"red","depths":[1,2],"epochs":3.0,"inner":{"rate":0.0},'
        '"kind":"a","pair":[1.0,"a"],"rates":null,"seed":null},"stage":"train","version":1}'
    )
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == job().id == "e0a0e62d5d9faae2"
    assert job(epochs=1, depths=[3], kind=1, seed=7, rates={"b": 2, "a": 1}).id == "13be3a20c5f214f0"
    assert Job(stage=STAGE, params=Params(), needs={"features": job()}).id == "c221f3b72663e11c"


@given(
    st.text(),
    st.integers(1, 9),
    st.dictionaries(st.text(), VALUES, max_size=4),
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.dictionaries(st.text(), st.text(alphabet="0123456789abcdef", min_size=16, max_size=16), max_size=3),
)
def test_an_id_is_the_content_hash_of_all_that_is_in_it(stage, version, params, data, needs):
    """The id is put together of written pieces; it is the hash of the whole all the same."""
    whole = {"stage": stage, "version": version, "params": params, "data": data, "needs": needs}
    assert job_id(stage, version, params, data, needs) == content_hash(whole)


def test_a_fingerprint_without_a_stable_form_is_refused():
    with pytest.raises(UnstableValue, match=r"train job\.data\.RTE is nan"):
        Job(stage=STAGE, params=Params(), fingerprints={"RTE": float("nan")})  # pyright: ignore[reportArgumentType]


def test_everything_that_shapes_the_numbers_is_in_the_id():
    other_version = Stage(name="train", function="nowhere:train", params=Params, version=2)
    other_name = Stage(name="test", function="nowhere:train", params=Params)
    other_place = Stage(name="train", function="elsewhere:train", params=Params)
    params = Params()
    ids = [
        job().id,
        Job(stage=other_version, params=params, fingerprints={"RTE": "0123"}).id,
        Job(stage=other_name, params=params, fingerprints={"RTE": "0123"}).id,
        Job(stage=STAGE, params=params, fingerprints={"RTE": "4567"}).id,
        Job(stage=STAGE, params=params, fingerprints={"RTE": "0123"}, needs={"x": job()}).id,
        Job(stage=STAGE, params=params, fingerprints={"RTE": "0123"}, needs={"x": job(seed=1)}).id,
    ]
    assert len(set(ids)) == len(ids)
    same = Job(stage=other_place, params=params, fingerprints={"RTE": "0123"}, paths={"RTE": "/data"}, passes=3.0)
    assert same.id == job().id
