"""The stage `train_copies`: all seeds of a block trained together, with streams of their own (README 4).

A seed's numbers do not depend on the seeds beside it, up to the order of sums, nor on how often it is evaluated: the
sequences of an evaluation come from a stream that its step names.

Dimensions: G seeds, B sequences, S = L + 1 source positions, T = S target positions.
"""

import time
from typing import Any

import torch
from torch import Tensor

from metrics.copying import attention_accuracy, copy_accuracy
from models.copying import CopyModel, CopyModelConfig, StackedCopyModels, training_bytes
from orchestrator.experiment import Context
from tasks.attention.copying.training import draw_sequences, drawn, framed, parameters_of, stack_of
from tasks.attention.sequence_copying.stages import TrainCopiesParams
from tasks.training.numerics import exact_numerics, synchronise
from tasks.training.seeds import torch_stream

Rows = list[dict[str, Any]]


def train_copies(params: TrainCopiesParams, context: Context) -> dict[str, Rows]:
    """Rows of both tables for one block of seeds.

    Raises:
        ValueError: the models do not fit into memory.
    """
    clock = time.perf_counter()
    device = torch.device(context.device)
    with exact_numerics():
        models = [initial_model(params, seed) for seed in params.seeds]
        stack, together = stack_of(params, context, models, StackedCopyModels, training_bytes)
        rows = _train(params, stack, device)
        synchronise(device)
    cost = {
        "first_seed": min(params.seeds),
        "runs": len(models),
        "at_once": together,
        "parameters": parameters_of(models[0]),
        "train_seconds": time.perf_counter() - clock,
    }
    return {"copying": rows, "trainings": [cost]}


def initial_model(params: TrainCopiesParams, seed: int) -> CopyModel:
    """The model of a seed before its first update; the same whatever attention it is trained with."""
    config = CopyModelConfig(
        symbols=params.symbols,
        hidden=params.hidden,
        attention=params.attention,
        bidirectional=params.bidirectional,
    )
    return drawn(lambda: CopyModel(config), seed, "sequence_copying", "initialisation")


def evaluation_data(params: TrainCopiesParams, seed: int, step: int) -> Tensor:
    """The sequences [N, L] that a seed is evaluated on at a step."""
    stream = torch_stream(seed, "sequence_copying", "evaluation", step)
    return draw_sequences(params, params.length, params.evaluation_sequences, stream)


def _train(params: TrainCopiesParams, stack: StackedCopyModels, device: torch.device) -> Rows:
    optimiser = torch.optim.Adam(stack.parameters(), lr=params.learning_rate)
    streams = [torch_stream(seed, "sequence_copying", "training") for seed in params.seeds]
    rows: Rows = []
    for step in range(params.last_step + 1):  # updates behind the last evaluation would show nowhere
        fresh = [draw_sequences(params, params.length, params.batch, stream) for stream in streams]
        losses = stack.backward(*framed(torch.stack(fresh).to(device), params.symbols))
        optimiser.step()
        if step % params.evaluate_every == 0:
            rows += _evaluate(params, stack, step, losses, device)
    return rows


def _evaluate(
    params: TrainCopiesParams, stack: StackedCopyModels, step: int, losses: Tensor, device: torch.device
) -> Rows:
    data = torch.stack([evaluation_data(params, seed, step) for seed in params.seeds]).to(device)
    source, target = framed(data, params.symbols)
    predicted, attended = stack.predict(source, target[..., :-1])
    measures = {"accuracy": copy_accuracy(predicted, target[..., 1:]).tolist(), "loss": losses.double().tolist()}
    for name, shift in (("attention_accuracy", 0), ("attention_late", 1), ("attention_early", -1)):
        known = params.attention != "none"
        measures[name] = attention_accuracy(attended, shift).tolist() if known else [None] * len(params.seeds)
    return [
        {"seed": seed, "step": step, "updates": step + 1, **{name: values[at] for name, values in measures.items()}}
        for at, seed in enumerate(params.seeds)
    ]
