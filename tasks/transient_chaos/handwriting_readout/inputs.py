"""What the stage begins with: labelled tokens, the encoder, and the groups of windows that fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from orchestrator.experiment import Context
from tasks.data.examples import task_info
from tasks.data.tokenised import TokenisedSplit, open_split, read_meta
from tasks.encoders.loading import load_encoder
from tasks.transient_chaos.handwriting_readout.labels import letter_shares
from tasks.transient_chaos.handwriting_readout.params import HandwritingParams
from tasks.transient_chaos.handwriting_readout.states import BLOCK_SEQUENCES, FirstTokens


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
