"""The stage `layernorm_spread`: 1/sigma of what enters every LayerNorm of an encoder (README 4).

Hooks reduce what enters to sums while the pass runs, so that memory does not depend on the number of batches.

Dimensions: B batch, T tokens, H hidden.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from metrics.streaming import EDGES, Stream, inverse_spreads
from models.any_encoder import hidden_states
from models.layer_norms import Site, layer_norm_sites, watched_layer_norms
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, synchronise
from tasks.transfer.diagnostics.inputs import Batch, open_network, open_sentences, published_dropout
from tasks.transfer.layernorm_lipschitz.stages import SpreadParams

Rows = list[dict[str, Any]]


def spread(params: SpreadParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one encoder.

    The tokens are in `context.needs["tokens"]`, a checkpoint where `tasks.encoders.transformer_loading` looks for it.

    Raises:
        ValueError: no sentences, a model without LayerNorms, tokens or checkpoint that do not fit.
    """
    with exact_numerics():
        sentences = open_sentences(params, context, least=1)
        model = open_network(params, context, sentences)
        pad_to = params.max_length if params.legacy_padding else None
        (first,) = sentences.batches(1, 1)
        work = Work(sites=layer_norm_sites(model, *first.inputs))
        work.cost.n_sites, work.cost.layer_passes = len(work.sites), model.config.num_hidden_layers
        model.train(params.legacy_dropout)
        with published_dropout(model, params, params.task):
            for batch in sentences.batches(params.batches, params.batch_size, pad_to):
                work.take(model, batch)
    return {"sites": work.site_rows(), "histogram": work.histogram(), "costs": [dataclasses.asdict(work.cost)]}


@dataclass(kw_only=True)
class Streams:
    """What is known of one site, at the text's positions or at all."""

    inverse: Stream = field(default_factory=Stream)
    unbiased: Stream = field(default_factory=Stream)


@dataclass(kw_only=True)
class Cost:
    """The row of `costs`."""

    n_batches: int = 0
    n_sentences: int = 0
    n_tokens: int = 0
    n_positions: int = 0
    n_sites: int = 0
    n_not_finite: int = 0
    layer_passes: int = 0
    encoder_seconds: float = 0.0


@dataclass(kw_only=True)
class Work:
    """The sites of one encoder, and what has entered them so far."""

    sites: dict[int, Site]
    found: dict[tuple[int, str], Streams] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)

    def __post_init__(self):
        self.found = {(number, where): Streams() for number in self.sites for where in ("valid", "all")}

    def take(self, model: PreTrainedModel, batch: Batch) -> None:
        """One pass."""
        clock, real_BT = time.perf_counter(), batch.attention_mask.bool()

        def seen(number: int, site: Site, v_BTH: Tensor) -> None:
            inverse_BT, unbiased_BT = inverse_spreads(v_BTH, site.eps)
            for where, chosen in (("valid", real_BT), ("all", slice(None))):
                streams = self.found[number, where]
                streams.inverse.add(inverse_BT[chosen])
                streams.unbiased.add(unbiased_BT[chosen])

        with torch.no_grad(), watched_layer_norms(model, self.sites, seen):
            hidden_states(model, *batch.inputs)
        synchronise(batch.input_ids.device)
        cost, size = self.cost, len(batch.sentences)
        cost.encoder_seconds += time.perf_counter() - clock
        cost.n_batches += 1
        cost.n_sentences += size
        cost.n_tokens += int(real_BT.sum())
        cost.n_positions += real_BT.numel()
        cost.layer_passes += size * model.config.num_hidden_layers
        cost.n_not_finite = sum(self.found[number, "valid"].inverse.not_finite for number in self.sites)

    def site_rows(self) -> Rows:
        """Rows of `sites`."""
        return [
            {**_label(number, self.sites[number], where), "metric": metric, "value": value}
            for (number, where), streams in self.found.items()
            for metric, value in _values(streams, self.sites[number].gain).items()
        ]

    def histogram(self) -> Rows:
        """Rows of `histogram`."""
        ends = [0.0, *EDGES, np.inf]
        return [
            {**_label(number, self.sites[number], where), "bin": bin, "low": ends[bin], "high": ends[bin + 1]}
            | {"count": int(streams.inverse.bins[bin])}
            for (number, where), streams in self.found.items()
            for bin in streams.inverse.bins.nonzero()[:, 0].tolist()
        ]


def _label(number: int, site: Site, where: str) -> dict[str, Any]:
    place = {"layer": site.layer, "place": site.place, "kind": site.kind}
    return {"site": number, "name": site.name, **place, "positions": where}


def _values(streams: Streams, gain: Tensor) -> dict[str, float]:
    inverse, unbiased = streams.inverse, streams.unbiased
    ends = (inverse.least, inverse.most) if inverse.count else (np.nan, np.nan)
    # |gamma_i| does not depend on the position, so means and maxima of the product are products.
    mean, most = float(gain.double().mean()), float(gain.double().max())
    return {
        "mean_inverse_sigma": inverse.mean,
        "sd_inverse_sigma": inverse.sd,
        "min_inverse_sigma": ends[0],
        "max_inverse_sigma": ends[1],
        "mean_unbiased": unbiased.mean,
        "sd_unbiased": unbiased.sd,
        "mean_gain": mean * inverse.mean,
        "max_gain": most * ends[1],
        "mean_bound": most * inverse.mean,
    }
