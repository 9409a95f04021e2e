"""The stage squad_windows and its reader. Letters: N windows, B windows of a batch, T tokens."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.experiment import Context
from tasks.data.errors import DataError
from tasks.data.places import Place
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.squad.questions import sources
from tasks.squad.questions.examples import Paragraph, Question
from tasks.squad.questions.plan import WINDOWS, DataParams, QuestionOptions, WindowsParams, data_job, windows_job
from tasks.squad.questions.prepare import limited, squad_windows
from tasks.squad.questions.windows import open_windows
from tests.tasks.squad.questions.conftest import article, question

LONG = "The old tower was built in 1843 by Hugo Brandt. " * 12


@pytest.fixture(scope="module")
def builtin_dir(tmp_path_factory):
    job = windows_job(
        QuestionOptions(
            dataset="builtin", max_length=64, doc_stride=16, max_query_length=24, train_limit=300, dev_limit=200
        ),
        "builtin",
    )
    directory = tmp_path_factory.mktemp("builtin")
    job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=directory))
    return directory


@pytest.mark.parametrize("split", ["train", "dev"])
def test_windows_of_a_question_cover_its_context_once(builtin_dir, split):
    windows = open_windows(builtin_dir, split)
    assert len(windows.questions.ids) == {"train": 300, "dev": 200}[split]
    assert np.unique(windows.question).tolist() == list(range(len(windows.questions.ids)))
    assert (np.diff(windows.question) >= 0).all()
    assert windows.lengths.max() == 64
    batch = windows.batch(range(len(windows)))
    sizes = np.diff(windows.paragraphs.offsets)[windows.questions.paragraph]
    assert (sizes > 40).sum() > 50
    for index, size in enumerate(sizes):
        seen, most = np.zeros(size, int), np.zeros(size, int)
        for at in np.flatnonzero(windows.question == index):
            start, begin, stop = windows.window_start[at], windows.context_start[at], windows.context_end[at]
            seen[start : start + stop - begin] += 1
            most[start : start + stop - begin] += batch.max_context[at, begin:stop].numpy()
        assert seen.min() >= 1
        assert (most == 1).all()


@pytest.mark.parametrize("split", ["train", "dev"])
def test_the_label_cut_from_the_context_is_the_answer(builtin_dir, split):
    windows = open_windows(builtin_dir, split)
    labelled = np.flatnonzero(windows.start)
    assert len(labelled) > 100
    for at in labelled.tolist():
        answer = windows.questions.answers[windows.question[at]][0]
        assert answer in windows.text(at, int(windows.start[at]), int(windows.end[at]))
    found = np.zeros(len(windows.questions.ids), bool)
    found[windows.question[labelled]] = True
    assert (found == windows.questions.has_answer).all()  # these answers are short: each is whole in some window


def test_what_a_reader_sees(write_squad, bert_dir, cut):
    asked = [
        question("ü😀", "Who built the old tower, and where, and when was it of stone?", ("Hugo Brandt", 35)),
        question("b", "When?"),
        question("c", "Who?", ("Ana", 3)),
    ]
    directory = cut("squad_v2", write_squad(dev=[article("Towers", (LONG, asked))]), bert_dir)
    windows = open_windows(directory, "dev")
    assert windows.questions.ids == ["ü😀", "b", "c"]
    assert windows.questions.texts == [raw["question"] for raw in asked]
    assert windows.questions.answers == [["Hugo Brandt"], [], ["Ana"]]
    assert windows.questions.has_answer.tolist() == [True, False, True]
    assert windows.questions.trainable.tolist() == [True, True, False]
    assert windows.questions.paragraph.tolist() == [0, 0, 0]
    assert (windows.paragraphs.contexts, windows.paragraphs.articles) == ([LONG], ["Towers"])
    assert (windows.trainable == (windows.question < 2)).all()
    assert not windows.start[windows.question > 0].any()
    assert windows.context_start[0] == 8 + 2  # the question is cut to 8 tokens
    sizes = {"train": {"questions": 1, "windows": 1}, "dev": {"questions": 3, "windows": len(windows)}}
    assert windows.meta["sizes"] == sizes
    assert windows.meta["counts"]["dev"] == {
        "articles": 1,
        "paragraphs": 1,
        "questions": 3,
        "answerable": 2,
        "questions_cut": 1,
        "windows": len(windows),
        "questions_with_several_windows": 3,
        "windows_with_answer": int((windows.start > 0).sum()),
        "trainable": int((windows.question < 2).sum()),
        "tokens": int(windows.lengths.sum()),
        "longest": 48,
        "problem_answer_missing": 1,
    }
    ids = {name: windows.meta[f"{name}_token_id"] for name in ("pad", "cls", "sep")}
    assert ids == {"pad": 0, "cls": 2, "sep": 3}
    assert windows.meta["vocab_size"] == len(load_tokenizer(locate_tokenizer(str(bert_dir))))
    assert (windows.text(0, 0, 0), windows.tokens_text(0, 0, 0)) == ("", "")
    for a, b in ((0, 12), (9, 12), (12, 11), (40, 47), (-3, -2)):
        with pytest.raises(IndexError, match=f"window 0: no span from {a} to {b}; its context is at 10 to 46"):
            windows.text(0, a, b)
    assert windows.text(1, 10, 12) == windows.text(0, 22, 24)  # twelve tokens further on


def test_batches_are_padded_to_their_longest_or_as_asked(builtin_dir):
    windows = open_windows(builtin_dir, "dev")
    short = np.argsort(windows.lengths, kind="stable")[:3]
    batch = windows.batch(short)
    assert batch.input_ids.shape == (3, windows.lengths[short].max())
    assert batch.windows.tolist() == short.tolist()
    assert batch.question.tolist() == windows.question[short].tolist()
    wide = windows.batch(short[::-1], pad_to=70)
    for name in ("input_ids", "token_type_ids", "attention_mask", "allowed", "max_context"):
        narrow_BT, wide_BT = getattr(batch, name), getattr(wide, name).flip(0)
        assert wide_BT.shape == (3, 70)
        assert torch.equal(wide_BT[:, : narrow_BT.shape[1]], narrow_BT)
        assert (wide_BT[:, narrow_BT.shape[1] :] == 0).all()
    for name in ("context_start", "context_end", "start", "end", "windows"):
        assert torch.equal(getattr(wide, name).flip(0), getattr(batch, name))
        assert getattr(batch, name).dtype == torch.int64
    assert (batch.allowed.dtype, batch.max_context.dtype) == (torch.bool, torch.bool)
    with pytest.raises(ValueError, match=f"pad_to is 9; a window has {windows.lengths[short].max()} tokens"):
        windows.batch(short, pad_to=9)
    with pytest.raises(ValueError, match="at least one index"):
        windows.batch([])
    for wrong in ([-1], [len(windows)]):
        with pytest.raises(IndexError, match=f"expected 0 to {len(windows) - 1}"):
            windows.batch(wrong)


def test_contexts_and_questions_without_tokens_have_a_window(write_squad, bert_dir, cut):
    control = "\u200b\u200d"  # BERT drops both
    asked = [question("a", control), question("b", "Who?", (control, 0))]
    data = write_squad(dev=[article("Empty", (control, asked), ("The tower", [question("c", " ")]))])
    directory = cut("squad_v2", data, bert_dir)
    windows = open_windows(directory, "dev")
    assert windows.question.tolist() == [0, 1, 2]
    assert windows.lengths.tolist() == [3, 5, 5]
    assert windows.trainable.tolist() == [True, False, True]
    batch = windows.batch([0, 1, 2])
    assert batch.allowed.sum(1).tolist() == [1, 1, 3]
    assert batch.input_ids[0].tolist() == [2, 3, 3, 0, 0]
    counts = windows.meta["counts"]["dev"]
    assert counts["problem_answer_untokened"] == 1
    (problem,) = json.loads((directory / "problems.json").read_text())
    assert problem[:4] == ["dev", "answer_untokened", "b", "article Empty, answer 1"]


def test_equal_jobs_write_equal_bytes_wherever_the_data_are(write_squad, bert_dir, cut, tmp_path):
    data = write_squad(dev=[article("Towers", (LONG, [question(str(i), "Who?", ("Hugo", 35)) for i in range(5)]))])
    first = cut("squad_v2", data, bert_dir, dev_limit=3)
    load_tokenizer(locate_tokenizer(str(bert_dir)))("Who?", truncation=True, max_length=3, padding="max_length")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in data.glob("*.json"):
        path.rename(moved / path.name)
    second = cut("squad_v2", moved, bert_dir, dev_limit=3)
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) > 15
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 30), st.integers(0, 20))
def test_a_smaller_limits_questions_are_among_a_largers(sizes, limit, more):
    paragraphs = [
        Paragraph("A", f"context {at}", tuple(Question(f"{at}/{number}", "Who?", ()) for number in range(size)))
        for at, size in enumerate(sizes)
    ]
    small, large = (
        [q.id for p in limited(paragraphs, n, "squad_v2", "dev") for q in p.questions] for n in (limit, limit + more)
    )
    every = [q.id for p in paragraphs for q in p.questions]
    assert len(small) == min(limit, len(every))
    assert set(small) <= set(large)
    assert small == [id_ for id_ in every if id_ in set(small)]  # in the file's order
    assert limited(paragraphs, None, "squad_v2", "dev") == paragraphs


def test_the_tables(write_squad, bert_dir, cut, tmp_path):
    asked = [question("a", "Who?", ("Hugo", 3)), question("a"), {"id": 7}, {"id": 8}]
    data = write_squad(dev=[article("Towers", (LONG, asked))])
    settings = {"max_length": 48, "doc_stride": 12, "max_query_length": 8, "train_limit": None, "dev_limit": 5}
    windows = windows_job(QuestionOptions(dataset="squad_v2", data_dir=str(data), **settings), str(bert_dir))
    job = data_job(windows)
    assert job.fingerprints == windows.fingerprints
    assert dict(job.needs) == {"windows": windows}
    directory = cut("squad_v2", data, bert_dir, **settings)
    tables = job.stage.load()(job.params, Context(needs={"windows": directory}))
    assert tables is not None
    assert set(tables) == set(job.stage.tables) == {"data", "data_problems"}
    for name, rows in tables.items():
        spec = job.stage.tables[name]
        keys = [tuple(row[key] for key in spec.key) for row in rows]
        assert len(set(keys)) == len(keys) > 0
        assert all(list(row) == spec.schema.names for row in rows)
    value = {(row["split"], row["metric"]): row["value"] for row in tables["data"]}
    assert value["dev", "questions"] == value["train", "questions"] == 1.0
    wrong = {metric: n for (split, metric), n in value.items() if metric.startswith("problem_")}
    assert wrong == {"problem_answer_moved": 1.0, "problem_duplicate_id": 1.0, "problem_malformed": 2.0}
    assert [row["kind"] for row in tables["data_problems"]] == [
        "answer_moved",
        "duplicate_id",
        "malformed",
        "malformed",
    ]
    with pytest.raises(DataError, match=r"meta\.json: no such file; expected an artifact of the squad_windows stage"):
        job.stage.load()(job.params, Context(needs={"windows": tmp_path / "nothing"}))


def test_other_data_than_planned_are_refused_with_both_hashes(write_squad, bert_dir, tmp_path):
    data = write_squad()
    settings = {"max_length": 48, "doc_stride": 12, "max_query_length": 8, "train_limit": None, "dev_limit": None}
    job = windows_job(QuestionOptions(dataset="squad_v2", data_dir=str(data), **settings), str(bert_dir))
    write_squad(dev=[article("Others", ("The tower", [question("z")]))])
    here = sources.fingerprint(Place(kind="files", path=str(data)))
    with pytest.raises(DataError, match=f"was {job.fingerprints['squad_v2']} when the sweep was planned and is {here}"):
        job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=tmp_path))
    again = windows_job(QuestionOptions(dataset="squad_v2", data_dir=str(data), **settings), str(bert_dir))
    assert again.id != job.id


def test_missing_parts_of_an_artifact(builtin_dir, tmp_path):
    with pytest.raises(DataError, match="no split 'test', it has train, dev"):
        open_windows(builtin_dir, "test")
    (tmp_path / "meta.json").write_bytes((builtin_dir / "meta.json").read_bytes())
    with pytest.raises(DataError, match="no such directory; run the job that made this artifact again"):
        open_windows(tmp_path, "dev")
    (tmp_path / "meta.json").write_text('{"stage": "tokens"}')
    with pytest.raises(DataError, match="not an artifact of the squad_windows stage"):
        open_windows(tmp_path, "dev")


def test_the_stage_says_what_it_needs(tmp_path):
    params = WindowsParams(
        dataset="builtin",
        tokenizer="builtin",
        tokenizer_revision="0",
        max_length=64,
        doc_stride=16,
        max_query_length=24,
    )
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        squad_windows(params, Context())
    with pytest.raises(ValueError, match=r"context\.paths lacks kind, fingerprint"):
        squad_windows(params, Context(artifact=tmp_path))
    with pytest.raises(ValueError, match="kind 'disk'; expected builtin, files or hub"):
        squad_windows(params, Context(artifact=tmp_path, paths={"kind": "disk", "fingerprint": "0"}))
    assert WINDOWS.artifact
    assert set(DataParams.__dataclass_fields__) == set(WindowsParams.__dataclass_fields__)
