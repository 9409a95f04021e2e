"""The stages `evaluate_classifier` and `classifier_delta`: scores of a checkpoint (attention_dynamics 2.5, 8.1, 8.10).

Documents come in batches of similar length; one pass gives performance, alpha and beta. beta is oriented towards the
true label (times 2y - 1), Delta already is, through the loss (quirk C2).

Dimensions: N documents, B of them in a batch, S positions.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.attention_classifier import AttentionClassifier, ClassifierConfig, delta, training_bytes
from orchestrator.experiment import Context
from tasks.attention.attention_classification.batches import check_memory, on_device
from tasks.attention.attention_classification.items import Items, items_of
from tasks.attention.attention_classification.params import ClassifierParams, DeltaParams, EvaluateParams
from tasks.attention.learning.choice import delta_choice
from tasks.attention.learning.runs import Run
from tasks.attention.learning.scores import PARTS, Scores, write_scores
from tasks.attention.ragged import length_batches
from tasks.attention.texts.artifact import open_texts
from tasks.data.errors import DataError
from tasks.training.numerics import exact_numerics, usable_bytes

CELLS = 8_192  # padded positions of a batch at most: more was no faster on a CPU


def evaluate_classifier(params: EvaluateParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `performance` of one checkpoint; its scores as an artifact.

    The documents are in `context.needs["data"]`, the checkpoint in `context.needs["run"]`.

    Raises:
        DataError: the checkpoint is missing or broken, or a document is too long for memory.
    """
    if context.artifact is None:
        raise ValueError("evaluate_classifier writes scores: give context.artifact, an empty directory")
    items = opened(context.needs["data"], params.splits)
    with exact_numerics():
        model = load_checkpoint(
            params, context.needs["run"], Run(params.kind, params.seed), params.step, items.vocabulary
        )
        model = model.to(context.device)
        values, correct_N = passes(model, items, params.quantities, usable_bytes(context))
    performance = accuracy_by_part(items, correct_N)
    write_scores(
        context.artifact,
        Scores(items=items.counts, lengths=items.lengths, half=items.half, values=values, performance=performance),
    )
    rows = [
        {"split": split, "part": part, "metric": metric, "value": value}
        for split, parts in performance.items()
        for part, metrics in parts.items()
        for metric, value in metrics.items()
    ]
    return {"performance": rows}


def classifier_delta(params: DeltaParams, context: Context) -> dict[str, Any]:
    """Delta of the gold run at the checkpoints that its performance chooses, as scores `delta-<step>`; no rows.

    One backward pass a checkpoint. `context.needs` has the documents (`data`), the gold run's checkpoints (`run`) and
    their evaluations, named as by `tasks.attention.learning.plan.gold_needs`.

    Raises:
        DataError: a checkpoint or an evaluation is missing.
    """
    if context.artifact is None:
        raise ValueError("classifier_delta writes scores: give context.artifact, an empty directory")
    run = Run("normal", params.seed)
    chosen = delta_choice(context.needs, run, params.steps, params.splits, ("accuracy",))
    items = opened(context.needs["data"], params.splits)
    values = {}
    with exact_numerics():
        for step in chosen:
            model = load_checkpoint(params, context.needs["run"], run, step, items.vocabulary).to(context.device)
            found, _ = passes(model, items, ("delta",), usable_bytes(context))
            values[f"delta-{step}"] = found["delta"]
    write_scores(
        context.artifact,
        Scores(items=items.counts, lengths=items.lengths, half=items.half, values=values, performance={}),
    )
    return {}


@functools.lru_cache(maxsize=2)
def opened(directory: Path, splits: Sequence[str]) -> Items:
    """The items of a data job, kept open in a process that evaluates one checkpoint after another."""
    return items_of(open_texts(directory), splits)


def load_checkpoint(
    params: ClassifierParams, directory: Path, run: Run, step: int, vocabulary: int
) -> AttentionClassifier:
    """A run's classifier after `step` updates.

    Raises:
        DataError: there is no such file, or it does not fit.
    """
    path = directory / run.name / f"{step}.safetensors"
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint; run the training of {run.name} again, or leave the step out")
    config = ClassifierConfig(
        vocab_size=vocabulary,
        embedding=params.embedding,
        hidden=params.hidden,
        intermediate=params.intermediate,
        uniform=run.kind == "uniform",
    )
    with torch.device("meta"):
        model = AttentionClassifier(config)
    try:
        model.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, RuntimeError, OSError) as problem:
        raise DataError(f"{path}: {str(problem).splitlines()[0]}; run the training of {run.name} again") from problem
    return model.eval()


def passes(
    model: AttentionClassifier, items: Items, quantities: Sequence[str], usable: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Flat quantities float32 [sum of lengths] of all items, and whether each is classified rightly, bool [N].

    A document is classified as 1 where its score is above 0.

    Raises:
        DataError: a document is too long for memory.
    """
    tokens, device = items.tokens, model.value.weight.device
    longest = int(tokens.lengths.max(initial=0))
    check_memory(tokens, f"the evaluated documents of {items.name}", training_bytes(model.config, longest), usable)
    cells = max(longest, min(CELLS, CELLS * usable // max(1, training_bytes(model.config, CELLS))))
    values = {name: np.empty(len(tokens.values), np.float32) for name in quantities}
    correct_N = np.empty(len(tokens), bool)
    for rows in length_batches(tokens.lengths, cells):
        ids_BS, lengths_B = on_device(tokens, rows, device)
        labels_B = torch.from_numpy(items.labels[rows]).to(device)
        with torch.inference_mode():
            found = model(ids_BS, lengths_B)
            by_name = {"alpha": found.alpha_BS, "beta": found.beta_BS * (2 * labels_B - 1)[:, None]}
            correct_N[rows] = ((found.score_B > 0) == (labels_B > 0)).cpu().numpy()
        if "delta" in quantities:
            by_name["delta"] = delta(model, ids_BS, lengths_B, labels_B)
        inside_BS = np.arange(ids_BS.shape[1]) < lengths_B.numpy()[:, None]
        places = (tokens.offsets[rows][:, None] + np.arange(ids_BS.shape[1]))[inside_BS]
        for name in quantities:
            values[name][places] = by_name[name].cpu().numpy()[inside_BS]
    return values, correct_N


def accuracy_by_part(items: Items, correct_N: np.ndarray) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Fractions of documents that are classified rightly, by split and part; NaN for a half without any."""
    start, performance = 0, {}
    for split, count in items.counts.items():
        right, half = correct_N[start : start + count], items.half[start : start + count]
        chosen = {"all": right, "a": right[half == 0], "b": right[half == 1]}
        performance[split] = {
            part: {"accuracy": float(chosen[part].mean()) if len(chosen[part]) else float("nan")} for part in PARTS
        }
        start += count
    return performance
