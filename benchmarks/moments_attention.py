"""Attention on a cut of the published grid. Part of `benchmarks/moments.py`."""

from benchmarks import moments_grid


def measure() -> list[moments_grid.Row]:
    """What, plain seconds, seconds as built, largest difference."""
    case = moments_grid.Case(component="attention", axes={"d": (100,), "dk": (32,), "L": (300,)}, trials=32, most=36)
    return moments_grid.measure(case)
