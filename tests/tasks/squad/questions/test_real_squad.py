"""Real questions with real tokenizers."""

import numpy as np
import pytest

from metrics.squad import normalise
from tasks.data.places import Place
from tasks.squad.questions import sources
from tasks.squad.questions.windows import open_windows
from tests.research_data import research_data

pytestmark = pytest.mark.real_data


INSIDE_A_WORD = 2  # the answer is "Japan" of "Japanese" twice: no token ends there


@pytest.mark.parametrize(
    ("tokenizer", "windows_of"),
    [("bert-uncased", {"train": 4741, "dev": 1631}), ("albert", {"train": 4751, "dev": 1647})],
)
def test_trainable_answers_come_back(tokenizer, windows_of, cut):
    data = research_data("squad2")
    directory = cut(
        "squad_v2",
        data,
        research_data("tokenizers", tokenizer),
        max_length=384,
        doc_stride=128,
        max_query_length=64,
    )
    others, n_answers = set(), 0
    for split, questions in (("train", 4449), ("dev", 1629)):
        windows = open_windows(directory, split)
        assert len(windows.questions.ids) == questions
        assert len(windows) == windows_of[split]
        assert windows.trainable.all()
        assert not any(name.startswith("problem_") for name in windows.meta["counts"][split])
        labelled = np.flatnonzero(windows.start)
        assert set(windows.question[labelled]) == set(np.flatnonzero(windows.questions.has_answer))
        for at in labelled.tolist():
            answer = windows.questions.answers[windows.question[at]][0]
            text = windows.text(at, int(windows.start[at]), int(windows.end[at]))
            assert answer in text
            n_answers += 1
            if normalise(text) != normalise(answer):
                others.add(windows.questions.ids[windows.question[at]])
    assert n_answers > 2900
    assert len(others) == INSIDE_A_WORD


def test_the_real_files_have_no_faults():
    source = sources.locate("squad_v2", str(research_data("squad2")))
    assert dict(source.sizes) == {"train": 4449, "dev": 1629}
    for split in ("train", "dev"):
        found = sources.read(split, Place(kind="files", path=source.path))
        assert not found.problems.counts
        assert len({paragraph.article for paragraph in found.paragraphs}) == {"train": 12, "dev": 4}[split]
