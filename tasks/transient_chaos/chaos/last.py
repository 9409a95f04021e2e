"""The artifact of a sweep: the last state of every sentence as one vector, and how far its tokens are from it.

On disk: `last.safetensors` with `mean` [N, H] (the mean of the tokens), `spread` [N] (see
`metrics.synchronisation.token_spread`; NaN for a sentence that was lost), and single numbers: `layers` applied, and the
tokens' `vocab_size` and `pad_token_id`, on which the weights of a scratch encoder depend.

Dimensions: N sentences, T tokens, H hidden.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from metrics.synchronisation import token_spread

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
