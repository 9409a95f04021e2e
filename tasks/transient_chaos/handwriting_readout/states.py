"""Labelled examples and the states of their first tokens at all layers, in blocks, from passes of the shared layer.

The batches and blocks are the same whatever the memory and whatever layers are wanted, since float32 kernels round
differently for other shapes and a chaotic map amplifies that.

Dimensions: B batch, T tokens, H hidden, L layers wanted, N examples of a block.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import AlbertModel

from models.albert import embed, iterate, padding_mask, shared_layer
from orchestrator.experiment import Context
from tasks.data.examples import task_info
from tasks.data.tokenised import TokenisedSplit, open_split, read_meta
from tasks.encoders.loading import load_encoder
from tasks.training.numerics import synchronise
from tasks.transient_chaos.handwriting_readout.config import MaskMode
from tasks.transient_chaos.handwriting_readout.letters import letter_shares
from tasks.transient_chaos.handwriting_readout.stages import HandwritingParams

BATCH_SEQUENCES = 64
BLOCK_SEQUENCES = 256  # of the states that are in memory together; a multiple of the batch


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A split with the examples that are used of it and their shares of the letters."""

    name: str
    split: TokenisedSplit
    samples: np.ndarray
    """int64 [n], ascending: the examples that are used."""
    share_N: np.ndarray
    """float64, for all N examples of the split: the share of the second letter; NaN for those that are not used."""

    def weights(self, samples: np.ndarray, device: torch.device) -> Tensor:
        """[n, 2]: shares of both letters in the targets of some examples."""
        share = torch.from_numpy(self.share_N[samples]).to(device)
        return torch.stack([1 - share, share], dim=1)


@dataclass(frozen=True, kw_only=True)
class Block:
    """The states of some examples, all finite up to the deepest layer of the pass."""

    samples: np.ndarray
    """int64 [N]: their indices in the split."""
    x_LNH: Tensor


@dataclass(kw_only=True)
class FirstTokens:
    """One encoder with the way in which it is run, and what its passes cost and found."""

    model: AlbertModel
    mask_mode: MaskMode
    max_length: int
    passes: int = 0
    """Layer applications to one sequence so far."""
    seconds: float = 0.0
    """Seconds in the encoder so far."""
    faults: dict[tuple[str, int], int] = field(default_factory=dict)
    """(split, sample) -> first layer at which its state was not finite."""
    starts: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    """Id and type of a first token -> its state at layer 0, [H]: the same in all inputs (README 1), and here
    in all bits, which kernels for other batch shapes would not keep."""

    def blocks(self, name: str, split: TokenisedSplit, samples: np.ndarray, first: int, last: int) -> Iterator[Block]:
        """The states of layers `first` to `last` of the examples `samples` of a split.

        Examples whose states are not finite at some layer up to `last`, or were found so before, are left out.
        """
        weight = next(self.model.parameters())
        shape = (last + 1 - first, BLOCK_SEQUENCES, self.model.config.hidden_size)
        buffer = torch.empty(*shape, dtype=weight.dtype, device=weight.device)
        batches = self.batches(split, samples)
        each = BLOCK_SEQUENCES // BATCH_SEQUENCES
        for b in range(0, len(batches), each):
            clock = time.perf_counter()
            at = 0
            for rows in batches[b : b + each]:
                self._fill(buffer[:, at : at + len(rows)], name, split, rows, first, last)
                at += len(rows)
            indices = np.concatenate(batches[b : b + each])
            good = [i for i, sample in enumerate(indices.tolist()) if (name, sample) not in self.faults]
            synchronise(weight.device)
            self.seconds += time.perf_counter() - clock
            if good:
                x_LNH = buffer[:, :at] if len(good) == at else buffer[:, good]
                yield Block(samples=indices[good], x_LNH=x_LNH)

    def states_of(
        self, name: str, split: TokenisedSplit, samples: np.ndarray, chosen: Sequence[int], first: int, last: int
    ) -> dict[int, Tensor]:
        """The states [L, H] of a few `chosen` examples, as `blocks` gave them: their whole batches are run again."""
        found: dict[int, Tensor] = {}
        wanted = set(chosen)
        for rows in self.batches(split, samples):
            if mine := [(i, row) for i, row in enumerate(rows.tolist()) if row in wanted]:
                weight = next(self.model.parameters())
                shape = (last + 1 - first, len(rows), self.model.config.hidden_size)
                x_LBH = torch.empty(*shape, dtype=weight.dtype, device=weight.device)
                self._fill(x_LBH, name, split, rows, first, last)
                found |= {row: x_LBH[:, i].clone() for i, row in mine}
        return found

    def batches(self, split: TokenisedSplit, samples: np.ndarray) -> list[np.ndarray]:
        """`samples` in batches: in their own order, or with mask_mode padding sorted by length."""
        order = samples
        if self.mask_mode == "padding":
            order = samples[np.argsort(np.asarray(split.lengths)[samples], kind="stable")]
        return [order[a : a + BATCH_SEQUENCES] for a in range(0, len(order), BATCH_SEQUENCES)]

    @torch.no_grad()
    def _fill(self, x_LBH: Tensor, name: str, split: TokenisedSplit, rows: np.ndarray, first: int, last: int) -> None:
        """Run one batch to layer `last`; keep the first token's states from `first` on, note what is not finite."""
        pad_to = self.max_length if self.mask_mode == "none" else None
        ids, types, attended = (tensor.to(x_LBH.device) for tensor in split.batch(rows, pad_to=pad_to))
        h_BTH = embed(self.model, ids, types)
        keys = list(zip(ids[:, 0].tolist(), types[:, 0].tolist(), strict=True))
        for i, key in enumerate(keys):
            self.starts.setdefault(key, h_BTH[i, 0].clone())
        faulty_B = torch.full((len(rows),), -1, device=x_LBH.device)

        def keep(t: int, h: Tensor) -> None:
            x_BH = torch.stack([self.starts[key] for key in keys]) if t == 0 else h[:, 0]
            broken = ~torch.isfinite(x_BH).all(1)
            faulty_B[broken & (faulty_B < 0)] = t
            if t >= first:
                x_LBH[t - first] = x_BH

        mask = padding_mask(self.model, attended, h_BTH) if self.mask_mode == "padding" else None
        iterate(shared_layer(self.model), h_BTH, last, mask, (keep,))
        self.passes += len(rows) * last
        for sample, layer in zip(rows.tolist(), faulty_B.tolist(), strict=True):
            if layer >= 0:
                self.faults[name, sample] = layer


def open_inputs(params: HandwritingParams, context: Context) -> tuple[Labelled, Labelled, FirstTokens]:
    """Train and dev, and the encoder on the context's device.

    Raises:
        ValueError: no tokens, tokens of another task, an empty split, labels that no letter belongs to, or an encoder
            that does not fit the tokens.
    """
    if "tokens" not in context.needs:
        raise ValueError('context.needs has no "tokens"; plan a tokens job that this one needs')
    directory = context.needs["tokens"]
    meta = read_meta(directory)
    if meta["task"] != params.task:
        raise ValueError(f"{directory} holds tokens of {meta['task']}, not {params.task}; give the task's own tokens")
    train, dev = (_labelled(params, name, open_split(directory, name)) for name in task_info(params.task).splits)
    longest = max(int(np.max(part.split.lengths)) for part in (train, dev))
    if longest > params.max_length:
        raise ValueError(f"an example has {longest} tokens, max_length is {params.max_length}; plan shorter tokens")
    model = load_encoder(
        params,
        context,
        vocab_size=meta["vocab_size"],
        pad_token_id=meta["pad_token_id"],
        longest=params.max_length if params.mask_mode == "none" else longest,
        pooler=False,
    )
    return train, dev, FirstTokens(model=model, mask_mode=params.mask_mode, max_length=params.max_length)


def _labelled(params: HandwritingParams, name: str, split: TokenisedSplit) -> Labelled:
    samples, share = letter_shares(
        params.task,
        split.labels,
        low=params.threshold_low,
        high=params.threshold_high,
        legacy=params.legacy_labels,
        split=name,
    )
    share_N = np.full(len(split), np.nan)
    share_N[samples] = share
    return Labelled(name=name, split=split, samples=samples, share_N=share_N)


def start_groups(
    starts: Sequence[int], lengths: Sequence[int], width: int, n_dev: int, itemsize: int, budget_bytes: int
) -> list[tuple[int, ...]]:
    """The starts in groups, ascending, whose sums, states and errors fit into `budget_bytes`.

    A group of starts a..b with longest windows of n layers takes, for each of the b - a + n layers, 8 width^2 bytes of
    sums and a block of states, and for each window 8 n_dev bytes of errors and 16 (width + 1) of solutions.

    Raises:
        ValueError: not even one start fits.
    """
    layer = 8 * width * width + itemsize * BLOCK_SEQUENCES * width
    windows = len(lengths) * (8 * n_dev + 32 * (width + 1))  # solutions twice: in two orders of their dimensions

    def cost(first: int, last: int, count: int) -> int:
        return (last - first + lengths[-1]) * layer + count * windows

    groups: list[tuple[int, ...]] = []
    current: tuple[int, ...] = ()
    for start in starts:
        if current and cost(current[0], start, len(current) + 1) > budget_bytes:
            groups.append(current)
            current = ()
        if not current and (needed := cost(start, start, 1)) > budget_bytes:
            raise ValueError(
                f"the sums of {lengths[-1]} layers of width {width} take {needed:,} bytes of {budget_bytes:,} that may "
                "be used; give the job more memory, or smaller lengths"
            )
        current = (*current, start)
    return [*groups, current]
