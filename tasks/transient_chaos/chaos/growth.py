"""The tangents, and the published perturbed copies, that go along with the states of the sentences.

Dimensions: N sentences, B batch, T tokens, H hidden, K exponents, R records of `qr_every` layers, W windows.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.lyapunov import chaos_lengths, cumulative_exponents, window_growth
from models.differences import distance, perturbed
from models.iteration import Layer
from models.tangents import frame_step, orthonormalise, random_frame
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.chaos.inputs import Inputs, exponents_of
from tasks.transient_chaos.chaos.stages import SweepParams

Row = dict[str, Any]


class Frames:
    """Orthonormal tangents of a group of batches, and the record of their growth."""

    def __init__(self, params: SweepParams, inputs: Inputs, group: Sequence[int]):
        self._every = params.qr_every
        self._frames: dict[int, Tensor] = {}
        self._growth: dict[int, list[Tensor]] = {}
        for b in group:
            if k := exponents_of(params, inputs.batches[b]):
                self._frames[b] = first_frame(params, inputs, b, k)
                self._growth[b] = []
        self.passes = 0

    def __contains__(self, b: int) -> bool:
        return b in self._frames

    def step(self, b: int, layer: Layer, h_BTH: Tensor, mask: Tensor | None, t: int) -> Tensor:
        """Push the frame of batch `b` through layer `t` together with its states, and return F(h)."""
        frame = self._frames[b]
        after, frame = frame_step(layer, h_BTH, frame, mask)
        self.passes += frame.shape[0] * frame.shape[1]
        if t % self._every == 0:
            frame, growth = orthonormalise(frame)
            self._growth[b].append(growth)
        self._frames[b] = frame
        return after

    def records(self) -> Iterator[tuple[int, np.ndarray]]:
        """(batch, ln|R_ii| [R, B, K]) of every batch that has a frame."""
        for b, growth in self._growth.items():
            if growth:
                yield b, torch.stack(growth).to("cpu", torch.float64).numpy()


def first_frame(params: SweepParams, inputs: Inputs, b: int, exponents: int) -> Tensor:
    """Random orthonormal tangents [B, K, T, H] of a batch, drawn from each sentence's own stream.

    Raises:
        ValueError: more exponents than a sentence has dimensions.
    """
    rows = inputs.batches[b]
    _, tokens, hidden = inputs.start_NTH.shape
    return random_frame(
        [torch_stream(params.seed, "tangents", sentence) for sentence in range(rows.start, rows.stop)],
        exponents,
        tokens,
        hidden,
        inputs.real_NT[rows] if inputs.masks[b] is not None else None,
        inputs.start_NTH.dtype,
        inputs.start_NTH.device,
    )


class Copies:
    """Perturbed copies of all sentences, set back to their distance after every window: the published measurement."""

    def __init__(self, params: SweepParams, inputs: Inputs):
        assert params.difference_size is not None
        self._size, self._window = params.difference_size, params.window
        self._copies = [
            perturbed(inputs.start_NTH[rows], first_frame(params, inputs, b, 1)[:, 0], self._size)
            for b, rows in enumerate(inputs.batches)
        ]
        self._growth: list[list[Tensor]] = [[] for _ in inputs.batches]

    def step(self, b: int, layer: Layer, h_BTH: Tensor, mask: Tensor | None, t: int) -> None:
        """Push the copies of batch `b` through layer `t`; `h_BTH` are the states after it."""
        copy = layer(self._copies[b], mask)
        if t % self._window == 0:
            apart = copy - h_BTH
            self._growth[b].append((distance(apart) / self._size).log() / self._window)
            copy = perturbed(h_BTH, apart, self._size)
        self._copies[b] = copy

    def windows(self) -> np.ndarray:
        """[W, N], nats per layer."""
        return torch.cat([torch.stack(growth) for growth in self._growth], 1).to("cpu", torch.float64).numpy()


class GrowthRows:
    """The rows of windows, spectrum and chaos_lengths."""

    def __init__(self, params: SweepParams):
        self._params = params
        self.windows: list[Row] = []
        self.spectrum: list[Row] = []
        self.chaos_lengths: list[Row] = []

    def add_tangents(self, first: int, record_RBK: np.ndarray) -> None:
        """Rows of one batch, whose sentences are numbered from `first`."""
        params, every = self._params, self._params.qr_every
        for phase, start in (("random", 0), ("aligned", params.align)):
            if start + params.window <= len(record_RBK) * every:
                growth_WBK = window_growth(record_RBK, params.window, start, every)
                self._add_windows(first, growth_WBK, "tangent", phase, start)
        if params.align < len(record_RBK) * every:
            cumulative = cumulative_exponents(record_RBK, params.align, every)
            for r in _marks(len(cumulative)):
                for (b, k), value in np.ndenumerate(cumulative[r]):
                    place = {"sentence": first + b, "exponent": k + 1, "layers": (r + 1) * every}
                    self.spectrum.append({**place, "growth": float(value)})

    def add_differences(self, growth_WN: np.ndarray) -> None:
        self._add_windows(0, growth_WN[:, :, None], "difference", "random", 0)

    def _add_windows(self, first: int, growth_WBK: np.ndarray, method: str, phase: str, start: int) -> None:
        tau = self._params.window
        for (w, b, k), value in np.ndenumerate(growth_WBK):
            place = {"sentence": first + b, "method": method, "phase": phase, "exponent": k + 1}
            self.windows.append({**place, "start": start + w * tau, "growth": float(value)})
        found = chaos_lengths(growth_WBK[:, :, 0], tau)
        for rule, layers, censored in (
            ("first_nonpositive", found.first, found.first_censored),
            ("last_positive", found.last, found.last_censored),
        ):
            for b, (length, still) in enumerate(zip(layers.tolist(), censored.tolist(), strict=True)):
                place = {"sentence": first + b, "method": method, "phase": phase, "rule": rule}
                # Layers are counted from the embeddings in both phases; without growth in any window there are none.
                at = start + length if length else 0
                self.chaos_lengths.append({**place, "layers": at, "censored": still})


def _marks(count: int) -> list[int]:
    """Indices of the records 1, 2, 4, 8, … and of the last."""
    powers = [2**i - 1 for i in range(int(math.log2(count)) + 1)] if count else []
    return sorted({*powers, count - 1}) if count else []
