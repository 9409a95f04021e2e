import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transient_chaos.handwriting_readout.labels import letter_shares


@given(st.lists(st.floats(0, 5), min_size=1, max_size=30))
def test_scores_mix_the_letters_truncated_only_as_published(scores):
    kept, share = letter_shares("STS-B", np.array(scores))
    np.testing.assert_array_equal(kept, np.arange(len(scores)))
    np.testing.assert_array_equal(share, np.array(scores) / 5)
    np.testing.assert_array_equal(
        letter_shares("STS-B", np.array(scores), legacy=True)[1], [int(s) / 5 for s in scores]
    )


def test_thresholds_keep_both_ends():
    kept, share = letter_shares("STS-B", np.array([1.0, 4.0, 2.5, 0.2, 5.0, 3.9]), low=1, high=4)
    assert kept.tolist() == [0, 1, 3, 4]
    assert share.tolist() == [0, 1, 0, 1]


def test_classes_are_the_letters():
    kept, share = letter_shares("QQP", np.array([0, 1, 1]))
    assert (kept.tolist(), share.tolist()) == ([0, 1, 2], [0, 1, 1])
    assert letter_shares("similarity", np.array([0.25]))[1].tolist() == [0.25]


@pytest.mark.parametrize(
    ("task", "labels", "options", "message"),
    [
        ("STS-B", [], {}, "dev of STS-B is empty"),
        ("MNLI", [0, 2], {}, "MNLI has 3 classes"),
        ("QQP", [0, -1], {}, "example 1 has the label -1.0; the readout needs the classes 0 and 1"),
        ("QQP", [0, 0.5], {}, "example 1 has the label 0.5"),
        ("STS-B", [float("nan")], {}, "example 0 has the label nan; the readout needs scores from 0 to 5"),
        ("STS-B", [5.5], {}, "scores from 0 to 5"),
        ("STS-B", [2.0, 3.0], {"low": 1.0, "high": 4.0}, "dev of STS-B has no score up to 1"),
        ("STS-B", [0.5, 3.0], {"low": 1.0, "high": 4.0}, "dev of STS-B has no score from 4 on"),
    ],
)
def test_labels_that_no_letter_belongs_to_are_refused(task, labels, options, message):
    with pytest.raises(ValueError, match=message):
        letter_shares(task, np.array(labels, dtype=float), split="dev", **options)
