"""The stage `chaos_long`: sentences whose tokens have synchronised go on as one vector each (README 6).

A T-th of the cost, so that 100,000 layers are affordable. It is exact on the synchronised manifold; whether sentences
stay near it is what the largest exponent across it says. A single chaotic orbit parts from that of the whole sentence,
whose rounding is another; growth and chaos lengths are comparable, not the orbit.

A run goes on from the artifact of a sweep, `last.safetensors`: `mean` [N, H] (the mean of each sentence's tokens),
`spread` [N] (`metrics.synchronisation.token_spread`; NaN for a sentence that was lost), and single numbers: `layers`
applied, and the tokens' `vocab_size` and `pad_token_id`, on which the weights of a scratch encoder depend.

Dimensions: N sentences, B sentences followed, T tokens, H hidden, K exponents, W windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from metrics.lyapunov import chaos_lengths
from metrics.synchronisation import token_spread
from models.albert import shared_layer
from models.iteration import Layer
from models.one_vector import one_vector_frames
from models.recording import finite_rows
from models.tangents import orthonormalise, random_frame
from orchestrator.experiment import Context
from tasks.encoders.loading import load_encoder
from tasks.training.numerics import exact_numerics
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.chaos.stages import LongParams

Row = dict[str, Any]
FILE = "last.safetensors"
NUMBERS = ("layers", "vocab_size", "pad_token_id")


@dataclass(frozen=True, kw_only=True)
class Last:
    """Where a sweep ended."""

    mean_NH: Tensor
    spread_N: Tensor
    layers: int
    vocab_size: int
    pad_token_id: int


def last_of(
    h_NTH: Tensor, real_NT: Tensor | None, alive_N: Tensor, *, layers: int, vocab_size: int, pad_token_id: int
) -> Last:
    """The last states as vectors; under the padding mask (`real_NT`) of the real tokens alone."""
    weight = torch.ones_like(h_NTH[:, :, 0]) if real_NT is None else real_NT.to(h_NTH.dtype)
    mean = (h_NTH * weight[:, :, None]).sum(1) / weight.sum(1, keepdim=True)
    spread = torch.where(alive_N, token_spread(h_NTH, real_NT), torch.nan)
    return Last(mean_NH=mean, spread_N=spread, layers=layers, vocab_size=vocab_size, pad_token_id=pad_token_id)


def write_last(directory: Path, last: Last) -> None:
    """Write what a long run goes on from."""
    tensors = {"mean": last.mean_NH, "spread": last.spread_N}
    tensors |= {name: torch.tensor(getattr(last, name)) for name in NUMBERS}
    save_file({name: x.detach().cpu().contiguous() for name, x in tensors.items()}, directory / FILE)


def read_last(directory: Path) -> Last:
    """Read what `write_last` wrote.

    Raises:
        ValueError: it is not there.
    """
    path = Path(directory) / FILE
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected the artifact of a chaos sweep, run its job again")
    tensors = load_file(path)
    numbers = {name: int(tensors[name]) for name in NUMBERS}
    return Last(mean_NH=tensors["mean"], spread_N=tensors["spread"], **numbers)


def long_run(params: LongParams, context: Context) -> dict[str, list[Row]]:
    """The rows of the tables of `tables.LONG_TABLES`.

    The sweep's last states are in `context.needs["sweep"]`.

    Raises:
        ValueError: they are missing, the encoder does not fit them, or there are more exponents or dimensions asked for
            than the width.
    """
    if "sweep" not in context.needs:
        raise ValueError('context.needs has no "sweep"; plan the chaos_sweep job that this one goes on from')
    last = read_last(context.needs["sweep"])
    synchronised = (last.spread_N < params.sync_threshold).nonzero()[:, 0].tolist()
    followed = synchronised[: params.sentences]
    tables: dict[str, list[Row]] = {"long_windows": [], "long_trajectories": [], "long_starts": []}
    ends: dict[int, Row] = {}
    with exact_numerics(), torch.no_grad():
        layer = _layer(params, context, last)
        if followed:
            run = _Run(params, last.mean_NH[followed].to(context.device), followed)
            run.go(layer)
            tables["long_trajectories"] = list(run.trajectory_rows(last.layers))
            tables["long_windows"] = list(run.window_rows(last.layers))
            ends = run.ends(last.layers)
    nothing = {"lost_at": None, "chaos_layers": None, "censored": None}
    for sentence, spread in enumerate(last.spread_N.double().tolist()):
        row = {"sentence": sentence, "spread": spread, "followed": sentence in ends}
        tables["long_starts"].append({**row, **nothing, **ends.get(sentence, {})})
    return tables


def _layer(params: LongParams, context: Context, last: Last) -> Layer:
    """The map, of an encoder that takes the sweep's vectors."""
    width = last.mean_NH.shape[1]
    model = load_encoder(
        params,
        context,
        vocab_size=last.vocab_size,
        pad_token_id=last.pad_token_id,
        longest=params.length,
        attention="eager",
        pooler=False,
    )
    if model.config.hidden_size != width:
        raise ValueError(f"the sweep's states have width {width}, {params.model} has {model.config.hidden_size}")
    if wrong := [i for i in params.shown_dimensions if i >= width]:
        raise ValueError(f"shown_dimensions asks for {wrong[0]}, but there are {width} hidden dimensions, from 0")
    if params.exponents > width:
        raise ValueError(f"{params.exponents} exponents are more than the {width} dimensions of the one vector")
    return shared_layer(model)


class _Run:
    """The one-vector map of B sentences with K tangents along the manifold and one across it."""

    def __init__(self, params: LongParams, x_BH: Tensor, sentences: list[int]):
        self._params = params
        self._sentences = sentences
        self._x = x_BH
        self._along = self._tangents("along", params.exponents)
        self._across = self._tangents("across", 1)
        # Growth is summed over a window as it goes by, so 100,000 layers leave a few numbers.
        self._windows: list[Tensor] = []
        self._components: list[Tensor] = []
        self._lost = torch.full((len(x_BH),), -1, dtype=torch.int64, device=x_BH.device)
        self._stride = -(-params.steps // params.shown_points)

    def _tangents(self, name: str, k: int) -> Tensor:
        streams = [torch_stream(self._params.seed, "one_vector", name, sentence) for sentence in self._sentences]
        return random_frame(streams, k, 1, self._x.shape[1], None, self._x.dtype, self._x.device)[:, :, 0]

    def go(self, layer: Layer) -> None:
        params = self._params
        self._keep(0)
        summed = torch.zeros(len(self._x), params.exponents + 1, dtype=torch.float64, device=self._x.device)
        for t in range(1, params.steps + 1):
            self._x, along, across = one_vector_frames(layer, self._x, self._along, self._across)
            assert along is not None
            assert across is not None
            self._along, self._across = along, across
            self._keep(t)
            if t % params.qr_every == 0:
                self._along, grown_along = orthonormalise(self._along)
                self._across, grown_across = orthonormalise(self._across)
                summed += torch.cat([grown_along, grown_across], 1)
            if t % params.window == 0:
                self._windows.append(summed / params.window)
                summed = torch.zeros_like(summed)

    def _keep(self, t: int) -> None:
        self._lost = torch.where(~finite_rows(self._x) & (self._lost < 0), t, self._lost)
        if t % self._stride == 0:
            self._components.append(self._x[:, list(self._params.shown_dimensions)])

    def trajectory_rows(self, first_layer: int) -> Iterator[Row]:
        for i, values in enumerate(torch.stack(self._components).double().tolist()):
            layer = first_layer + i * self._stride
            for sentence, of_dimensions in zip(self._sentences, values, strict=True):
                for dimension, value in zip(self._params.shown_dimensions, of_dimensions, strict=True):
                    yield {"sentence": sentence, "dimension": dimension, "layer": layer, "value": value}

    def _growth(self) -> np.ndarray:
        """[W, B, K + 1], nats per layer; the last column is the growth across the manifold."""
        if not self._windows:
            return np.empty((0, len(self._sentences), self._params.exponents + 1))
        return torch.stack(self._windows).cpu().numpy()

    def window_rows(self, first_layer: int) -> Iterator[Row]:
        for (w, b, k), value in np.ndenumerate(self._growth()):
            across = k == self._params.exponents
            yield {
                "sentence": self._sentences[b],
                "start": first_layer + w * self._params.window,
                "direction": "across" if across else "along",
                "exponent": 1 if across else k + 1,
                "growth": float(value),
            }

    def ends(self, first_layer: int) -> dict[int, Row]:
        """For each sentence when its chaos along the manifold ended, and where it was lost."""
        growth = self._growth()
        found = chaos_lengths(growth[:, :, 0], self._params.window) if len(growth) else None
        lost = self._lost.tolist()
        rows = {}
        for b, sentence in enumerate(self._sentences):
            chaotic = 0 if found is None else int(found.last[b])
            rows[sentence] = {
                "lost_at": None if lost[b] < 0 else first_layer + lost[b],
                "chaos_layers": None if found is None else chaotic and first_layer + chaotic,
                "censored": None if found is None else bool(found.last_censored[b]),
            }
        return rows
