"""The state of a pretraining on its way: everything that going on needs, whatever the number of workers.

`model.safetensors` has the weights, `optimiser.safetensors` the averages of the gradients and of their squares as
`exp_avg.NAME` and `exp_avg_sq.NAME`, both whole; `state.json` the steps done, the curves so far and a digest of the
configuration. There is nothing else: batches and dropout are those of the step, whoever comes to it.
"""

import dataclasses
import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.deep_bert import DeepBert
from orchestrator.experiment import Context
from orchestrator.identity import canonical_json
from tasks.deepscale.deep_bert.arrangement import Workers, placed_like, whole
from tasks.deepscale.deep_bert.curves import Curves
from tasks.deepscale.deep_bert.stages import PretrainParams

log = logging.getLogger(__name__)

MODEL, OPTIMISER, STATE = "model.safetensors", "optimiser.safetensors", "state.json"
AVERAGES = ("exp_avg", "exp_avg_sq")


class OtherState(ValueError):
    """A checkpoint that is no state of this run; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A state to go on from."""

    step: int
    """Steps done."""
    curves: Curves
    directory: Path


def digest(params: PretrainParams, vocab_size: int, fingerprint: str) -> str:
    """A digest of what a state belongs to: parameters, rows of the embedding matrix, content of the documents."""
    text = f"{canonical_json(params, 'pretrain_bert')}/{vocab_size}/{fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def find(context: Context, belongs: str, model: DeepBert, workers: Workers) -> Found | None:
    """The newest state of this run that is whole and fits; None: begin at the beginning.

    Raises:
        RuntimeError: workers that do not see the same state.
    """
    found = None
    newest = context.checkpoints.latest() if context.checkpoints is not None else None
    if newest is not None:
        try:
            found = read(newest[1], belongs, model)
        except OtherState as problem:
            log.warning("the checkpoint of step %d is not used: %s; the training begins again", newest[0], problem)
    steps = workers.all(None if found is None else found.step)
    if len(set(steps)) > 1:
        raise RuntimeError(f"workers see checkpoints of different steps {steps}: all need the same results directory")
    return found


def read(directory: Path, belongs: str, model: DeepBert) -> Found:
    """Check a state without reading its tensors.

    Raises:
        OtherState: it cannot be read, is of another configuration, or lacks tensors.
    """
    try:
        state = json.loads((directory / STATE).read_text(encoding="utf-8"))
        if state["digest"] != belongs:
            raise OtherState(f"{directory} is of another configuration (digest {state['digest']}, not {belongs})")
        names = {MODEL: {name for name, _ in model.named_parameters()}}
        names[OPTIMISER] = {f"{average}.{name}" for name in names[MODEL] for average in AVERAGES}
        for file, wanted in names.items():
            with safe_open(directory / file, "pt") as tensors:
                if wrong := sorted(wanted ^ set(tensors.keys())):
                    raise OtherState(f"{directory / file}: tensors missing or unknown: {', '.join(wrong[:3])}")
        curves = Curves(**state["curves"])
        return Found(step=int(state["step"]), curves=curves, directory=directory)
    except OtherState:
        raise
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as problem:
        raise OtherState(f"{directory} cannot be read: {problem!r}") from problem


@torch.no_grad()
def load_weights(model: DeepBert, found: Found) -> None:
    """Copy a state's weights into a model that is still whole."""
    with safe_open(found.directory / MODEL, "pt") as tensors:
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors.get_tensor(name))


def load_optimiser(optimiser: torch.optim.Optimizer, model: DeepBert, found: Found) -> None:
    """Put a state's averages into the optimiser of a model that has been arranged."""
    with safe_open(found.directory / OPTIMISER, "pt") as tensors:
        for name, parameter in model.named_parameters():
            values = {a: placed_like(parameter, tensors.get_tensor(f"{a}.{name}")) for a in AVERAGES}
            step = torch.tensor(float(found.step), device=parameter.device)
            optimiser.state[parameter] = {"step": step, **values}


def gathered(tensors: Iterable[tuple[str, Tensor]], workers: Workers) -> dict[str, Tensor]:
    """All tensors, whole, on the CPU of the first worker; elsewhere nothing. All workers must ask at once."""
    found = {}
    for name, value in tensors:
        full = whole(value.detach())
        if workers.first:
            found[name] = full.to("cpu").contiguous()
    return found


def save(
    context: Context,
    workers: Workers,
    model: DeepBert,
    optimiser: torch.optim.Optimizer,
    step: int,
    curves: Curves,
    belongs: str,
) -> None:
    """Hand the state after `step` steps to `context.checkpoints`. All workers must ask at once; the first saves."""
    weights = gathered(model.named_parameters(), workers)
    states = [(name, optimiser.state[parameter]) for name, parameter in model.named_parameters()]
    averages = gathered(((f"{a}.{name}", state[a]) for name, state in states for a in AVERAGES), workers)
    if not workers.first or context.checkpoints is None:
        return
    state: dict[str, Any] = {"step": step, "digest": belongs, "curves": dataclasses.asdict(curves)}
    with tempfile.TemporaryDirectory(prefix="pretrain-") as made:
        save_file(weights, Path(made, MODEL))
        save_file(averages, Path(made, OPTIMISER))
        Path(made, STATE).write_text(json.dumps(state), encoding="utf-8")
        context.checkpoints.save(step, Path(made))
