"""Copying measures against loops, and bag statistics against enumeration."""

from itertools import permutations, product

import pytest
import torch

from metrics.copying import attention_accuracy, bag_statistics, copy_accuracy, counted_bag_statistics


def test_accuracies_count_position_by_position():
    stream = torch.Generator().manual_seed(0)
    predicted, gold = (torch.randint(3, (2, 4, 5), generator=stream) for _ in range(2))
    attended = torch.randint(6, (2, 4, 5), generator=stream)
    for member in range(2):
        cells = [(b, t) for b in range(4) for t in range(5)]
        right = sum(bool(predicted[member, b, t] == gold[member, b, t]) for b, t in cells)
        assert copy_accuracy(predicted, gold)[member] == pytest.approx(right / 20)
        for shift in (-1, 0, 1):
            hits = [int(attended[member, b, t]) == t + shift for b, t in cells]
            assert attention_accuracy(attended, shift)[member] == pytest.approx(sum(hits) / 20)
            without = [hit for hit, (_, t) in zip(hits, cells, strict=True) if t < 4]
            assert attention_accuracy(attended, shift, with_end=False)[member] == pytest.approx(sum(without) / 16)


def test_attention_that_walks_along_is_right_and_shifted_attention_late_or_early():
    exact = torch.arange(41).expand(3, 41)
    assert attention_accuracy(exact) == 1
    assert attention_accuracy(exact, 1) == attention_accuracy(exact, -1) == 0
    # One late: at the last position there is no later one, so 40 of 41 count (with the end symbol).
    assert attention_accuracy((exact + 1).clamp(max=40), 1) == pytest.approx(40 / 41)
    assert attention_accuracy((exact + 1).clamp(max=40), 1, with_end=False) == 1


def test_shapes_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match=r"predicted \(2, 3\) and gold \(2, 4\)"):
        copy_accuracy(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="no target position"):
        attention_accuracy(torch.zeros(2, 1), with_end=False)


@pytest.mark.parametrize(
    ("kind", "symbols", "length"),
    [("permutation", 4, 4), ("distinct", 5, 3), ("distinct", 4, 1), ("repeat", 3, 4), ("repeat", 4, 2)],
)
def test_bag_statistics_are_those_of_all_sequences(kind, symbols, length):
    every = list(product(range(symbols), repeat=length) if kind == "repeat" else permutations(range(symbols), length))
    counted = counted_bag_statistics(torch.tensor(every), symbols)
    known = bag_statistics(kind, symbols, length)
    for name in ("presence", "variance", "covariance"):
        assert getattr(known, name) == pytest.approx(getattr(counted, name), abs=1e-12)


def test_sequences_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="distinct of 4 symbols has no sequences of 5"):
        bag_statistics("distinct", 4, 5)
    with pytest.raises(ValueError, match="permutation of 4 symbols"):
        bag_statistics("permutation", 4, 3)
    with pytest.raises(ValueError, match="outside 0 to 3"):
        counted_bag_statistics(torch.tensor([[0, 4]]), 4)
    with pytest.raises(ValueError, match="expected"):
        counted_bag_statistics(torch.zeros(0, 3, dtype=torch.long), 4)
