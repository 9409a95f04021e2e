"""Options declared once: limits in types, one wording, and what a Config and parameters share."""

from dataclasses import dataclass, fields
from typing import Annotated, Literal

import annotated_types
import pytest
from annotated_types import Ge, Le
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.identity import canonical_json
from orchestrator.limits import AboveZero, Distinct, Limited, Positive, Probability, Several, Share, require, shared
from orchestrator.options import Ints


@dataclass(frozen=True, kw_only=True)
class Batches(Limited):
    batch_size: Positive = 8
    """Examples a training step."""
    epochs: Positive | None = None
    dropout: Probability = 0.1


@dataclass(frozen=True, kw_only=True)
class Reading(Limited):
    max_length: Annotated[int, Ge(3), Le(512)] = 64


@dataclass(frozen=True, kw_only=True)
class Config(Batches, Reading):
    learning_rate: AboveZero = 1e-3
    part: Share = 1.0
    depths: Annotated[Ints, Distinct(), Ge(1)] = (1, 2)
    encoders: Several[Literal["pretrained", "random"]] = ("pretrained",)
    scale: float = 1.0
    name: str = "any"


@dataclass(frozen=True, kw_only=True)
class Params(Reading, Batches):
    depth: Positive
    learning_rate: float = 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch_size", 0, "^batch-size is 0: give at least 1$"),
        ("epochs", -1, "^epochs is -1: give at least 1$"),
        ("dropout", 1.0, "^dropout is 1.0: give at least 0 and less than 1$"),
        ("dropout", float("nan"), "^dropout is nan: give at least 0 and less than 1$"),
        ("max_length", 513, "^max-length is 513: give at least 3 and at most 512$"),
        ("learning_rate", 0, "^learning-rate is 0: give more than 0$"),
        ("learning_rate", float("inf"), "^learning-rate is inf: give more than 0$"),
        ("part", 1.5, "^part is 1.5: give more than 0 and at most 1$"),
        ("depths", (3, 0), "^depths is 0: give at least 1$"),
        ("depths", (3, 3), "^depths has 3 twice: give each value once$"),
        ("encoders", (), "^encoders is empty: give at least one$"),
        ("encoders", ("random", "random"), "^encoders has random twice: give each value once$"),
        ("scale", float("nan"), "^scale is nan: give a finite number$"),
    ],
)
def test_a_value_beyond_its_limit_is_refused_by_name_value_and_remedy(name, value, message):
    with pytest.raises(ValueError, match=message):
        Config(**{name: value})


def test_values_at_their_limits_and_none_are_taken():
    assert Config(batch_size=1, epochs=None, dropout=0, max_length=512, part=1, depths=(), scale=-1e300).part == 1


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_a_group_is_checked_wherever_it_is_inherited(batch_size, depth):
    fine = batch_size >= 1 and depth >= 1
    if fine:
        assert Params(batch_size=batch_size, depth=depth).batch_size == batch_size
    else:
        with pytest.raises(ValueError, match="give at least 1"):
            Params(batch_size=batch_size, depth=depth)


def test_what_is_shared_is_the_groups_that_both_inherit_and_nothing_else():
    config = Config(batch_size=3, max_length=9, learning_rate=0.5)
    assert shared(config, Params) == {"batch_size": 3, "epochs": None, "dropout": 0.1, "max_length": 9}
    assert shared(config, Reading) == {"max_length": 9}


def test_inheriting_a_group_leaves_identity_as_if_its_fields_were_the_classes_own():
    @dataclass(frozen=True, kw_only=True)
    class Flat:
        depth: int
        learning_rate: float = 1.0
        batch_size: int = 8
        epochs: int | None = None
        dropout: float = 0.1
        max_length: int = 64

    assert canonical_json(Params(depth=2)) == canonical_json(Flat(depth=2))
    assert [f.name for f in fields(Params)] == [
        "batch_size", "epochs", "dropout", "max_length", "depth", "learning_rate",
    ]  # fmt: skip


def test_a_limit_that_would_not_be_checked_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Odd(Limited):
        heads: Annotated[int, annotated_types.MultipleOf(2)] = 2

    with pytest.raises(TypeError, match="MultipleOf"):
        Odd()


def test_what_concerns_several_fields_is_refused_in_the_same_words():
    with pytest.raises(ValueError, match=r"^train-limit is 0: give 1 or more with --quick$"):
        require(False, "train_limit", 0, "1 or more with --quick")
    require(True, "train_limit", 0, "nothing")
    with pytest.raises(ValueError, match=r"^levels is 1 2: give one$"):
        require(False, "levels", (1, 2), "one")


def test_the_checks_of_a_base_without_limits_are_made_too():
    @dataclass(frozen=True, kw_only=True)
    class Plain:
        size: int = 2

        def __post_init__(self):
            require(self.size % 2 == 0, "size", self.size, "an even number")

    @dataclass(frozen=True, kw_only=True)
    class Mixed(Batches, Plain):
        pass

    assert Mixed().size == 2
    with pytest.raises(ValueError, match=r"^size is 3: give an even number$"):
        Mixed(size=3)
