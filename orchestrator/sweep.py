"""A sweep that the command line has asked for: what it is, where its results go, who asked how."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from orchestrator.experiment import Experiment
from orchestrator.options import Common
from orchestrator.plan import Plan
from orchestrator.store import Store


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Everything that a run needs to know of what was asked."""

    experiment: Experiment
    common: Common
    config: Any
    """The experiment's own options."""
    store: Store
    plan: Plan
    command: str
    """The command line, without secrets, as the user can type it again."""
    console: Console
