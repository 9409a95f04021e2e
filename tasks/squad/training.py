"""The stage `squad_train`: end-to-end training of an encoder with a new span head (README 3), one part of it.

AdamW with bias correction, no weight decay, linear decay, the whole model's gradient clipped, the library's dropout.
The loss is half the sum of the cross entropies of start and end over all positions of the padded batch, as published.
What is random in a step depends on the seed and the step alone, so neither the number of parts, nor a restart, nor the
memory of a machine changes a number.

Dimensions: B windows of a batch, T tokens of the longest of them, N windows to train on, S steps in all.
"""

import contextlib
import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from models.recompute import activation_bytes, recompute_layers
from models.transformer import n_layers, new_reader, span_logits
from orchestrator.experiment import Context
from tasks.encoders.transformer_loading import load_transformer_here
from tasks.squad.checkpoints import TrainingState, load_part, read_state, save_part
from tasks.squad.questions.windows import WindowBatch, Windows, open_windows
from tasks.squad.stages import TrainParams
from tasks.training.loop import data_orders, is_curve_point, n_steps
from tasks.training.numerics import exact_numerics, synchronise, usable_bytes
from tasks.training.optimisers import learning_rate, make_optimiser, take_step
from tasks.training.seeds import stream_seed


def squad_train(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Write this part's artifact (see `tasks.squad.checkpoints`) into `context.artifact`. No rows.

    `context.needs`: `windows`, and from the second part on `before`. A checkpoint to start from is in
    `context.paths["model"]` or on the hub, a tokenizer that is a directory in `context.paths["tokenizer"]`.

    Raises:
        ValueError: a need or the encoder does not fit the parameters, nothing to train on, bf16 without CUDA, too
            little memory, or a loss that is not finite (with its step).
    """
    device = torch.device(context.device)
    if params.precision == "bf16" and device.type != "cuda":
        raise ValueError(f"precision is bf16 on {device}; give --precision float32, or a CUDA device")
    if context.artifact is None:
        raise ValueError("squad_train writes a checkpoint: give context.artifact, an empty directory")
    for need in ("windows", "before") if params.part > 1 else ("windows",):
        if need not in context.needs:
            raise ValueError(f"context.needs has no {need!r}; plan the jobs with tasks.squad.plan.train_jobs")
    windows = open_windows(context.needs["windows"], "train")
    chosen_N = np.flatnonzero(windows.trainable)
    if not len(chosen_N):
        raise ValueError(f"none of the {len(windows)} training windows can be trained on; see the table data_problems")
    with exact_numerics():
        total = n_steps(len(chosen_N), params.batch_size, params.epochs)
        if params.part > 1:
            before = context.needs["before"]
            reader, optimiser, state = load_part(before, device, expected=params.steps(total).start)
        else:
            reader = first_reader(params, context, windows)
            optimiser = make_optimiser([], reader.parameters(), "adamw", 0.0)
            state = TrainingState(steps=0, total=total, windows=len(chosen_N), left_out=len(windows) - len(chosen_N))
        if needs_recompute(params, reader, int(windows.lengths[chosen_N].max()), usable_bytes(context)):
            recompute_layers(reader)
            state.recomputed = True
        clock = time.perf_counter()
        train(params, reader, optimiser, state, windows, chosen_N)
        synchronise(device)
        state.seconds += time.perf_counter() - clock
    save_part(params, context, reader.to("cpu"), optimiser, state)  # pyright: ignore[reportArgumentType]
    return {}


def squad_train_report(params: TrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """The stage that only reads: rows of `training_curves` and `training_costs` from `context.needs["model"]`.

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


def first_reader(params: TrainParams, context: Context, windows: Windows) -> PreTrainedModel:
    """The encoder that training starts from, with a span head drawn from the seed (a checkpoint's own is not used)."""
    encoder = load_transformer_here(
        params,
        context,
        vocab_size=windows.meta["vocab_size"],
        pad_token_id=windows.meta["pad_token_id"],
        longest=int(windows.lengths.max()),
    )
    return new_reader(encoder, stream_seed(params.seed, "head"))


def needs_recompute(params: TrainParams, reader: PreTrainedModel, tokens: int, budget_bytes: int) -> bool:
    """Whether layers must be run twice, since their activations do not fit beside weights, gradients and moments.

    Raises:
        ValueError: not even so does a batch of the longest windows fit.
    """
    L, B = n_layers(reader), params.batch_size
    itemsize = next(reader.parameters()).element_size()
    weights = 4 * sum(p.numel() * p.element_size() for p in reader.parameters())
    plain = weights + activation_bytes(reader.config, L, B, tokens, itemsize)
    if plain <= budget_bytes:
        return False
    inputs = L * B * tokens * reader.config.hidden_size * itemsize
    least = weights + inputs + activation_bytes(reader.config, 1, B, tokens, itemsize)
    if least > budget_bytes:
        raise ValueError(
            f"{B} windows of {tokens} tokens need about {least / 2**20:,.0f} MiB to train on, "
            f"{budget_bytes / 2**20:,.0f} MiB may be used; give a smaller --finetune-batch or --max-length, or a "
            "machine with more memory"
        )
    return True


def train(
    params: TrainParams,
    reader: PreTrainedModel,
    optimiser: torch.optim.AdamW,
    state: TrainingState,
    windows: Windows,
    chosen_N: np.ndarray,
) -> None:
    """Take the steps of this part; `state` follows.

    Raises:
        ValueError: loss or gradient that is not finite, with the step and the learning rate.
    """
    device, weights = reader.device, list(reader.parameters())
    steps = params.steps(state.total)
    reader.train()
    for step, indices in zip(steps, islice(batches(params, chosen_N), steps.start, steps.stop), strict=True):
        batch = windows.batch(indices)
        rate = learning_rate("linear", params.learning_rate, step, state.total, params.warmup)
        with seeded(stream_seed(params.seed, "dropout", step), device):
            with precision(params, device):
                start, end = span_logits(reader, *model_batch(batch, device))
            loss = span_loss(start, end, batch.start.to(device), batch.end.to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # within the seeded block: layers that are run again draw nothing of anyone else's
        norm = nn.utils.clip_grad_norm_(weights, params.clip or math.inf)
        state.since.append(float(loss.detach()))
        if not math.isfinite(state.since[-1]) or not math.isfinite(float(norm)):
            raise ValueError(
                f"the loss is {state.since[-1]} and its gradient's norm {float(norm)} at step {step} of {state.total}, "
                f"learning rate {rate:g}; give a lower --finetune-learning-rate than {params.learning_rate:g}"
            )
        take_step(optimiser, "adamw", rate, step, [], 0.0)
        state.steps = step + 1
        state.layer_passes += 3 * n_layers(reader) * len(indices)
        if is_curve_point(step, state.total, params.curve_points):
            epoch = state.steps * params.epochs / state.total
            mean = math.fsum(state.since) / len(state.since)
            state.curve.append({"step": state.steps, "epoch": epoch, "loss": mean, "learning_rate": rate})
            state.since = []
    reader.eval()


def batches(params: TrainParams, chosen_N: np.ndarray) -> Iterator[np.ndarray]:
    """The windows of each step of the whole training, in the seeded order of each epoch."""
    for order in data_orders(params.seed, len(chosen_N), params.epochs):
        for part in order.split(params.batch_size):
            yield chosen_N[part.numpy()]


def span_loss(start_BT: Tensor, end_BT: Tensor, starts_B: Tensor, ends_B: Tensor) -> Tensor:
    """(CE of start + CE of end) / 2 in nats, means over the windows; the softmax is over all T positions."""
    double = start_BT.dtype == torch.float64
    start_BT, end_BT = (x if double else x.float() for x in (start_BT, end_BT))
    return (functional.cross_entropy(start_BT, starts_B) + functional.cross_entropy(end_BT, ends_B)) / 2


def model_batch(batch: WindowBatch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, token types and attention mask [B, T] on a device."""
    return batch.input_ids.to(device), batch.token_type_ids.to(device), batch.attention_mask.to(device)


@contextlib.contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state of CPU and device begins at `seed`, and is afterwards what it was: dropout uses it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def precision(params: TrainParams, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Where matrices are multiplied in bf16, or nothing."""
    if params.precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
