"""Observers of the pass: what is read from the states of all sentences at one layer, and kept as a few numbers.

Each is called with (t, h_t [N, T, H]) for t = 0, 1, … on the device. None keeps a state, none waits for the device
where it need not.

Dimensions: N sentences, S shown sentences, T tokens, H hidden, A heads, t layers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metrics.effective_dimension import token_participation
from metrics.synchronisation import offsets, relative_spread, token_spread
from models.iteration import Layer
from models.recording import finite_rows, record_layer
from tasks.transient_chaos.chaos.stages import SweepParams

Row = dict[str, Any]


class Losses:
    """Which sentences have ceased to be finite, and at which layer: kept on the device, so that no layer waits."""

    def __init__(self, sentences: int, device: torch.device):
        self._at = torch.full((sentences,), -1, dtype=torch.int64, device=device)
        self._nan = torch.zeros(sentences, dtype=torch.bool, device=device)

    def __call__(self, t: int, h_NTH: Tensor) -> None:
        new = ~finite_rows(h_NTH) & (self._at < 0)
        self._at = torch.where(new, t, self._at)
        self._nan |= new & torch.isnan(h_NTH.amax((1, 2)))  # NaN where one entry is

    @property
    def alive(self) -> Tensor:
        """[N] bool, on the device."""
        return self._at < 0

    def rows(self) -> Iterator[Row]:
        for sentence, (t, nan) in enumerate(zip(self._at.tolist(), self._nan.tolist(), strict=True)):
            if t >= 0:
                yield {"sentence": sentence, "layer": t, "reason": "NaN" if nan else "infinite"}


class Spreads:
    """The spread over tokens of every sentence at every layer, two numbers each."""

    def __init__(self, real_NT: Tensor | None):
        self._real = real_NT
        self._seen: list[Tensor] = []

    def __call__(self, t: int, h_NTH: Tensor) -> None:
        self._seen.append(
            torch.stack([token_spread(h_NTH, self._real), relative_spread(h_NTH, self._real)]).to("cpu", torch.float64)
        )

    def records(self) -> dict[str, np.ndarray]:
        """[t, N] of `spread` and of `relative`."""
        both = torch.stack(self._seen).numpy()
        return {"spread": both[:, 0], "relative": both[:, 1]}

    def offset_rows(self, thresholds: Sequence[float]) -> Iterator[Row]:
        """When each sentence falls below each threshold; censored where it never did, or was lost before."""
        for statistic, record in self.records().items():
            found = offsets(record, thresholds)
            for rule, layers in (("first", found.first), ("persistent", found.persistent)):
                lost = found.observed < len(record) - 1
                for q, threshold in enumerate(thresholds):
                    for sentence, layer in enumerate(layers[q].tolist()):
                        # What stays below until the state is lost is not known to stay below.
                        censored = layer < 0 or (rule == "persistent" and bool(lost[sentence]))
                        yield {
                            "sentence": sentence,
                            "statistic": statistic,
                            "threshold": threshold,
                            "rule": rule,
                            "layers": max(0, int(found.observed[sentence])) if censored else layer,
                            "censored": censored,
                        }

    def layer_rows(self) -> Iterator[Row]:
        """Mean and quantiles over the sentences that are finite at that layer."""
        records = self.records()
        for t, (spread, relative) in enumerate(zip(records["spread"], records["relative"], strict=True)):
            finite = spread[np.isfinite(spread)]
            known = relative[np.isfinite(relative)]
            values = {"sentences": float(len(finite)), "spread_mean": _or_nan(np.mean, finite)}
            for name, q in (("q10", 0.1), ("median", 0.5), ("q90", 0.9)):
                values[f"spread_{name}"] = _or_nan(lambda x, q=q: np.quantile(x, q), finite)
            values["relative_spread_median"] = _or_nan(np.median, known)
            for metric, value in values.items():
                yield {"layer": t, "metric": metric, "value": value}


class EffectiveDimension:
    """The participation ratio over sentences at every layer, of all tokens and of the first alone."""

    def __init__(self, losses: Losses):
        self._losses = losses
        self._seen: list[tuple[float, float]] = []

    def __call__(self, t: int, h_NTH: Tensor) -> None:
        alive = self._losses.alive
        states = h_NTH if bool(alive.all()) else h_NTH[alive]
        if len(states) < 2:
            self._seen.append((math.nan, math.nan))
            return
        whole, tokens = token_participation(states)
        self._seen.append((whole, tokens[0]))

    def layer_rows(self) -> Iterator[Row]:
        for t, (whole, first) in enumerate(self._seen):
            yield {"layer": t, "metric": "effective_dimension", "value": whole}
            yield {"layer": t, "metric": "effective_dimension_first", "value": first}


class Shown:
    """Trajectories, deviations and attention maps of the first sentences."""

    def __init__(self, params: SweepParams, layer: Layer, mask: Tensor | None, real_NT: Tensor | None):
        self._params = params
        self._layer = layer
        self._count = min(params.shown_sentences, params.sentences)
        self._mask = mask
        self._real = None if real_NT is None else real_NT[: self._count]
        self._components: list[Tensor] = []
        self._deviations: list[Tensor] = []
        self._attention: dict[int, Tensor] = {}

    def __call__(self, t: int, h_NTH: Tensor) -> None:
        if not self._count:
            return
        params, h_STH = self._params, h_NTH[: self._count]
        tokens, dimensions = list(params.shown_tokens), list(params.shown_dimensions)
        self._components.append(h_STH[:, tokens][:, :, dimensions].to("cpu", torch.float64))
        # `token_spread` over one dimension is the published root mean square deviation of that dimension.
        self._deviations.append(token_spread(h_STH[:, :, :1], self._real).to("cpu", torch.float64))
        if t + 1 in params.attention_layers and t < params.steps:
            record = record_layer(self._layer, h_NTH[: self._first_batch], self._mask, range(self._count))
            self._attention[t + 1] = record.attention[:, list(params.attention_heads)].to("cpu", torch.float64)

    @property
    def _first_batch(self) -> int | None:
        return None if self._mask is None else len(self._mask)

    def trajectory_rows(self) -> Iterator[Row]:
        for t, values in enumerate(self._components):
            for sentence, of_tokens in enumerate(values.tolist()):
                for token, of_dimensions in zip(self._params.shown_tokens, of_tokens, strict=True):
                    for dimension, value in zip(self._params.shown_dimensions, of_dimensions, strict=True):
                        place = {"sentence": sentence, "token": token, "dimension": dimension}
                        yield {**place, "layer": t, "value": value}

    def spread_rows(self, records: dict[str, np.ndarray]) -> Iterator[Row]:
        named = {name: record[:, : self._count] for name, record in records.items()}
        if self._deviations:
            named["rms0"] = torch.stack(self._deviations).numpy()
        for statistic, record in named.items():
            for t, values in enumerate(record.tolist()):
                for sentence, value in enumerate(values):
                    yield {"sentence": sentence, "layer": t, "statistic": statistic, "value": value}

    def attention_rows(self) -> Iterator[Row]:
        for layer, maps in self._attention.items():
            for (sentence, h, query, key), value in np.ndenumerate(maps.numpy()):
                head = self._params.attention_heads[h]
                place = {"sentence": sentence, "layer": layer, "head": head, "query": query, "key": key}
                yield {**place, "probability": float(value)}


def _or_nan(statistic: Any, values: np.ndarray) -> float:
    return float(statistic(values)) if len(values) else math.nan
