"""A training of one run, or of several as a stack: its checkpoints, and its state, from which a killed job goes on.

A checkpoint is `<kind>-<seed>/<step>.safetensors`, the weights of a run after `step` updates. A state has:

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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from orchestrator.experiment import Context
from orchestrator.identity import canonical_json
from tasks.attention.learning.runs import Run, run_named
from tasks.attention.ragged import artifact_of
from tasks.data.errors import DataError
from tasks.training.loop import is_curve_point

log = logging.getLogger(__name__)

STATE, TENSORS = "state.json", "state.safetensors"
AVERAGES = ("exp_avg", "exp_avg_sq")
STATE_SECONDS = 120.0  # between two saved states, at least: each holds weights, their averages, all checkpoints so far

Model = TypeVar("Model", bound=nn.Module)


def save_checkpoint(directory: Path, run: Run, name: int | str, model: nn.Module) -> None:
    """Write the weights of a run under their names, as the checkpoint of a step."""
    path = directory / run.name / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a saved state may hold the same file under a second name
    save_file({key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}, path)


def load_checkpoint(directory: Path, run: Run, name: int | str, make: Callable[[], Model]) -> Model:
    """The model of a checkpoint, on the CPU, in evaluation mode; `make` gives one of its sizes.

    Raises:
        DataError: there is no such file, or it does not fit.
    """
    path = directory / run.name / f"{name}.safetensors"
    again = f"run the training of {run.name} again"
    if not path.is_file():
        there = sorted((file.stem for file in path.parent.glob("*.safetensors")), key=lambda stem: (len(stem), stem))
        raise DataError(f"{path}: no such checkpoint, only {', '.join(there) or 'none'}; {again}, or leave it out")
    with torch.device("meta"):  # no weights are drawn, only to be replaced
        model = make()
    try:
        model.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, RuntimeError, OSError) as problem:
        raise DataError(f"{path}: {str(problem).splitlines()[0]}; {again}") from problem
    return model.eval()


@dataclass(kw_only=True)
class Progress:
    """How far a training is, beside its tensors."""

    step: int = 0
    """Updates done."""
    rows: list[dict[str, Any]]
    """Rows of the table `training`."""
    losses: list[float]
    """Training loss of each run, summed over the steps since the last row."""
    since: int = 0
    """How many steps those are."""
    seconds: float = 0.0
    """Seconds of training so far."""


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


class Trainer:
    """A training from its newest saved state on: Adam with its default settings, no clipping, no decay."""

    def __init__(self, stage: str, params: Any, context: Context, meta: Mapping[str, Any], learner: Any, total: int):
        """Begin, or go on.

        Args:
            params: with the group `Trainings`, and a learning rate.
            meta: what is known of the data, which a state belongs to.
            learner: one model as it is (packed sequences, and cuDNN on a GPU), or a stack of them.
            total: steps of the training.
        """
        self.artifact = artifact_of(context, stage)
        self.runs = [run_named(name) for name in params.runs]
        self.total = total
        self._params, self._context, self._learner = params, context, learner
        self._parameters = list(learner.parameters())
        self.device = self._parameters[0].device
        self._optimiser = torch.optim.Adam(self._parameters, lr=params.learning_rate, fused=True)
        self._belongs = digest(stage, params, meta)
        found = resume(context, self._parameters, self._optimiser, self._belongs)
        self.done = found or Progress(rows=[], losses=[0.0] * len(self.runs))
        self._summed_G = torch.tensor(self.done.losses, device=self.device)
        self._begun = time.perf_counter() - self.done.seconds

    @property
    def models(self) -> list[Any]:
        """The model of each run, as it is now."""
        return [self._learner] if isinstance(self._learner, nn.Module) else self._learner.unstack()

    def steps(self) -> Iterator[int]:
        """The steps to go; checkpoints are kept, and the state now and then, before the update of a step."""
        done, saved, first = self.done, time.perf_counter(), self.done.step
        while done.step < self.total:
            self._keep()
            if done.step > first and time.perf_counter() - saved >= STATE_SECONDS:
                done.losses = self._summed_G.tolist()
                save(self._context, done, self._parameters, self._optimiser, self._belongs)
                saved = time.perf_counter()
            yield done.step
        self._keep()

    def update(self, losses_G: Tensor) -> list[float] | None:
        """Take a step down the losses of each run; at a point of the curve, their means since the one before."""
        self._optimiser.zero_grad(set_to_none=True)
        losses_G.sum().backward()
        self._optimiser.step()
        self._summed_G += losses_G.detach()
        done = self.done
        done.step, done.since, done.seconds = done.step + 1, done.since + 1, time.perf_counter() - self._begun
        if not is_curve_point(done.step - 1, self.total, self._params.curve_points):
            return None
        means = (self._summed_G / done.since).tolist()
        self._summed_G, done.since = torch.zeros_like(self._summed_G), 0
        return means

    def _keep(self) -> None:
        if self.done.step in self._params.saves:
            for run, model in zip(self.runs, self.models, strict=True):
                save_checkpoint(self.artifact, run, self.done.step, model)
