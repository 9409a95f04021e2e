import numpy as np
import pytest

from tasks.attention.learning.runs import checkpoint_steps
from tasks.attention.learning.scores import Scores, halves, read_scores, write_scores
from tasks.data.errors import DataError


def scores(**changes):
    given = {
        "items": {"val": 3, "train": 1},
        "lengths": np.array([2, 1, 3, 2]),
        "half": np.array([0, 1, 0, 1]),
        "values": {"alpha": np.arange(8.0)},
        "performance": {"val": {"all": {"accuracy": 0.5}}},
    }
    return Scores(**given | changes)


def test_scores_come_back(tmp_path):
    write_scores(tmp_path, scores())
    read = read_scores(tmp_path)
    assert [list(read.quantity("alpha")[i]) for i in range(4)] == [[0, 1], [2], [3, 4, 5], [6, 7]]
    assert list(read.rows("val")) == [0, 1, 2]
    assert list(read.rows("val", "a")) == [0, 2]
    assert list(read.rows("val", "b")) == [1]
    assert list(read.rows("train", "b")) == [3]
    assert read.performance == {"val": {"all": {"accuracy": 0.5}}}


def test_what_is_missing_is_named(tmp_path):
    write_scores(tmp_path, scores())
    with pytest.raises(DataError, match="no beta among the scores, only alpha"):
        read_scores(tmp_path).quantity("beta")
    with pytest.raises(DataError, match="no items of the split 'test'"):
        read_scores(tmp_path).rows("test")
    (tmp_path / "alpha.npy").unlink()
    with pytest.raises(DataError, match=r"alpha\.npy: no such file"):
        read_scores(tmp_path)
    with pytest.raises(DataError, match=r"scores\.json"):
        read_scores(tmp_path / "elsewhere")


def test_scores_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="8 source positions"):
        write_scores(tmp_path, scores(values={"alpha": np.arange(7.0)}))
    with pytest.raises(ValueError, match="4 lengths"):
        write_scores(tmp_path, scores(items={"val": 3}))


def test_halves_are_halves_and_stay():
    half = halves(101, "val")
    assert half.sum() == 50
    assert np.array_equal(half, halves(101, "val"))
    assert not np.array_equal(half, halves(101, "train"))


def test_the_published_grid():
    steps = checkpoint_steps(4000, 250, (0, 10, 50, 100, 150, 200, 250))
    assert len(steps) == 22
    assert steps[:8] == (0, 10, 50, 100, 150, 200, 250, 500)
    assert steps[-2:] == (3750, 4000)


def test_grids_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="custom-saves is 300: give at most 200"):
        checkpoint_steps(200, 50, (10, 300))
