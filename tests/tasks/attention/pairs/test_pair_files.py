"""Files of sentence pairs, well formed and not, all made here; and what the hub gives."""

import json

import datasets
import pytest
from datasets import Dataset

from models.hub import HubUnavailable
from orchestrator.experiment import Context
from tasks.attention.pairs import files
from tasks.attention.pairs.plan import PairOptions, pair_sizes, pairs_job
from tasks.attention.pairs.sources import read_hub
from tasks.data.errors import DataError
from tests.research_data import research_data

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


def lines(data, dataset, languages, split="train", **options):
    found = files.read(files.find(dataset, languages, data), split, **options)
    return [(line.source, line.target) for line in found]


def test_lines_end_at_line_feeds_alone(write_pairs):
    contents = {"train.de": "\ufeffa\u2028b\x0bc\r\nd", "train.en": "x\ny\n", "val.de": "a\n", "val.en": "b\n"}
    data = write_pairs("multi30k", contents)
    assert lines(data, "multi30k", ("de", "en")) == [("a\u2028b\x0bc", "x"), ("d", "y")]
    assert lines(data / "multi30k", "multi30k", ("de", "en"), "val") == [("a", "b")]
    assert pair_sizes(pairs_job("Multi30k", str(data)), str(data)) == {"train": 2, "val": 1}


def test_a_plan_counts_the_pairs_that_are_worked_with(write_pairs):
    contents = {"train.de": "a\n\nb\nc\n", "train.en": "x\n\n \ny\n", "val.de": "a\n", "val.en": "b\n"}
    data = str(write_pairs("multi30k", contents))
    for legacy, sizes in ((False, {"train": 2, "val": 1}), (True, {"train": 5, "val": 2})):
        job = pairs_job("multi30k", data, options=PairOptions(legacy_empty_lines=legacy))
        assert pair_sizes(job, data) == sizes


def test_news_commentary_has_lists_in_a_folder_with_hyphens(write_pairs):
    contents = {
        "train.src": json.dumps(["One.", '["two"]\nlines']),
        "train.trg": json.dumps(["Een.", "Twee."], indent=2),
        "val.src": "[]",
        "val.trg": "[]",
    }
    data = write_pairs("news-commentary-v14-en-nl", contents)
    job = pairs_job("news_commentary_v14_en_nl", str(data))
    assert (job.params.source_language, job.params.target_language) == ("en", "nl")
    assert lines(data, "news_commentary_v14_en_nl", ("en", "nl")) == [("One.", "Een."), ('["two"]\nlines', "Twee.")]
    with pytest.raises(DataError, match="no pairs in val"):
        job.stage.load()(job.params, Context(artifact=data, paths=job.paths))
    write_pairs("news-commentary-v14-en-nl", {"train.trg": '["Een.", 2, "drie"]'})
    with pytest.raises(DataError, match=r"train\.trg\[1\] is 2; expected the text of a sentence"):
        pairs_job("news_commentary_v14_en_nl", str(data))
    write_pairs("news-commentary-v14-en-nl", {"train.trg": '["Een.", "\\ud800"]'})
    with pytest.raises(DataError, match=r"train\.trg\[1\]: the text has half a character"):
        pairs_job("news_commentary_v14_en_nl", str(data))
    write_pairs("news-commentary-v14-en-nl", {"train.trg": '["Een.",\n "Twee." "drie"]'})
    with pytest.raises(DataError, match=r"train\.trg:2: no JSON"):
        pairs_job("news_commentary_v14_en_nl", str(data))


def test_sentences_in_brackets_are_no_list(write_pairs):
    contents = {"train.src": "[a] b\nc [d]\n", "train.trg": "x\ny\n", "val.src": "[\n", "val.trg": "]\n"}
    data = write_pairs("mine", contents)
    assert lines(data, "mine", ("en", "nl")) == [("[a] b", "x"), ("c [d]", "y")]
    assert pairs_job("mine", str(data), languages="en-nl").params.target_language == "nl"


GOOD = {"train.de": "a\nb\n", "train.en": "c\nd\n", "val.de": "a\n", "val.en": "b\n"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train.en": "c\n"}, r"train\.de has 2 sentences and .*train\.en has 1; expected as many in both"),
        ({"train.en": "c\nd\n\n"}, r"train\.de has 2 sentences and .*train\.en has 3"),
        ({"val.de": ""}, r"val\.de has 0 sentences and .*val\.en has 1"),
        ({"train.en": b"c\n\xff\n"}, r"train\.en:2: byte 0xff is not UTF-8"),
        ({"val.en": None}, r"val\.en: no such file; expected the translation of .*val\.de there"),
        ({"train.de": None}, r"train\.de: no such file"),
        ({"val.en": None, "val.de": None}, r"no val split beside it; expected val\.de or valid\.de or dev\.de"),
        (dict.fromkeys(GOOD), r"no files of multi30k; expected train\.de, train\.en, val\.de and val\.en"),
    ],
)
def test_bad_files(change, message, write_pairs):
    contents = {name: change.get(name, text) for name, text in GOOD.items()}
    data = write_pairs("multi30k", {name: text for name, text in contents.items() if text is not None})
    with pytest.raises(DataError, match=message) as caught:
        pairs_job("multi30k", str(data))
    assert "\n" not in str(caught.value)


def test_data_without_name_or_place(write_pairs, tmp_path):
    data = write_pairs("multi30k", GOOD)
    with pytest.raises(DataError, match="the folder of another data set than iwslt14"):
        pairs_job("iwslt14", str(data / "multi30k"))
    with pytest.raises(DataError, match="'mine' is none of rule_language, multi30k"):
        pairs_job("mine", str(data))
    for languages in ("de", "de-de", "de/en", "../x-en"):
        with pytest.raises(DataError, match="expected two endings of files"):
            pairs_job("mine", str(data), languages=languages)
    with pytest.raises(DataError, match="rule_language has the languages en-rule, not de-en"):
        pairs_job("rule_language", None, languages="de-en")
    with pytest.raises(DataError, match="no such directory"):
        pairs_job("multi30k", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"iwslt14 is not on the hub .*; give --data-dir DIR with iwslt14/train\.de"):
        pairs_job("iwslt14", None)


def test_without_network_the_missing_data_are_named(monkeypatch):
    def unreachable(repo, kind):
        raise HubUnavailable(f"cannot reach {repo}")

    monkeypatch.setattr("models.hub.commit", unreachable)
    with pytest.raises(DataError, match=r"cannot reach bentrevett/multi30k.*; give --data-dir DIR with multi30k/train"):
        pairs_job("multi30k", None)


def test_the_identity_holds_what_shapes_the_ids(write_pairs):
    data = write_pairs("multi30k", GOOD)
    job = pairs_job("multi30k", str(data))
    assert pairs_job("multi30k", str(data / "multi30k")).id == job.id
    assert pairs_job("multi30k", str(data), languages="en-de").id != job.id
    write_pairs("multi30k", {"val.en": "bb\n"})
    assert pairs_job("multi30k", str(data)).id != job.id
    with pytest.raises(DataError, match="when the sweep was planned"):
        job.stage.load()(job.params, Context(artifact=data, paths=job.paths))


def test_hub_rows(monkeypatch):
    rows = {"de": [f"satz {i}" for i in range(5)], "en": [None, *(f"sentence {i}" for i in range(1, 5))]}
    seen = []

    def load_dataset(repo, config, *, split, revision):
        seen.append((repo, config, split, revision))
        return Dataset.from_dict(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("tasks.attention.texts.sources.ROWS", 2)
    found = [(line.source, line.target) for line in read_hub("multi30k", "val", ("de", "en"), COMMIT)]
    assert found == [("satz 0", ""), *((f"satz {i}", f"sentence {i}") for i in range(1, 5))]
    assert seen == [("bentrevett/multi30k", None, "validation", COMMIT)]
    with pytest.raises(DataError, match="no column fr, found de, en"):
        list(read_hub("multi30k", "val", ("de", "fr"), COMMIT))


@pytest.mark.real_data
def test_sizes_of_real_multi30k():
    folder = research_data("multi30k")
    assert pair_sizes(pairs_job("multi30k", str(folder)), str(folder)) == {"train": 29_000, "val": 1_014}
    limited = pairs_job("multi30k", str(folder.parent), options=PairOptions(train_limit=100))
    assert pair_sizes(limited, str(folder.parent)) == {"train": 100, "val": 1_014}
