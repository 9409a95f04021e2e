"""How large a trial of each component is: widths, memory, work. Plain Python: the plan reads this."""

from collections.abc import Mapping

from tasks.deepscale.component_moments.grids import FFN_RATIO, SIZES, Component, Point

Sizes = Mapping[str, int]


def sizes_of(point: Point) -> dict[str, int]:
    """The sizes of a point."""
    return {name: int(point[name]) for name in SIZES if name in point}


def widths(component: Component, sizes: Sizes) -> tuple[int, int]:
    """Features of a token that goes in and of one that comes out."""
    if component == "linear":
        return sizes["d_in"], sizes["d_out"]
    if component in ("relu", "gelu", "softmax"):
        return 1, 1
    return sizes["d"], sizes["dk"] if component == "attention" else sizes["d"]


def numbers(component: Component, sizes: Sizes) -> int:
    """Numbers that a trial holds at most at once, all tensors together."""
    T, (d_in, d_out) = sizes["L"], widths(component, sizes)
    tokens = 3 * T * (d_in + d_out)
    if component == "linear":
        return tokens + d_in * d_out
    if component in ("ffn_relu", "ffn_gelu", "residual"):
        return tokens + FFN_RATIO * d_in * (2 * d_in + 4 * T)
    if component in ("attention", "attention_block"):
        heads, inner = sizes.get("heads", 1), d_out
        return tokens + 4 * d_in * inner + 8 * T * inner + 5 * heads * T * T
    return tokens


def products(component: Component, sizes: Sizes) -> float:
    """Floating-point operations of the matrix products of a trial, forward and backward."""
    T, (d_in, d_out) = sizes["L"], widths(component, sizes)
    if component == "linear":
        return 2.0 * T * d_in * d_out
    if component in ("ffn_relu", "ffn_gelu", "residual"):
        return 8.0 * FFN_RATIO * T * d_in * d_in
    if component in ("attention", "attention_block"):
        projections = 12.0 * T * d_in * d_out + (4.0 * T * d_in * d_in if component == "attention_block" else 0)
        return projections + 12.0 * T * T * d_out
    return 0.0


def trial_seconds(component: Component, sizes: Sizes) -> float:
    """Seconds of a trial on one CPU core, roughly: numbers that are held, drawn, and multiplied."""
    return numbers(component, sizes) / 100e6 + products(component, sizes) / 30e9
