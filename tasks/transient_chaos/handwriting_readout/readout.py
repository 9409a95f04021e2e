"""The stage `handwriting`: the readouts of all windows of one encoder on one task (README 8).

A pass over the training examples makes the sums of every layer, all windows are solved from them, and a pass over the
dev examples gives every window's errors, block of examples after block. Where the sums of all layers or the errors of
all windows do not fit into memory, the starts come in groups, each with passes of its own; the numbers are the same.

Dimensions: N dev examples used, S starts, W lengths, H hidden.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.layer_sums import LayerSums, add_states, empty_sums
from metrics.least_squares import SOLVERS
from metrics.readout import WindowSolutions, solve_windows, window_errors
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.transient_chaos.handwriting_readout.drawing import KeptWindow, drawing_rows, sample_rows
from tasks.transient_chaos.handwriting_readout.letters import STROKES, stroke_curves
from tasks.transient_chaos.handwriting_readout.stages import HandwritingParams
from tasks.transient_chaos.handwriting_readout.states import FirstTokens, Labelled, open_inputs, start_groups

ROUNDING = 2.0  # directions in which states vary by less than two units of their rounding are rounding alone


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Seconds by what was done in them."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("sum", "solve", "error"), 0.0))

    @contextlib.contextmanager
    def timing(self, name: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        synchronise(self.device)
        self.seconds[name] += time.perf_counter() - before


def handwriting(params: HandwritingParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `windows`, `samples`, `drawings`, `faults` and `costs` for one encoder and task.

    The tokens are in `context.needs["tokens"]`, a checkpoint in `context.paths["model"]` or `context.needs["model"]`.

    Raises:
        ValueError: data or encoder do not fit the parameters, no example of a split has finite states, or the sums of
            one start's layers do not fit into memory.
    """
    lead = {"task": params.task, "encoder": params.encoder}
    with exact_numerics():
        train, dev, tokens = open_inputs(params, context)
        clock = Clock(device=torch.device(context.device))
        curves = [
            torch.from_numpy(stroke_curves(STROKES, n, params.write_mode)).to(clock.device) for n in params.lengths
        ]
        width = tokens.model.config.hidden_size
        itemsize = next(tokens.model.parameters()).element_size()
        resolution = ROUNDING * torch.finfo(getattr(torch, params.dtype)).eps
        groups = start_groups(params.starts, params.lengths, width, len(dev.samples), itemsize, usable_bytes(context))
        windows: list[dict[str, Any]] = []
        kept: list[KeptWindow] = []
        for starts in reversed(groups):  # the deepest first: its pass finds every state that is not finite
            sums = _train_sums(params, tokens, train, starts, clock)
            with clock.timing("solve"):
                solutions = solve_windows(sums, starts, curves, resolution=resolution)
            used, errors_SWN = _dev_errors(params, tokens, dev, solutions, curves, clock)
            blind_W = _blind_errors(curves, sums, dev.weights(used, clock.device))
            rows = _window_rows(solutions, errors_SWN, blind_W, sums.count)
            windows += rows
            kept += _kept_windows(params, solutions, rows, used, errors_SWN)
        kept = _best_and_asked(kept, params.best_from)
        samples = [row for window in kept for row in sample_rows(window, dev)]
        drawings = drawing_rows(params, tokens, dev, kept)
    windows.sort(key=lambda row: (row["start"], row["length"]))
    faults = [{"split": name, "sample": i, "layer": t} for (name, i), t in sorted(tokens.faults.items())]
    cost = {
        "n_train": len(train.samples) - sum(fault["split"] == train.name for fault in faults),
        "n_dev": len(dev.samples) - sum(fault["split"] == dev.name for fault in faults),
        "left_out": len(faults),
        "windows": len(windows),
        "deflated": sum(row["solver"] == "deflated" for row in windows),
        "eigen": sum(row["solver"] == "eigen" for row in windows),
        "groups": len(groups),
        "layer_passes": tokens.passes,
        "encoder_seconds": tokens.seconds,
        **{f"{name}_seconds": seconds for name, seconds in clock.seconds.items()},
    }
    tables = {"windows": windows, "samples": samples, "drawings": drawings, "faults": faults, "costs": [cost]}
    return {name: [{**lead, **row} for row in rows] for name, rows in tables.items()}


def _train_sums(
    params: HandwritingParams, tokens: FirstTokens, train: Labelled, starts: Sequence[int], clock: Clock
) -> LayerSums:
    """The sums over all training examples of the layers that the windows from `starts` read."""
    first, last = starts[0], starts[-1] + params.lengths[-1] - 1
    sums = empty_sums(first, last + 1 - first, tokens.model.config.hidden_size, len(STROKES), clock.device)
    for block in tokens.blocks(train.name, train.split, train.samples, first, last):
        with clock.timing("sum"):
            add_states(sums, block.x_LNH, train.weights(block.samples, clock.device))
    if sums.count == 0:
        raise ValueError(_nothing_left(tokens, train))
    return sums


def _dev_errors(
    params: HandwritingParams,
    tokens: FirstTokens,
    dev: Labelled,
    solutions: WindowSolutions,
    curves: list[Tensor],
    clock: Clock,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices [N] of the dev examples that have errors, ascending, and these errors [S, W, N]."""
    first, last = solutions.starts[0], solutions.starts[-1] + params.lengths[-1] - 1
    errors_SWN = np.empty((len(solutions.starts), len(solutions.lengths), len(dev.samples)))
    used: list[np.ndarray] = []
    for block in tokens.blocks(dev.name, dev.split, dev.samples, first, last):
        with clock.timing("error"):
            weights = dev.weights(block.samples, clock.device)
            errors = window_errors(solutions, curves, first, block.x_LNH, weights).cpu().numpy()
            errors_SWN[:, :, np.searchsorted(dev.samples, block.samples)] = errors
        used.append(block.samples)
    if not used:
        raise ValueError(_nothing_left(tokens, dev))
    all_used = np.sort(np.concatenate(used))
    if len(all_used) < len(dev.samples):
        errors_SWN = errors_SWN[:, :, np.searchsorted(dev.samples, all_used)]
    return all_used, errors_SWN


def _nothing_left(tokens: FirstTokens, part: Labelled) -> str:
    (_, sample), layer = min(item for item in tokens.faults.items() if item[0][0] == part.name)
    return (
        f"no example of {part.name} has finite states: that of example {sample} is NaN or infinite from "
        f"layer {layer} on; give fewer layers (smaller starts and lengths), other weights, or dtype float64"
    )


def _blind_errors(curves: list[Tensor], sums: LayerSums, weights_NC: Tensor) -> list[float]:
    """For each length the mean error of the one curve that a readout writes which knows nothing but the mean label."""
    mean_C = sums.weights_C / sums.count
    errors = []
    for curve in curves:
        missed_N = ((weights_NC - mean_C) @ curve.flatten(1)).square().sum(1)
        errors.append(float((missed_N / (weights_NC @ curve.flatten(1)).square().sum(1)).nanmean()))
    return errors


def _window_rows(
    solutions: WindowSolutions, errors_SWN: np.ndarray, blind_W: list[float], n_train: int
) -> list[dict[str, Any]]:
    features = solutions.weights_SWKF.shape[-1]
    condition, rank, solver = (
        tensor.cpu().tolist() for tensor in (solutions.condition_SW, solutions.rank_SW, solutions.solver_SW)
    )
    rows = []
    for s, start in enumerate(solutions.starts):
        for w, length in enumerate(solutions.lengths):
            good = errors_SWN[s, w][~np.isnan(errors_SWN[s, w])]
            rows.append(
                {
                    "start": start,
                    "length": length,
                    "error_mean": float(good.mean()) if len(good) else float("nan"),
                    "error_sd": float(good.std(ddof=1)) if len(good) > 1 else float("nan"),
                    "error_median": float(np.median(good)) if len(good) else float("nan"),
                    "error_blind": blind_W[w],
                    "samples": len(good),
                    "undefined": errors_SWN.shape[2] - len(good),
                    "rows": n_train * length,
                    "features": features,
                    "rank": rank[s][w],
                    "condition": condition[s][w],
                    "solver": SOLVERS[solver[s][w]],
                }
            )
    return rows


def _kept_windows(
    params: HandwritingParams,
    solutions: WindowSolutions,
    rows: list[dict[str, Any]],
    used: np.ndarray,
    errors_SWN: np.ndarray,
) -> list[KeptWindow]:
    """The windows of a group that were asked for, and its best ones: of those long enough, and of all."""
    asked = {(start, length) for start in params.drawn_starts for length in params.drawn_lengths}
    defined = [row for row in rows if row["error_mean"] == row["error_mean"]]
    ranks = [_rank(row) for row in defined], [_rank(row) for row in defined if row["length"] >= params.best_from]
    best = {min(rank) for rank in ranks if rank}
    kept = []
    for index, row in enumerate(rows):
        place = row["start"], row["length"]
        if place in asked or _rank(row) in best:
            s, w = divmod(index, len(solutions.lengths))
            kept.append(
                KeptWindow(
                    rank=_rank(row),
                    asked=place in asked,
                    weights_KF=solutions.weights_SWKF[s, w].clone(),
                    samples=used,
                    errors=errors_SWN[s, w].copy(),
                )
            )
    return kept


def _rank(row: dict[str, Any]) -> tuple[float, int, int]:
    return row["error_mean"], row["start"], row["length"]


def _best_and_asked(kept: list[KeptWindow], best_from: int) -> list[KeptWindow]:
    """Those of the kept windows that were asked for, and the best of all (of the long enough, if any)."""
    defined = [window for window in kept if window.rank[0] == window.rank[0]]
    candidates = [window for window in defined if window.length >= best_from] or defined
    best = min(candidates, key=lambda window: window.rank, default=None)
    for window in kept:
        window.best = window is best
    return sorted((window for window in kept if window.best or window.asked), key=lambda w: w.rank[1:])
