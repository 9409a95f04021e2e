"""Windows of the invented questions against those of the published converter."""

import json
from pathlib import Path

import numpy as np
import pytest

from orchestrator.experiment import Context
from tasks.squad.questions.plan import QuestionOptions, windows_job
from tasks.squad.questions.windows import open_windows

HERE = Path(__file__).parent
FEATURES = np.load(HERE / "squad_e2e_features_cut.npz")
INSIDE_A_WORD = 117  # its answer is the second half of a word: published labels fall back to the whole word


@pytest.fixture(scope="module")
def windows_of(tmp_path_factory):
    """`windows_of(max_length, doc_stride, max_query_length)` is the artifact of these settings, made once."""
    root = tmp_path_factory.mktemp("squad")
    tokenizer = root / "toy-bert"
    tokenizer.mkdir()
    pieces = json.loads((HERE / "squad_e2e_vocab.json").read_text())
    (tokenizer / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    for split in ("train", "dev"):
        (root / f"{split}-v2.0.json").write_bytes((HERE / f"squad_e2e_{split}.json").read_bytes())
    made = {}

    def make(*settings: int) -> Path:
        if settings not in made:
            made[settings] = root / "-".join(map(str, settings))
            made[settings].mkdir()
            length, stride, query = settings
            job = windows_job(
                QuestionOptions(
                    dataset="squad_v2",
                    data_dir=str(root),
                    max_length=length,
                    doc_stride=stride,
                    max_query_length=query,
                    train_limit=None,
                    dev_limit=None,
                ),
                str(tokenizer),
            )
            context = Context(job_id=job.id, paths=job.paths, artifact=made[settings])
            job.stage.load()(job.params, context)
        return made[settings]

    return make


@pytest.mark.parametrize("split", ["train", "dev"])
def test_every_window_is_the_published_one(windows_of, split):
    windows = open_windows(windows_of(96, 32, 16), split)
    wanted = {name.removeprefix(f"{split}_"): FEATURES[name] for name in FEATURES if name.startswith(split)}
    assert len(windows) == {"train": 319, "dev": 148}[split]
    assert windows.question.tolist() == wanted["example_index"].tolist()
    assert windows.window_start.tolist() == wanted["window_start"].tolist()
    assert windows.context_start.tolist() == wanted["context_offset"].tolist()
    assert (windows.context_end - windows.context_start).tolist() == wanted["paragraph_len"].tolist()
    assert windows.lengths.tolist() == wanted["lengths"].tolist()
    batch = windows.batch(range(len(windows)), pad_to=96)
    assert batch.input_ids.shape == (len(windows), 96)
    mask = batch.attention_mask.bool()
    assert batch.input_ids[mask].tolist() == wanted["input_ids"].tolist()
    assert not batch.input_ids[~mask].any()
    context = batch.allowed.clone()
    context[:, 0] = False
    assert batch.max_context[context].tolist() == wanted["max_context"].astype(bool).tolist()
    assert not batch.max_context[~context].any()
    assert batch.allowed.sum(1).tolist() == (wanted["paragraph_len"] + 1).tolist()
    last_separator = batch.context_end[:, None] == np.arange(96)
    assert (batch.token_type_ids.bool() == context | last_separator).all()


def test_labels_are_the_published_ones_but_for_half_a_word(windows_of):
    windows = open_windows(windows_of(96, 32, 16), "train")
    start, end = FEATURES["train_start_position"], FEATURES["train_end_position"]
    others = windows.question != INSIDE_A_WORD
    assert (~others).sum() == 2
    assert np.array_equal(windows.start[others], start[others])
    assert np.array_equal(windows.end[others], end[others])
    (labelled,) = np.flatnonzero(~others & (start > 0)).tolist()
    assert windows.start[labelled] == start[labelled] + 1  # the published label begins with the word's first half
    assert windows.end[labelled] == end[labelled]
    assert windows.text(labelled, int(windows.start[labelled]), int(windows.end[labelled])) == "happiest"
    assert windows.tokens_text(labelled, int(start[labelled]), int(end[labelled])) == "unhappiest"


@pytest.mark.parametrize("settings", [(48, 12, 8), (64, 20, 16), (384, 128, 64)])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_summaries_of_other_settings(windows_of, settings, split):
    rows = FEATURES["_".join(map(str, ("rows", *settings, split)))]
    windows = open_windows(windows_of(*settings), split)
    batch = windows.batch(range(len(windows)), pad_to=settings[0])
    checksum = (batch.input_ids.numpy() * np.arange(1, settings[0] + 1)).sum(1) % 1_000_003
    ours = [
        windows.question,
        windows.window_start,
        windows.lengths,
        windows.context_start,
        windows.context_end - windows.context_start,
        windows.start,
        windows.end,
        batch.max_context.sum(1).numpy(),
        checksum,
    ]
    compared = list(range(len(ours)))
    if split == "dev":  # the published converter gives dev no labels
        compared = [at for at in compared if at not in (5, 6)]
    usual = windows.question != INSIDE_A_WORD if split == "train" else np.full(len(windows), True)
    for at in compared:
        assert np.array_equal(ours[at][usual], rows[usual, at]), at
    for at in set(compared) - {5, 6}:
        assert np.array_equal(ours[at], rows[:, at]), at
