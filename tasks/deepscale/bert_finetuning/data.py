"""The tokens of a task as the stages use them, and the stage that says what they are like.

Dimensions: N examples or questions, B rows of a batch (of choices four a question), T tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.experiment import Context
from tasks.data.tokenised import Split, open_split, read_meta
from tasks.deepscale.bert_finetuning.params import OVERALL, DataParams, FinetuneParams, eval_splits, n_classes
from tasks.deepscale.race.questions import CHOICE_TASKS, OPTIONS
from tasks.deepscale.race.tokenised import TokenisedChoices, open_choices
from tasks.training.seeds import numpy_stream


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """A task's tokens."""

    task: str
    train: Split
    evals: Mapping[str, Split]
    vocab_size: int
    choices: int
    """Rows of an example: 4 where it is a question with options, else 1."""

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(int(split.lengths.max()) for split in (self.train, *self.evals.values()))


def open_task(params: FinetuneParams | DataParams, context: Context) -> TaskData:
    """The tokens in `context.needs["tokens"]`.

    Raises:
        ValueError: none, those of another task, or an empty split.
    """
    if "tokens" not in context.needs:
        raise ValueError('context.needs has no "tokens"; plan a job of tokens that this one needs')
    directory = context.needs["tokens"]
    meta = read_meta(directory)
    if meta["task"] != params.task:
        raise ValueError(f"{directory} holds tokens of {meta['task']}, not {params.task}; give the task's own tokens")
    choices = params.task in CHOICE_TASKS
    splits = {
        name: open_choices(directory, name) if choices else open_split(directory, name)
        for name in ("train", *eval_splits(params.task))
    }
    if empty := [name for name, split in splits.items() if not len(split)]:
        raise ValueError(f"the split {empty[0]} of {params.task} is empty; give data with at least one example")
    train = splits.pop("train")
    return TaskData(
        task=params.task,
        train=train,
        evals=splits,
        vocab_size=meta["vocab_size"],
        choices=OPTIONS if choices else 1,
    )


def halves(task: str, name: str, split: Split) -> np.ndarray:
    """bool [N], True for the examples of half A: a fixed random half; the questions of one passage stay together."""
    groups = np.asarray(split.article) if isinstance(split, TokenisedChoices) else np.arange(len(split))
    raw = numpy_stream(0, "half", task, name).bit_generator.random_raw(int(groups.max()) + 1)
    order = np.argsort(raw, kind="stable")
    first = np.zeros(len(order), dtype=bool)
    first[order[: len(order) // 2]] = True
    return first[groups]


def finetune_data(params: DataParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `data`; the tokens are in `context.needs["tokens"]`.

    Raises:
        ValueError: as `open_task`.
    """
    data = open_task(params, context)
    splits = {"train": data.train, **data.evals}
    counts = np.bincount(np.asarray(data.train.labels), minlength=n_classes(params.task))
    rows = []
    for name, split in splits.items():
        lengths = np.asarray(split.lengths)
        values = {
            "examples": len(split),
            "tokens": lengths.mean(),
            "full": np.mean(lengths == params.max_length),
            "majority_accuracy": np.mean(np.asarray(split.labels) == counts.argmax()),
            "random_accuracy": 1 / n_classes(params.task),
        }
        rows += [{"split": name, "metric": metric, "value": float(value)} for metric, value in values.items()]
    if len(data.evals) > 1 and params.task in CHOICE_TASKS:
        labels = np.concatenate([np.asarray(split.labels) for split in data.evals.values()])
        overall = {"examples": len(labels), "majority_accuracy": np.mean(labels == counts.argmax())}
        overall["random_accuracy"] = 1 / n_classes(params.task)
        rows += [{"split": OVERALL, "metric": metric, "value": float(value)} for metric, value in overall.items()]
    return {"data": rows}
