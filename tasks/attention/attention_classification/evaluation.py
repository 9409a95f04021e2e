"""The stages `evaluate_classifier` and `classifier_delta`: scores of a checkpoint (README 1).

Documents come in batches of similar length; one pass gives performance, alpha and beta. beta is oriented towards the
true label (times 2y - 1), Delta already is, through the loss.

Dimensions: N documents, B of them in a batch, S positions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from models.attention_classifier import AttentionClassifier, ClassifierConfig, delta, training_bytes
from orchestrator.experiment import Context
from tasks.attention.attention_classification.items import Items, check_memory, on_device, opened
from tasks.attention.attention_classification.stages import ClassifierParams, DeltaParams, EvaluateParams
from tasks.attention.learning.opened import write_delta
from tasks.attention.learning.runs import Run
from tasks.attention.learning.scores import PARTS, mean_of, performance_rows, write_scores
from tasks.attention.learning.trainer import load_checkpoint
from tasks.attention.ragged import artifact_of, length_batches
from tasks.training.numerics import exact_numerics, usable_bytes

CELLS = 8_192  # padded positions of a batch at most: more was no faster on a CPU


def evaluate_classifier(params: EvaluateParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `performance` of one checkpoint; its scores as an artifact.

    The documents are in `context.needs["data"]`, the checkpoint in `context.needs["run"]`.

    Raises:
        DataError: the checkpoint is missing or broken, or a document is too long for memory.
    """
    artifact = artifact_of(context, "evaluate_classifier")
    items = opened(context.needs["data"], params.splits)
    with exact_numerics():
        model = checkpoint(params, items, Run(params.kind, params.seed), params.step, context)
        values, correct_N = passes(model, items, params.quantities, usable_bytes(context))
    performance = {
        split: {part: {"accuracy": mean_of(correct_N[items.rows(split, part)])} for part in PARTS}
        for split in items.items
    }
    write_scores(artifact, items.scores(values, performance))
    return {"performance": performance_rows(performance)}


def classifier_delta(params: DeltaParams, context: Context) -> dict[str, Any]:
    """Delta of the gold run at the checkpoints that its performance chooses, as scores `delta-<step>`; no rows.

    One backward pass a checkpoint. `context.needs` has the documents (`data`), the gold run's checkpoints (`run`) and
    their evaluations, named as by `tasks.attention.learning.plan.gold_needs`.

    Raises:
        DataError: a checkpoint or an evaluation is missing.
    """
    items = opened(context.needs["data"], params.splits)

    def delta_at(run: Run, step: int) -> np.ndarray:
        model = checkpoint(params, items, run, step, context)
        return passes(model, items, ("delta",), usable_bytes(context))[0]["delta"]

    write_delta(context, params, params.splits, ("accuracy",), items, delta_at)
    return {}


def checkpoint(params: ClassifierParams, items: Items, run: Run, step: int, context: Context) -> AttentionClassifier:
    """A run's classifier after `step` updates, on the job's device."""
    config = config_of(params, items.vocabulary, run)
    return load_checkpoint(context.needs["run"], run, step, lambda: AttentionClassifier(config)).to(context.device)


def config_of(params: ClassifierParams, vocabulary: int, run: Run) -> ClassifierConfig:
    """The sizes of a run's classifier."""
    return ClassifierConfig(
        vocab_size=vocabulary,
        embedding=params.embedding,
        hidden=params.hidden,
        intermediate=params.intermediate,
        uniform=run.kind == "uniform",
    )


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
