"""The stage `attention_matching`: both encoders read the same batch, and of its maps only costs between heads are kept.

Published were files of all maps, 45 GB for 100 proteins (README 6); here a batch's maps are all that is ever
held, as many as fit into the job's memory.

Dimensions: B proteins of a batch, T tokens, L layers, a heads of the second encoder, b of the first.
"""

import dataclasses
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from metrics.head_matching import head_costs
from orchestrator.experiment import Context
from tasks.training.numerics import exact_numerics, usable_bytes
from tasks.training.seeds import numpy_stream
from tasks.transfer.attention_matching.stages import MatchingParams
from tasks.transfer.attention_matching.sums import LayerSums, PublishedTotals, Rows
from tasks.transfer.comparison.sides import ProteinBatch, Side, forward, open_here, open_pair, protein_batches
from tasks.transfer.proteins.tokens import PAD

LARGEST_BATCH = 16  # beyond this padding grows and nothing is gained


def matching(params: MatchingParams, context: Context) -> dict[str, Rows]:
    """Rows of all tables for one pair of encoders on the proteins in `context.needs["proteins"]` (README 6).

    Raises:
        ValueError: as `open_pair`; the maps of one protein do not fit into memory; or published totals are asked for
            with fewer proteins than heads, or of encoders with different numbers of heads.
    """
    with exact_numerics(), torch.inference_mode():
        first, second = open_pair(params, context, attention="eager")
        lengths = np.minimum(open_here(params, context).lengths + 2, params.max_length)
        T = params.max_length if params.legacy_padding else int(lengths.max())
        each, usable = map_bytes(params, first, second, T), usable_bytes(context)
        size = min(LARGEST_BATCH, usable // each)
        if size < 1:
            raise ValueError(
                f"the attention maps of one protein of {T} tokens take {each / 2**20:,.0f} MiB, this job may use "
                f"{usable / 2**20:,.0f} MiB; give the job more memory, or a smaller --max-length"
            )
        if params.legacy_totals:
            _check_published(first, second, len(lengths))
        size = 1 if params.legacy_dropout else size
        work = Work(params=params, first=first, second=second)
        tables = work.run(protein_batches(params, context, size))
    cost = {"n_proteins": len(lengths), "n_tokens": int(lengths.sum()), "longest": int(lengths.max())}
    cost |= {name: getattr(work, name) for name in ("layer_passes", "encoder_seconds", "matching_seconds", "map_bytes")}
    cost |= {name: sum(getattr(sums, name) for sums in work.sums.values()) for name in ("sum_bytes", "not_finite")}
    return {**tables, "costs": [{**cost, "batch_size": size}]}


def map_bytes(params: MatchingParams, first: Side, second: Side, T: int) -> int:
    """Bytes for the maps of one protein: every layer's of both encoders, and three more of a layer at work."""
    maps = first.layers * first.heads + second.layers * second.heads + 3 * max(first.heads, second.heads)
    return maps * T * T * getattr(torch, params.dtype).itemsize


def layer_pairs(first: int, second: int) -> list[tuple[int, int, int]]:
    """(layer, layer of the first, layer of the second), from 1, for encoders of these depths.

    Equal layers where the depths are equal. Else the shallower encoder's layers, each with the one of the deeper that
    stands at the same share of the depth (rounded up), so that the last layers meet.
    """
    m = min(first, second)
    return [(layer, -(-layer * first // m), -(-layer * second // m)) for layer in range(1, m + 1)]


def folds(seed: int) -> Iterator[int]:
    """The half, 0 or 1, of one protein after another: of every two that follow each other one is in each."""
    stream = numpy_stream(seed, "folds")
    while True:
        half = int(stream.integers(2))
        yield from (half, 1 - half)


def _check_published(first: Side, second: Side, proteins: int) -> None:
    if first.heads != second.heads or proteins < first.heads:
        raise ValueError(
            f"the published totals take heads for numbers of proteins: {proteins} proteins, {first.heads} and "
            f"{second.heads} heads; give at least as many proteins as heads, and encoders with equal numbers of heads, "
            "or leave out --legacy-totals"
        )


@dataclass(kw_only=True)
class Work:
    """One pair of encoders at work, and what that has cost so far."""

    params: MatchingParams
    first: Side
    second: Side
    layer_passes: int = 0
    encoder_seconds: float = 0.0
    matching_seconds: float = 0.0
    map_bytes: int = 0
    sums: dict[tuple[str, int], LayerSums] = dataclasses.field(default_factory=dict)

    def run(self, batches: Iterable[ProteinBatch]) -> dict[str, Rows]:
        """Rows of the tables but `costs`."""
        layers = layer_pairs(self.first.layers, self.second.layers)
        kinds = ("all",) if self.params.legacy_padding else ("all", "residues")
        for kind, (layer, _, _) in itertools.product(kinds, layers):
            published = PublishedTotals(heads=self.first.heads) if self.params.legacy_totals and kind == "all" else None
            self.sums[kind, layer] = LayerSums(
                heads_first=self.first.heads, heads_second=self.second.heads, published=published
            )
        half, matches, read = folds(self.params.fold_seed), [], []
        for batch in batches:
            halves = np.array([next(half) for _ in batch.proteins])
            numbers = zip(batch.proteins, batch.lengths, strict=True)
            new = [{"protein": int(protein), "n_tokens": int(length)} for protein, length in numbers]
            read += new
            maps = self._maps(batch)
            clock = time.perf_counter()
            for (kind, layer), sums in self.sums.items():
                _, of_first, of_second = layers[layer - 1]
                cost = head_costs(
                    maps[0][of_first - 1],
                    maps[1][of_second - 1],
                    batch.lengths,
                    special=kind == "all",
                    legacy_padding=self.params.legacy_padding,
                )
                for protein, values in zip(new, sums.update(cost, halves), strict=True):
                    matches += metric_rows(values, tokens=kind, layer=layer, **protein)
            del maps  # else they would be held while the next batch's are made
            self.matching_seconds += time.perf_counter() - clock
        rows: Rows = []
        heads: Rows = []
        for (kind, layer), sums in self.sums.items():
            lead = {"tokens": kind, "layer": layer}
            _, of_first, of_second = layers[layer - 1]
            more = {"layer_first": of_first, "layer_second": of_second, "n_proteins": int(sums.counts_2.sum())}
            rows += metric_rows(sums.metrics(), **lead, **more)
            heads += [lead | row for row in sums.pair_rows()]
            if sums.published is not None:
                for protein, total in zip(read, sums.published.totals(), strict=True):
                    matches += metric_rows({"bug_total": float(total)}, **lead, **protein)
        return {"matches": matches, "layers": rows, "heads": heads}

    def _maps(self, batch: ProteinBatch) -> list[tuple[torch.Tensor, ...]]:
        if self.params.legacy_padding:
            batch = padded(batch, self.params.max_length)
        maps, seconds = forward(self.params, batch, self.first.maps, self.second.maps)
        self.encoder_seconds += seconds
        self.layer_passes += (self.first.layers + self.second.layers) * len(batch.proteins)
        self.map_bytes = max(self.map_bytes, sum(m.nbytes for side in maps for m in side))
        return maps


def metric_rows(values: Mapping[str, float], **lead: Any) -> Rows:
    """A row a metric."""
    return [{**lead, "metric": metric, "value": value} for metric, value in values.items()]


def padded(batch: ProteinBatch, T: int) -> ProteinBatch:
    """The batch with padding up to T tokens."""
    more = (0, T - batch.tokens.shape[1])
    return dataclasses.replace(batch, tokens=pad(batch.tokens, more, value=PAD), mask=pad(batch.mask, more))
