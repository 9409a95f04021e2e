"""One checkpoint of the classifier evaluated with warm data and batches of similar length, against from the beginning.

Part of `benchmarks/attention.py`. The plain way does for every checkpoint what the published code does: read the files,
count the vocabulary, encode all documents, load the weights, then one document after another; in one row with, in the
other without the backward pass for Delta, which the statistics need of one checkpoint in 154 only. As built it is the
whole stage in a worker that has evaluated a checkpoint of this data set before: weights are read, scores written. Both
must give the same alpha and beta, and Delta is checked against the stage that computes it. Published sizes; AG News
(two classes) where `SWEEP_TEST_DATA` has it, else the builtin topics. One process, one thread; seconds are of the
processor, so that a busy machine changes them little.

Dimensions: N documents, S positions.
"""

import dataclasses
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from models.attention_classifier import AttentionClassifier, ClassifierConfig
from orchestrator.experiment import Context, Job
from tasks.attention.attention_classification.evaluation import evaluate_classifier
from tasks.attention.attention_classification.items import items_of, opened
from tasks.attention.attention_classification.stages import EvaluateParams
from tasks.attention.learning.scores import read_scores
from tasks.attention.texts.plan import TextOptions, texts_job
from tasks.attention.texts.stages import open_texts
from tasks.training.seeds import torch_stream

LIMIT = 200  # test documents, and as many training documents: of the file's as many as published of the whole set's

Row = tuple[str, float, float, float]
Found = dict[str, list[np.ndarray]]


def data() -> Job:
    """AG News where it is, else the builtin topics."""
    place = Path(os.environ.get("SWEEP_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if (place / "ag_news").is_dir():
        return texts_job("AG_News", str(place), options=TextOptions(test_limit=LIMIT))
    return texts_job("topics", None, options=TextOptions(test_limit=LIMIT))


def read_again(job: Job, directory: Path) -> None:
    """The files, the vocabulary and the ids, from the beginning."""
    directory.mkdir()
    job.stage.load()(job.params, Context(artifact=directory, paths=dict(job.paths)))


def plain_checkpoint(job: Job, weights: Path, directory: Path, delta: bool) -> Found:
    """Everything for one checkpoint, document by document."""
    read_again(job, directory)
    items = items_of(open_texts(directory), ("val", "train"))
    model = AttentionClassifier(ClassifierConfig(vocab_size=items.vocabulary))
    model.load_state_dict(load_file(weights))
    found: Found = {"alpha": [], "beta": [], "delta": []}
    for number, label in enumerate(items.labels.tolist()):
        tokens = torch.from_numpy(items.tokens[number].astype(np.int64))[None]
        length = torch.tensor([tokens.shape[1]])
        with torch.set_grad_enabled(delta):
            scale = torch.ones(tokens.shape, requires_grad=True) if delta else None
            one = model(tokens, length, scale)
        if scale is not None:
            loss = functional.binary_cross_entropy_with_logits(one.score_B, torch.tensor([float(label)]))
            found["delta"].append(-torch.autograd.grad(loss, scale)[0][0].numpy())
        found["alpha"].append(one.alpha_BS[0].detach().numpy())
        found["beta"].append(one.beta_BS[0].detach().numpy() * (2 * label - 1))
    return found


def measure_evaluation() -> list[Row]:
    """What, plain seconds, seconds as built, largest difference of alpha, beta and Delta."""
    with tempfile.TemporaryDirectory() as made:
        root, job = Path(made), data()
        read_again(job, root / "data")
        texts = open_texts(root / "data")
        config = ClassifierConfig(vocab_size=len(texts.vocabulary))
        model = AttentionClassifier(config).initialise(torch_stream(1, "benchmark"))
        (root / "run" / "normal-1").mkdir(parents=True)
        weights = root / "run" / "normal-1" / "250.safetensors"
        save_file(model.state_dict(), weights)
        needed: dict[str, Any] = {"kind": "normal", "seed": 1, "step": 250, "quantities": ("alpha", "beta")}
        params = EvaluateParams(**dataclasses.asdict(job.params), **needed)
        needs = {"data": root / "data", "run": root / "run"}
        items = opened(root / "data", params.splits)  # what an earlier checkpoint of the same worker has left open
        with_delta = dataclasses.replace(params, quantities=("alpha", "beta", "delta"))
        for name in ("ours", "checked"):
            (root / name).mkdir()
        evaluate_classifier(with_delta, Context(needs=needs, artifact=root / "checked"))  # libraries load at first use
        clock = time.process_time()
        evaluate_classifier(params, Context(needs=needs, artifact=root / "ours"))
        ours = time.process_time() - clock
        scores, checked = read_scores(root / "ours"), read_scores(root / "checked")
        size = f"{items.name}, {len(items.labels)} documents, {len(items.tokens.values)} tokens, published sizes"
        rows = []
        for delta in (False, True):
            clock = time.process_time()
            found = plain_checkpoint(job, weights, root / f"again-{delta}", delta)
            plain = time.process_time() - clock
            far = max(float(np.abs(np.concatenate(found[n]) - scores.values[n]).max()) for n in ("alpha", "beta"))
            if delta:
                far = max(far, float(np.abs(np.concatenate(found["delta"]) - checked.values["delta"]).max()))
            what = "with Delta of each, as published" if delta else "without Delta"
            rows.append((f"a checkpoint evaluated: {size}; plain {what}", plain, ours, far))
        return rows


def measure() -> list[Row]:
    """Measure on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = measure_evaluation()
    torch.set_num_threads(threads)
    return rows
