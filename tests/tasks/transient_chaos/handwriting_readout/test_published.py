"""Curves, labels, solutions and errors against the text's definition, on states like those of its fixture."""

import numpy as np
import pytest
import torch

from metrics.layer_sums import add_states, empty_sums
from metrics.readout import solve_windows, window_errors
from tasks.transient_chaos.handwriting_readout.letters import STROKES, letter_shares, stroke_curve, stroke_curves
from tests.tasks.transient_chaos.handwriting_readout import published

TOY = tuple(
    tuple(zip(np.cos(np.linspace(a, a + 4, 9)).tolist(), np.sin(2 * np.linspace(a, a + 4, 9)).tolist(), strict=True))
    for a in (0.0, 1.0)
)


@pytest.mark.parametrize("strokes", [TOY, STROKES])
@pytest.mark.parametrize("mode", ["velocity", "position"])
@pytest.mark.parametrize("n", [1, 2, 5, 9, 20, 100])
def test_curves(strokes, mode, n):
    for points in strokes:
        np.testing.assert_allclose(
            stroke_curve(points, n, mode), published.curve(points, n, mode), rtol=0, atol=1e-9 * max(1, n / 10)
        )


@pytest.mark.parametrize("mode", ["velocity", "position"])
@pytest.mark.parametrize("thresholds", [None, (1, 4)])
def test_every_window_of_toy_states(mode, thresholds):
    rng = np.random.default_rng(3)
    train, dev = rng.normal(size=(30, 21, 6)), rng.normal(size=(20, 21, 6))
    scores = {"train": rng.uniform(0, 5, 30), "dev": rng.uniform(0, 5, 20)}
    low, high = thresholds or (None, None)
    kept, share = {}, {}
    for name, own in scores.items():
        kept[name], share[name] = letter_shares("STS-B", own, low=low, high=high, legacy=thresholds is None)
        if thresholds is None:
            np.testing.assert_array_equal(share[name], own.astype(int) / 5)
        else:
            np.testing.assert_array_equal(kept[name], np.flatnonzero((own <= 1) | (own >= 4)))
            np.testing.assert_array_equal(share[name], own[kept[name]] > 2.5)

    def given(states, name):
        weights = torch.from_numpy(np.stack([1 - share[name], share[name]], axis=1))
        return torch.from_numpy(states[kept[name]]).transpose(0, 1), weights

    lengths = (1, 2, 7, 11)
    curves = [torch.from_numpy(stroke_curves(TOY, n, mode)) for n in lengths]
    sums = empty_sums(0, 21, 6, 2)
    add_states(sums, *given(train, "train"))
    starts = (0, 4, 10)
    solutions = solve_windows(sums, starts, curves)
    errors = window_errors(solutions, curves, 0, *given(dev, "dev"))
    for s, i1 in enumerate(starts):
        for w, n in enumerate(lengths):
            u, v = curves[w].numpy()
            solution, error = published.readout(
                train[kept["train"]], dev[kept["dev"]], share["train"], share["dev"], u, v, i1, i1 + n
            )
            np.testing.assert_allclose(solutions.weights_SWKF[s, w].T, solution, rtol=0, atol=1e-11)
            np.testing.assert_allclose(errors[s, w], error, rtol=1e-10)
