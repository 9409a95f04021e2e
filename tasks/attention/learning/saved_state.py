"""What a training of one run or several saves on its way, so that a killed job goes on where it was.

state.json                        steps, what the state belongs to, rows of the curve, losses since the last of them
state.safetensors                 weights and Adam's averages of each parameter, by number
<kind>-<seed>.<name>.safetensors  the checkpoints kept so far, which the artifact of a new attempt lacks
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from orchestrator.experiment import Context
from orchestrator.identity import canonical_json

log = logging.getLogger(__name__)

STATE, TENSORS = "state.json", "state.safetensors"
AVERAGES = ("exp_avg", "exp_avg_sq")


@dataclass(kw_only=True)
class Progress:
    """How far a training is, beside its tensors."""

    step: int = 0
    """Updates done."""
    rows: list[dict[str, Any]]
    """Of the table `training`."""
    losses: list[float]
    """Of each run, summed over the steps since the last row."""
    since: int = 0
    """How many steps those are."""
    seconds: float = 0.0
    """Of training so far, where the rows tell it."""


def digest(stage: str, params: Any, data: Mapping[str, Any]) -> str:
    """What a state belongs to: parameters, and what is known of the data."""
    text = f"{canonical_json(params, stage)}/{json.dumps(dict(data), sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(
    context: Context, progress: Progress, parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer, belongs: str
) -> None:
    """Hand the state of now to `context.checkpoints`, with the checkpoints that the artifact has."""
    if context.checkpoints is None or context.artifact is None:
        return
    tensors = {}
    for number, parameter in enumerate(parameters):
        tensors[f"{number}.weight"] = parameter.detach().contiguous()
        for average in AVERAGES:
            if average in optimiser.state.get(parameter, {}):
                tensors[f"{number}.{average}"] = optimiser.state[parameter][average].contiguous()
    # Beside the artifact's files, so that those need no copies; it is gone again when the artifact is published.
    with tempfile.TemporaryDirectory(prefix="state-", dir=context.artifact) as made:
        save_file(tensors, Path(made, TENSORS))
        Path(made, STATE).write_text(json.dumps({"belongs": belongs, **vars(progress)}), encoding="utf-8")
        for file in context.artifact.glob("*-*/*.safetensors"):
            if file.parent != Path(made):
                _link(file, Path(made, f"{file.parent.name}.{file.name}"))
        context.checkpoints.save(progress.step, Path(made))


def resume(
    context: Context, parameters: Sequence[Tensor], optimiser: torch.optim.Optimizer, belongs: str
) -> Progress | None:
    """Go on from the newest state that is whole and of this training: fills parameters, optimiser and artifact.

    None: there is none, and nothing has been touched.
    """
    newest = context.checkpoints.latest() if context.checkpoints is not None else None
    if newest is None or context.artifact is None:
        return None
    step, directory = newest
    try:
        told = json.loads((directory / STATE).read_text(encoding="utf-8"))
        if told.pop("belongs") != belongs:
            raise ValueError("it is of other parameters or data")
        progress = Progress(**told)
        with safe_open(directory / TENSORS, "pt", device=str(parameters[0].device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        for number, parameter in enumerate(parameters):
            if tensors[f"{number}.weight"].shape != parameter.shape:
                raise ValueError(f"parameter {number} has another shape")
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as problem:
        log.warning("the state after %d steps is not used: %s; the training begins again", step, problem)
        return None
    with torch.no_grad():
        for number, parameter in enumerate(parameters):
            parameter.copy_(tensors[f"{number}.weight"])
            averages = {a: tensors[f"{number}.{a}"] for a in AVERAGES if f"{number}.{a}" in tensors}
            if averages:
                step_now = torch.tensor(float(progress.step), device=parameter.device)
                optimiser.state[parameter] = {"step": step_now, **averages}
    for file in directory.glob("*-*.*.safetensors"):
        run, _, name = file.name.partition(".")
        (context.artifact / run).mkdir(exist_ok=True)
        shutil.copyfile(file, context.artifact / run / name)
    return progress


def _link(file: Path, name: Path) -> None:
    """A second name for a checkpoint, which is never written again; a copy where the disk knows no links."""
    try:
        os.link(file, name)
    except OSError:
        shutil.copyfile(file, name)
