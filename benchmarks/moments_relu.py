"""ReLU on half of the published grid. Part of `benchmarks/moments.py`."""

from benchmarks import moments_grid


def measure() -> list[moments_grid.Row]:
    """What, plain seconds, seconds as built, largest difference."""
    case = moments_grid.Case(component="relu", axes={"L": (100,)}, trials=2000, most=None)
    return moments_grid.measure(case)
