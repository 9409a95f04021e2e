"""What fits into the memory that a training job may use: states, probes and the encoder's own work.

Dimensions: L layers, B windows, T tokens, P positions in the softmax, H hidden.
"""

from dataclasses import dataclass

import numpy as np

from tasks.squad.squad_probes.objective import BLOCK_LOGITS
from tasks.squad.squad_probes.stages import AdamParams
from tasks.squad.squad_probes.states import FrozenEncoder

ENCODED_TOGETHER = {"cpu": 8, "cuda": 32}  # windows; more bring no speed, and on a CPU fall out of the cache
LAYER_WIDTHS = 20  # tensors [B, T, H] that one layer has in memory at once, with FFN 4H
COPIES = 5  # of the probes' weights: themselves, their gradient, two averages, and the update


@dataclass(frozen=True, kw_only=True)
class Room:
    """How much is in memory at once."""

    rows: int
    """Positions of a chunk of windows, at all levels."""
    together: int
    """Windows in one pass of the encoder."""


def bytes_a_row(encoder: FrozenEncoder) -> int:
    """Memory of the states of one position at one level."""
    return encoder.width * encoder.dtype.itemsize


def encoded_together(encoder: FrozenEncoder, budget_bytes: int) -> int:
    """How many windows to encode at once: the largest power of two that pays and that there is room for.

    Raises:
        ValueError: there is no room for one.
    """
    config, T = encoder.model.config, encoder.max_length
    ffn = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", 0)
    widths = encoder.n_levels + LAYER_WIDTHS * max(1.0, ffn / (4 * encoder.width))
    one = int((widths * T * encoder.width + config.num_attention_heads * T * T) * encoder.dtype.itemsize)
    if one > budget_bytes:
        raise ValueError(
            f"one window of {T} tokens takes about {one:,} bytes in the encoder, {budget_bytes:,} may be used for it; "
            "give the job more memory, or a smaller --max-length"
        )
    together = ENCODED_TOGETHER[encoder.device.type]
    while together * one > budget_bytes:
        together //= 2
    return together


def adam_memory(encoder: FrozenEncoder, params: AdamParams, chosen: np.ndarray, budget: int) -> Room:
    """Room for chunks, whose states take at most half of the budget.

    Raises:
        ValueError: a batch of windows does not fit; with both numbers.
    """
    weights = (
        (COPIES + params.epochs)
        * len(params.seeds)
        * len(params.learning_rates)
        * 2
        * encoder.n_levels
        * bytes_a_row(encoder)
    )
    rows = (budget // 2) // (encoder.n_levels * bytes_a_row(encoder))
    counts = encoder.positions(chosen)
    needed = min(params.batch_size, len(counts)) * int(counts.max())
    if needed > rows or weights > budget // 4:
        raise ValueError(
            f"the states of a batch of {params.batch_size} windows at {encoder.n_levels} levels take "
            f"{needed * encoder.n_levels * bytes_a_row(encoder):,} bytes of {budget // 2:,} that may be used for them, "
            f"the probes {weights:,} of {budget // 4:,}; give the job more memory, or a smaller --batch-size, fewer "
            "--seeds or --learning-rates"
        )
    return Room(rows=rows, together=encoded_together(encoder, budget // 4))


def lbfgs_memory(encoder: FrozenEncoder, counts: np.ndarray, strengths: int, budget: int) -> tuple[int, int]:
    """Levels whose states are kept at once, and windows to encode together.

    Raises:
        ValueError: the states of one level do not fit; with both numbers.
    """
    together = encoded_together(encoder, budget // 4)
    history = 30 * 2 * strengths * encoder.width * 8  # steps, gradients and what an iteration makes, float64
    working = budget // 4 + 5 * BLOCK_LOGITS * encoder.dtype.itemsize + history
    one, room = int(counts.sum()) * (bytes_a_row(encoder) + 24), budget - working
    if one > room:
        raise ValueError(
            f"the states of {len(counts)} windows at one level take {one:,} bytes, {max(0, room):,} may be used for "
            "them; give fewer --converged-windows, or the job more memory"
        )
    return min(room // one, encoder.n_levels), together
