"""Inverted dropout masks that cost little more than reading the states they are for.

On CPUs drawing masks is most of the published probes' training time (squad_probes 12): torch draws a Bernoulli number
in 9 ns. Here 16 random bits decide: below floor(65536 p) is dropped, above is kept, and the one value in 65,536 that
lies on the border is decided by a uniform number, so that p is exact.

Dimensions: P positions of a batch, H hidden.
"""

import numpy as np
import torch
from torch import Tensor

from tasks.training.seeds import stream_seed, torch_stream

LEVELS = 1 << 16


def dropout_mask(
    seed: int, head: int, step: int, rows: int, width: int, p: float, *, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """[P, H]: 0 with probability `p`, else 1/(1 - p); from a stream of this seed, head and step alone.

    CUDA draws numbers of its own, so that masks there are others than on a CPU.
    """
    names = ("squad_probes", "dropout", step, head)
    if device.type == "cuda":
        stream = torch_stream(seed, *names, device=str(device))
        kept = torch.empty(rows, width, dtype=dtype, device=device).bernoulli_(1 - p, generator=stream)
        return kept.div_(1 - p)
    kept = torch.from_numpy(kept_entries(stream_seed(seed, *names), rows, width, p))
    return kept.to(device=device, dtype=dtype).div_(1 - p)


def kept_entries(seed: int, rows: int, width: int, p: float) -> np.ndarray:
    """bool [P, H], True with probability 1 - p."""
    bits = np.random.SFC64(seed)
    size = rows * width
    # As little-endian on every machine, so that the same seed drops the same entries.
    words = bits.random_raw(-(-size // 4)).astype("<u8", copy=False).view("<u2")[:size]
    whole = int(p * LEVELS)
    kept = words > whole
    border = np.flatnonzero(words == whole)
    kept[border] = np.random.Generator(bits).random(len(border)) >= p * LEVELS - whole
    return kept.reshape(rows, width)
