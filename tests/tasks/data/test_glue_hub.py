"""The hub's form of GLUE, made here: no test touches the network."""

from types import SimpleNamespace

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from models import hub
from tasks.data import glue_hub
from tasks.data.errors import DataError
from tasks.data.examples import TASKS

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
HUB_LABELS = {  # in the hub's order
    "CoLA": ["unacceptable", "acceptable"],
    "SST-2": ["negative", "positive"],
    "MRPC": ["not_equivalent", "equivalent"],
    "QQP": ["not_duplicate", "duplicate"],
    "MNLI": ["entailment", "neutral", "contradiction"],
    "QNLI": ["entailment", "not_entailment"],
    "RTE": ["entailment", "not_entailment"],
    "WNLI": ["not_entailment", "entailment"],
}


def hub_data(task, labels, names=None):
    texts = glue_hub.COLUMNS[task][1]
    label = Value("float32") if task == "STS-B" else ClassLabel(names=names or HUB_LABELS[task])
    columns = {name: [f"{name} {i}" for i in range(len(labels))] for name in texts}
    features = Features({**{name: Value("string") for name in texts}, "label": label, "idx": Value("int32")})
    return Dataset.from_dict({**columns, "label": labels, "idx": list(range(len(labels)))}, features=features)


@pytest.fixture
def served(monkeypatch):
    """A stand-in for `load_dataset`: serves what is put into it and keeps what it was asked for."""
    state = SimpleNamespace(data=None, asked=[])

    def load_dataset(path, name, *, split, revision):
        state.asked.append((path, name, split, revision))
        if isinstance(state.data, Exception):
            raise state.data
        return state.data

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return state


@pytest.fixture
def hub_answers(monkeypatch, tmp_path):
    """`hub_answers(sha or exception)` sets what the hub says; the cache is an empty directory, which it returns."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    hub.commit.cache_clear()
    calls = []

    def answer(result):
        def info(self, repo, *, timeout):
            calls.append((repo, timeout))
            if isinstance(result, Exception):
                raise result
            return SimpleNamespace(sha=result)

        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
        return tmp_path

    answer.calls = calls
    yield answer
    hub.commit.cache_clear()


@pytest.mark.parametrize("task", glue_hub.COLUMNS)
def test_every_task_in_the_hubs_form(task, served):
    info = TASKS[task]
    raw = [0.0, 2.5, 5.0] if info.is_regression else list(range(info.n_outputs))
    served.data = hub_data(task, raw)
    for split in info.splits:
        examples = glue_hub.read_split(task, split, COMMIT)
        names = glue_hub.COLUMNS[task][1]
        assert examples.first == [f"{names[0]} {i}" for i in range(len(raw))]
        assert examples.second == ([f"{names[1]} {i}" for i in range(len(raw))] if info.is_pair else None)
        if info.is_regression:
            assert examples.labels == raw
        else:
            assert [info.label_names[int(label)] for label in examples.labels] == HUB_LABELS[task]
    validation = [split.replace("dev", "validation") for split in info.eval_splits]
    assert [asked[2] for asked in served.asked] == ["train", *validation]
    assert {asked[:2] + asked[3:] for asked in served.asked} == {(glue_hub.REPO, glue_hub.COLUMNS[task][0], COMMIT)}


def test_labels_follow_names_in_whatever_order_the_hub_has(served):
    served.data = hub_data("RTE", [0, 1, 1], names=["not_entailment", "entailment"])
    assert glue_hub.read_split("RTE", "train", COMMIT).labels == [1, 0, 0]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (hub_data("RTE", [0, -1]), "row 1 has the label -1"),
        (hub_data("RTE", [0], names=["yes", "no"]), r"labels \['yes', 'no'\], expected entailment, not_entailment"),
        (hub_data("RTE", [0]).rename_column("sentence1", "premise"), "no column sentence1, found premise, sentence2"),
        (hub_data("RTE", [0]).cast_column("label", Value("int64")), r"labels \[\]"),
        (hub_data("RTE", []), r"no rows; give --data-dir DIR .*DIR/RTE/dev\.tsv"),
        (ConnectionError("Couldn't reach the hub"), r"ConnectionError: Couldn't reach the hub.*DIR/RTE/dev\.tsv"),
    ],
)
def test_bad_hub_data(data, match, served):
    served.data = data
    with pytest.raises(DataError, match=match) as caught:
        glue_hub.read_split("RTE", "dev", COMMIT)
    assert str(caught.value).startswith(f"nyu-mll/glue (rte, validation, {COMMIT[:12]})")


@pytest.mark.parametrize("score", [-1.0, 5.5, float("nan"), None])
def test_missing_scores(score, served):
    served.data = hub_data("STS-B", [1.0, score])
    with pytest.raises(DataError, match="row 1 has the score"):
        glue_hub.read_split("STS-B", "train", COMMIT)


def test_a_local_copy_of_another_commit_is_refused(served, tmp_path):
    for commit in (COMMIT, "0" * 40):
        hub_data("RTE", [0]).save_to_disk(str(tmp_path / commit))
    served.data = datasets.load_from_disk(str(tmp_path / COMMIT))
    assert len(glue_hub.read_split("RTE", "train", COMMIT)) == 1
    served.data = datasets.load_from_disk(str(tmp_path / ("0" * 40)))
    with pytest.raises(DataError, match=r"the local copy .*0000.* is of another commit"):
        glue_hub.read_split("RTE", "train", COMMIT)


def test_wrong_names():
    with pytest.raises(ValueError, match="'similarity' is no GLUE task"):
        glue_hub.read_split("similarity", "train", COMMIT)
    with pytest.raises(ValueError, match="RTE has no split 'test'"):
        glue_hub.read_split("RTE", "test", COMMIT)


def test_revision_is_asked_once_with_a_time_limit(hub_answers):
    hub_answers(COMMIT)
    assert [glue_hub.resolve_revision(), glue_hub.resolve_revision("CoLA")] == [COMMIT] * 2
    assert hub_answers.calls == [("nyu-mll/glue", hub.TIMEOUT_SECONDS)]


def test_without_network_and_cache_one_line_says_what_to_give(hub_answers):
    hub_answers(OSError("Name or service not known\nmore"))
    with pytest.raises(DataError) as caught:
        glue_hub.resolve_revision("RTE")
    text = str(caught.value)
    assert "\n" not in text
    assert "hub data set nyu-mll/glue is missing (Name or service not known (OSError), and no snapshot" in text
    assert "give --data-dir DIR with the official TSV layout instead (looked for: DIR/RTE/train.tsv)" in text


@pytest.mark.parametrize(
    ("snapshots", "main", "expected"),
    [
        ([COMMIT], COMMIT, COMMIT),
        ([COMMIT], None, COMMIT),
        ([COMMIT, "f" * 40], COMMIT, COMMIT),
        ([COMMIT, "f" * 40], None, None),  # which one is not known
        ([COMMIT], "f" * 40, COMMIT),
        ([], COMMIT, None),  # a reference without its snapshot
    ],
)
def test_the_local_cache_answers_without_network(snapshots, main, expected, hub_answers):
    folder = hub_answers(OSError("no network")) / "datasets--nyu-mll--glue"
    for commit in snapshots:
        (folder / "snapshots" / commit).mkdir(parents=True)
    if main:
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(main)
    if expected:
        assert glue_hub.resolve_revision() == expected
    else:
        with pytest.raises(DataError, match="is missing"):
            glue_hub.resolve_revision()


def test_offline_mode_is_respected(hub_answers, monkeypatch):
    import huggingface_hub

    monkeypatch.undo()  # the library's own dataset_info, which must refuse before any request
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(DataError, match="OfflineModeIsEnabled"):
        glue_hub.resolve_revision()
