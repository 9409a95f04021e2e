"""The artifact of a part of `squad_train`: what the next part goes on from, or the finished checkpoint.

Always there: `config.json` and `model.safetensors` as the library's `save_pretrained` writes them, and `state.json`. Of
a part that is not the last also `optimiser.safetensors`, the moments of AdamW; of the last the tokenizer's files, so
that it is a plain checkpoint directory.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from models.quiet import quiet_library
from models.transformer import load_reader
from orchestrator.experiment import Context
from tasks.data.tokenizers import TokenizerRef, load_tokenizer
from tasks.squad.stages import STATE, TrainParams
from tasks.training.optimisers import make_optimiser

MOMENTS = "optimiser.safetensors"
MOMENT_NAMES = ("exp_avg", "exp_avg_sq")


@dataclass(kw_only=True)
class TrainingState:
    """How far a training is."""

    steps: int
    """Steps done."""
    total: int
    """Steps of all parts."""
    windows: int
    """Windows trained on in an epoch."""
    left_out: int
    """Windows that are not, since their answer is not in its context."""
    since: list[float] = field(default_factory=list)
    """Losses of the steps since the curve's last point."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """Points: step, epoch, loss, learning_rate."""
    layer_passes: int = 0
    seconds: float = 0.0
    recomputed: bool = False


def save_part(
    params: TrainParams, context: Context, reader: PreTrainedModel, optimiser: torch.optim.AdamW, state: TrainingState
) -> None:
    """Write the artifact of a part; `reader` is on the CPU."""
    assert context.artifact is not None  # the stage has seen to it
    with quiet_library():
        reader.save_pretrained(context.artifact)
    if params.is_last:
        ref = TokenizerRef(
            name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer")
        )
        load_tokenizer(ref).save_pretrained(context.artifact)
    else:
        save_file(_moments(reader, optimiser), context.artifact / MOMENTS)
    (context.artifact / STATE).write_text(json.dumps(dataclasses.asdict(state)), encoding="utf-8")


def load_part(
    directory: Path, device: torch.device, expected: int
) -> tuple[PreTrainedModel, torch.optim.AdamW, TrainingState]:
    """What the part before left, on a device.

    Raises:
        ValueError: it is not there, is a finished training, or has done another number of steps than `expected`.
    """
    state = read_state(directory)
    if state.steps != expected:
        raise ValueError(f"{directory} holds a training of {state.steps} steps, expected were {expected}")
    if not (directory / MOMENTS).is_file():
        raise ValueError(f"{directory} has no {MOMENTS}; run the job that wrote it again")
    reader: Any = load_reader(directory)
    reader = reader.to(device)
    optimiser = make_optimiser([], reader.parameters(), "adamw", 0.0)
    moments = load_file(directory / MOMENTS, device=str(device))
    for name, parameter in reader.named_parameters():
        if f"{name}.{MOMENT_NAMES[0]}" not in moments:
            continue  # no step yet: more parts than steps
        own = {moment: moments[f"{name}.{moment}"].to(parameter.dtype) for moment in MOMENT_NAMES}
        step = torch.tensor(float(state.steps), dtype=torch.float32, device=device)  # as the fused AdamW keeps it
        optimiser.state[parameter] = {"step": step, **own}
    return reader, optimiser, state


def read_state(directory: Path) -> TrainingState:
    """`state.json` of an artifact.

    Raises:
        ValueError: it is not there, or not as written.
    """
    path = Path(directory) / STATE
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected an artifact of squad_train, run its job again")
    try:
        return TrainingState(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{path}: not as squad_train writes it ({problem}); run its job again") from problem


def _moments(reader: PreTrainedModel, optimiser: torch.optim.AdamW) -> dict[str, torch.Tensor]:
    found = {}
    for name, parameter in reader.named_parameters():
        for moment in MOMENT_NAMES:
            if parameter in optimiser.state:
                found[f"{name}.{moment}"] = optimiser.state[parameter][moment].cpu().contiguous()
    return found
