"""The stage `squad_train_report`: rows of what a training wrote about itself. Reads one small file."""

from typing import Any

from orchestrator.experiment import Context
from tasks.squad.checkpoints import read_state
from tasks.squad.params import TrainParams


def squad_train_report(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `training_curves` and `training_costs`, from the artifact `context.needs["model"]`.

    Raises:
        ValueError: it is not there, or the training is not finished.
    """
    state = read_state(context.needs["model"])
    if state.steps != state.total:
        raise ValueError(f"{context.needs['model']} has {state.steps} of {state.total} steps; it is not finished")
    cost = {
        "steps": state.steps,
        "train_windows": state.windows,
        "left_out": state.left_out,
        "layer_passes": state.layer_passes,
        "train_seconds": state.seconds,
        "recomputed": state.recomputed,
    }
    return {"training_curves": state.curve, "training_costs": [cost]}
