"""What tells the two experiments apart in tables, figures and sentences. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from tasks.attention.learning.runs import Runs


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What `reduce.summarise` says about one experiment."""

    task: Literal["classification", "translation"]
    """Whose published numbers stand beside ours."""
    item: str
    """What an item is, singular: document, target position."""
    performance: dict[str, str]
    """Axis label of each performance that chooses checkpoints: {"accuracy": "accuracy (fraction)"}."""
    unit: dict[str, str]
    """Its unit as it stands behind a number: {"accuracy": ""} for a fraction, {"accuracy": " %", "bleu": " BLEU"}."""
    datasets: tuple[str, ...]
    """All that were planned."""
    runs: Runs
    """Planned for each data set."""
    steps: dict[str, tuple[int, ...]]
    """The planned grid of checkpoints, by data set."""
