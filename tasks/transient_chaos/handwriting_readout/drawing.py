"""Rows for single dev examples: their errors in a window, and the curves of those that are written best.

Dimensions: N examples, L layers of a window, K = 2 coordinates, F features and a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.readout import window_outputs
from tasks.transient_chaos.handwriting_readout.letters import STROKES, stroke_curves
from tasks.transient_chaos.handwriting_readout.stages import HandwritingParams
from tasks.transient_chaos.handwriting_readout.states import FirstTokens, Labelled


@dataclass(kw_only=True)
class KeptWindow:
    """A window whose examples become rows."""

    rank: tuple[float, int, int]
    """Mean error over dev examples, first layer and length: the best window has the smallest."""
    asked: bool
    """Whether the parameters name it."""
    best: bool = False
    """Whether it is the best of the job."""
    weights_KF: Tensor
    samples: np.ndarray
    """int64 [N]: dev examples."""
    errors: np.ndarray
    """float64 [N]."""

    @property
    def start(self) -> int:
        return self.rank[1]

    @property
    def length(self) -> int:
        return self.rank[2]


def sample_rows(window: KeptWindow, dev: Labelled) -> list[dict[str, Any]]:
    """A row for every dev example of one window."""
    return [
        {
            "start": window.start,
            "length": window.length,
            "sample": sample,
            "label": float(dev.split.labels[sample]),
            "share": float(dev.share_N[sample]),
            "best": window.best,
            "error": error,
        }
        for sample, error in zip(window.samples.tolist(), window.errors.tolist(), strict=True)
    ]


def best_written(window: KeptWindow, dev: Labelled, count: int) -> list[int]:
    """Up to `count` examples with the smallest errors of those that write the first letter alone, then the second's."""
    chosen: list[int] = []
    share = dev.share_N[window.samples]
    for letter in (0.0, 1.0):
        of_letter = np.flatnonzero((share == letter) & ~np.isnan(window.errors))
        order = of_letter[np.argsort(window.errors[of_letter], kind="stable")[:count]]
        chosen += window.samples[order].tolist()
    return chosen


def drawing_rows(
    params: HandwritingParams, tokens: FirstTokens, dev: Labelled, windows: Sequence[KeptWindow]
) -> list[dict[str, Any]]:
    """A row for every point of the curves of the best written examples of each window.

    The batches of these examples are run once more; nothing else of the states was kept.
    """
    chosen = [best_written(window, dev, params.drawn_samples) for window in windows]
    every = sorted({sample for samples in chosen for sample in samples})
    if not every:
        return []
    first = min(window.start for window in windows)
    last = max(window.start + window.length for window in windows) - 1
    states = tokens.states_of(dev.name, dev.split, dev.samples, every, first, last)
    rows = []
    for window, samples in zip(windows, chosen, strict=True):
        if not samples:
            continue
        own = slice(window.start - first, window.start - first + window.length)
        x_LNH = torch.stack([states[sample][own] for sample in samples], dim=1)
        outputs_NLK = window_outputs(window.weights_KF, x_LNH).cpu().numpy()
        curves_CLK = stroke_curves(STROKES, window.length, params.write_mode)
        for sample, output_LK in zip(samples, outputs_NLK, strict=True):
            share = float(dev.share_N[sample])
            target_LK = (1 - share) * curves_CLK[0] + share * curves_CLK[1]
            lead = {"start": window.start, "length": window.length, "sample": sample}
            lead |= {"label": float(dev.split.labels[sample]), "share": share}
            rows += [
                {**lead, "point": j, "x": x, "y": y, "target_x": target_x, "target_y": target_y}
                for j, ((x, y), (target_x, target_y)) in enumerate(
                    zip(output_LK.tolist(), target_LK.tolist(), strict=True)
                )
            ]
    return rows
