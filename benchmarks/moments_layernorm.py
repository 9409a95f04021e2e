"""LayerNorm on a cut of the published grid. Part of `benchmarks/moments.py`."""

from benchmarks import moments_grid


def measure() -> list[moments_grid.Row]:
    """What, plain seconds, seconds as built, largest difference."""
    case = moments_grid.Case(component="layernorm", axes={"d": (100,), "L": (100,)}, trials=40, most=135)
    return moments_grid.measure(case)
