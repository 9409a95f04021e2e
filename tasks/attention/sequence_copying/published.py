"""Numbers of the published code at its own setting, from runs of it and its authors' text (attention_dynamics 6, 9)."""

import pandas as pd

from tasks.attention.sequence_copying.config import Config

LENGTH, HIDDEN, BATCH, RATE = 40, 256, 128, 1e-3

ACCURACY = {
    ("distinct-60", "learned"): {20: (0.24, 0.30), 30: (0.73, 0.86), 40: (0.995, 1.0), 50: (0.999, 1.0)},
    ("permutation-40", "learned"): {100: (0.28, 0.32), 190: (0.618, 0.728)},
    ("repeat-40", "learned"): {20: (0.27, 0.28), 30: (0.78, 0.81), 40: (0.94, 0.94), 90: (0.988, 0.988)},
}
"""Lowest and highest accuracy by step: of all runs, of a permutation of the four runs that failed of eight."""
RUNS_LEARNED = {"distinct-60": (4, 4), "permutation-40": (4, 8)}
"""Runs that learned, and runs."""
REACHED = {"permutation-40": (60, 100)}
"""First and last of the steps at which runs that learned reached 0.99."""
ALL_BY_STEP = 60
"""At which every run of distinct-60 is expected to have reached 0.99 (expected, no published threshold)."""
FAILING = (0.55, 0.80)
"""Accuracy at step 190 that is expected of runs of permutation-40 that fail, while attention is below 0.1."""
FAILING_ATTENTION = 0.1


def is_published_setting(config: Config) -> bool:
    """Whether runs of a config can stand beside the published ones."""
    same = (config.length, config.hidden, config.batch) == (LENGTH, HIDDEN, BATCH)
    return same and config.learning_rate == RATE and not config.bidirectional


def published_ranges(setting: str, attention: str) -> pd.DataFrame:
    """step, low, high of the accuracy; empty where none is known."""
    known = ACCURACY.get((setting, attention), {})
    return pd.DataFrame([(step, low, high) for step, (low, high) in known.items()], columns=["step", "low", "high"])
