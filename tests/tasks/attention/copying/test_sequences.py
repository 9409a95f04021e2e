"""Settings by name, and sequences drawn from streams."""

import pytest
import torch

from tasks.attention.copying.options import Setting, parse_setting
from tasks.attention.copying.training import draw_sequences, framed
from tasks.training.seeds import torch_stream


def test_names_and_settings_are_one_for_one():
    for name in ("permutation-40", "distinct-60", "repeat-40"):
        assert parse_setting(name).name == name
    assert parse_setting("distinct-60") == Setting(kind="distinct", symbols=60)


@pytest.mark.parametrize("name", ["permutation", "permutation-", "shuffled-40", "repeat-x", "repeat--4", "40"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is no setting: write KIND-SYMBOLS"):
        parse_setting(name)


@pytest.mark.parametrize(
    ("name", "length", "message"),
    [
        ("permutation-40", 30, "length is 30: give 40 with permutation-40, or copy permutation-30 or distinct-40"),
        ("permutation-40", 41, "copy permutation-41"),
        ("distinct-40", 41, "copy distinct-61"),  # the published code makes it shorter
        ("distinct-40", 40, "less than 40 with distinct-40, or copy distinct-60 or permutation-40"),
    ],
)
def test_lengths_that_a_setting_does_not_have_are_refused(name, length, message):
    with pytest.raises(ValueError, match=message):
        draw_sequences(parse_setting(name), length, 3, torch_stream(0))


def test_one_symbol_is_refused():
    with pytest.raises(ValueError, match="symbols is 1: give at least 2"):
        parse_setting("repeat-1")


def test_any_length_goes_with_repetition():
    drawn = draw_sequences(parse_setting("repeat-4"), 9, 50, torch_stream(0))
    assert drawn.shape == (50, 9)
    assert set(drawn.flatten().tolist()) == {0, 1, 2, 3}


def test_a_permutation_has_every_symbol_once_and_any_order():
    drawn = draw_sequences(parse_setting("permutation-3"), 3, 600, torch_stream(1))
    assert (drawn.sort(1).values == torch.arange(3)).all()
    kinds, counts = drawn.unique(dim=0, return_counts=True)
    assert len(kinds) == 6
    assert (counts - 100).abs().max() < 5 * (100 * 5 / 6) ** 0.5


def test_frames_keep_leading_axes():
    source, target = framed(torch.tensor([[[2, 0, 1]], [[1, 0, 2]]]), 3)
    assert source.tolist() == [[[2, 0, 1, 3]], [[1, 0, 2, 3]]]
    assert target.tolist() == [[[4, 2, 0, 1, 3]], [[4, 1, 0, 2, 3]]]
