"""Tangents of the iterated map: how a small change of a state grows, along one direction or a frame of K of them.

u' = J_F(h) u, exactly, by forward-mode differentiation; for the ALBERT layer written out in `models.layer`, for any
other by `torch.func.jvp`. Nothing is subtracted, so float32 is safe. A frame that is
orthonormalised every few layers gives K exponents: ln|R_ii| of its QR, summed.

With a padding mask the system is that of the real tokens: they never see what padding positions do, so tangents are
zero there, and a sentence's exponents are those that it has alone.

Dimensions: B batch, T tokens, H hidden, K exponents, n real tokens of a sentence.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.models.albert.modeling_albert import AlbertLayer

from models.iteration import Layer
from models.layer import albert_layer, push_attention, push_tail, run_attention, run_tail


def real_tokens(mask: Tensor | None) -> Tensor | None:
    """Which tokens are real, bool [B, T], by a layer's mask [B, 1, T, T] (boolean or additive); None without one."""
    if mask is None:
        return None
    seen = mask[:, 0, 0]
    return seen if seen.dtype == torch.bool else seen == 0


@torch.no_grad()
def tangent(layer: Layer, h_BTH: Tensor, u_BTH: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(F(h), J_F(h) u), each [B, T, H], by `torch.func.jvp`; J u is zero at padding positions.

    Works with eager and sdpa attention: the latter runs on its math kernel, the only one that can be differentiated
    forward.
    """
    with sdpa_kernel(SDPBackend.MATH):
        after, change = _jvp(layer, h_BTH, _on_real(u_BTH, mask), mask)
    return after, _on_real(change, mask)


@torch.no_grad()
def frame_step(layer: Layer, h_BTH: Tensor, V_BKTH: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(F(h) [B, T, H], J_F(h) V [B, K, T, H]): K tangents at once, the base computed once.

    For an ALBERT layer F(h) is bit by bit that of eager attention. How much memory it takes: `frame_numbers`.

    Raises:
        ValueError: a frame that does not fit the states.
    """
    if V_BKTH.ndim != 4 or (V_BKTH.shape[0], *V_BKTH.shape[2:]) != tuple(h_BTH.shape):
        raise ValueError(
            f"a frame of shape {tuple(V_BKTH.shape)} does not fit states of shape {tuple(h_BTH.shape)}; "
            "give [B, K, T, H] and [B, T, H]"
        )
    V = _on_real(V_BKTH, mask)
    if isinstance(layer, AlbertLayer):
        layer = albert_layer(layer)
        attention = run_attention(layer, h_BTH, mask)
        tail = run_tail(layer, h_BTH + attention.output)
        after, changed = tail.output.value, push_tail(layer, tail, push_attention(layer, attention, V).add_(V))
    else:
        with sdpa_kernel(SDPBackend.MATH):
            # The base is no batched value here, so vmap computes it once.
            together: Any = torch.func.vmap(
                lambda v: _jvp(layer, h_BTH, v, mask),
                in_dims=1,
                out_dims=(None, 1),  # pyright: ignore[reportArgumentType]
            )
            after, changed = together(V)
    return after, _on_real(changed, mask)


def frame_numbers(config: Any, tokens: int, exponents: int) -> int:
    """Numbers that `frame_step` and `orthonormalise` hold at the peak for one sentence of an ALBERT; times the bytes
    of one, what a batch's memory is planned from."""
    hidden, inner, scores = config.hidden_size, config.intermediate_size, config.num_attention_heads * tokens
    base = 14 * hidden + 3 * inner + 2 * scores
    return tokens * (base + exponents * (5 * hidden + inner + 2 * scores))


def orthonormalise(V_BKTH: Tensor) -> tuple[Tensor, Tensor]:
    """(Q [B, K, T, H], ln|R_ii| [B, K]) of the reduced QR of every sentence's K vectors, flattened token by token.

    R_ii >= 0, so Q is unique: one vector becomes itself over its length. A vector of which nothing but rounding is left
    after the earlier ones are projected out has collapsed: its growth is -inf, and some direction orthogonal to the
    others takes its place, so the frame stays whole. Rounding means |R_ii| <= (8 + sqrt(N)) eps times the longest of
    the sentence's K vectors, N = T H (measured on dependent vectors from N = 24 to 131,072: at most a sixth of that).
    So the growth between two QRs may differ within a frame by 11 nats in float32 and 31 in float64 at N = 32,768, no
    more.

    Sentences with NaN or infinite entries get NaN growth and a NaN frame, and leave the others alone. [B, K, H] works
    too: the states of the one-vector map.

    Raises:
        ValueError: more vectors than dimensions.
    """
    B, K = V_BKTH.shape[:2]
    columns = V_BKTH.flatten(2).transpose(1, 2)  # [B, N, K]
    if columns.shape[1] < K:
        raise ValueError(f"{K} exponents are more than the {columns.shape[1]} dimensions of a state; give fewer")
    fine = torch.isfinite(columns.amin((1, 2))) & torch.isfinite(columns.amax((1, 2)))
    safe = torch.where(fine[:, None, None], columns, columns.new_zeros(()))
    Q, R = torch.linalg.qr(safe, mode="reduced")
    diagonal = R.diagonal(dim1=1, dim2=2)  # [B, K]
    Q = (Q * torch.where(diagonal < 0, -1.0, 1.0).to(Q.dtype)[:, None]).transpose(1, 2).reshape(V_BKTH.shape)
    longest = torch.linalg.vector_norm(safe, dim=1).amax(1, keepdim=True)
    collapsed = diagonal.abs() <= (8 + columns.shape[1] ** 0.5) * torch.finfo(Q.dtype).eps * longest
    growth = torch.where(collapsed, -torch.inf, diagonal.abs().log())
    unknown = ~fine.view(B, 1)
    return Q.masked_fill(unknown.view(B, *[1] * (Q.ndim - 1)), torch.nan), growth.masked_fill(unknown, torch.nan)


def random_frame(
    generators: Sequence[torch.Generator],
    exponents: int,
    tokens: int,
    hidden: int,
    real: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Orthonormal frames [B, K, T, H], one for each generator (CPU), zero where `real` [B, T] says padding.

    A sentence's directions are Gaussian, drawn in float64 from its own generator for its real tokens alone, one after
    the other: they depend neither on the batch nor on the padding, and the first K of a larger frame are the
    smaller frame. (With one exponent: the published random start, a normalised Gaussian.)

    Raises:
        ValueError: no exponent, or more than a sentence has dimensions (real tokens times H).
    """
    counts = [tokens] * len(generators) if real is None else real.sum(1).tolist()
    if exponents < 1:
        raise ValueError(f"{exponents} exponents; give 1 or more")
    frames = torch.zeros(len(generators), exponents, tokens, hidden, dtype=torch.float64)
    for row, (generator, count) in enumerate(zip(generators, counts, strict=True)):
        if exponents > count * hidden:
            raise ValueError(
                f"{exponents} exponents are more than the {count} x {hidden} = {count * hidden} dimensions of sentence "
                f"{row}; give fewer"
            )
        drawn = torch.randn(1, exponents, count, hidden, dtype=torch.float64, generator=generator)
        places = slice(None) if real is None else real[row].cpu()
        frames[row][:, places] = orthonormalise(drawn)[0][0]
    return frames.to(device, dtype)


def _jvp(layer: Layer, h: Tensor, u: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    # Expanded tensors, equal tokens say, cannot carry a tangent: several entries would share one place in memory.
    both: Any = torch.func.jvp(lambda at: layer(at, mask), (h.contiguous(),), (u.contiguous(),))
    return both


def _on_real(u: Tensor, mask: Tensor | None) -> Tensor:
    real = real_tokens(mask)
    if real is None:
        return u
    return u * real.view(len(real), *[1] * (u.ndim - 3), -1, 1).to(u.dtype)
