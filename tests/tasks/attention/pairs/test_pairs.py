"""Pairs as subwords: the rule-made language, the vocabulary, limits, and what a report says."""

import itertools

import numpy as np
import pytest

from orchestrator.experiment import Context
from tasks.attention.pairs import builtin
from tasks.attention.pairs.files import Line
from tasks.attention.pairs.plan import PairOptions, pair_report_job, pair_sizes, pairs_job
from tasks.attention.pairs.stages import kept_pairs, open_pairs, pair_report
from tasks.attention.pairs.subwords import Subwords, trained
from tasks.data.errors import DataError
from tests.research_data import research_data


def test_the_rule_language_has_a_known_alignment():
    words = ["the", "cat", "sees", "a", "bird", ",", "then", "sleeps", "."]
    target, alignment = builtin.translate(words)
    order = [i for i, _ in itertools.groupby(alignment)]
    assert order == [2, 1, 0, 4, 3, 5, 7, 6, 8]  # groups of three between marks, each in reverse order
    for i, group in itertools.groupby(zip(alignment, target, strict=True), key=lambda pair: pair[0]):
        assert tuple(word for _, word in group) == builtin.translated_word(words[i])
    assert builtin.translated_word(",") == (",",)
    assert builtin.translated_word("3.11") == ("3.11",)


def test_the_rule_language_has_enough_short_pairs_and_no_pair_twice():
    train, val = builtin.pairs("train"), builtin.pairs("val")
    assert len(train) > 2_900
    assert len(val) == 300
    assert len({*train, *val}) == len(train) + len(val)
    sources = [pair.source.split() for pair in (*train, *val)]
    assert {len(words) for words in sources} <= set(range(3, 15))
    lengths = [len(builtin.translated_word(word)) for word in sorted({word for words in sources for word in words})]
    assert set(lengths) == {1, 2}
    assert 1.05 < np.mean(lengths) < 1.2  # one word in eight has two


def test_the_stage_gives_the_same_bytes_each_time(made, tmp_path):
    pairs = made("rule_language", None, vocab_size=400, train_limit=600, val_limit=50)
    made("rule_language", None, "again", vocab_size=400, train_limit=600, val_limit=50)
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    assert (pairs.vocab_size, len(pairs.train), len(pairs.val)) == (400, 600, 50)
    job = pairs_job("rule_language", None, options=PairOptions(train_limit=600))
    assert pair_sizes(job, None) == {"train": 600, "val": 300}
    split = pairs.val
    for rows in (split.source, split.target):
        for i in range(len(split)):
            row = rows[i].tolist()
            assert (row[0], row[-1]) == (1, 2)
            assert all(2 < token < 400 for token in row[1:-1])
    known = {pair.target: pair.source for pair in builtin.pairs("val")}
    sources = pairs.subwords.decode([split.source[i] for i in range(50)])
    without_unknown = [i for i in range(50) if not np.any(split.source[i] == 3)]
    assert len(without_unknown) > 40
    assert all(sources[i] == known[split.references[i]] for i in without_unknown)


def test_decoding_drops_control_ids_wherever_they_stand():
    text = ["one two three", "drei zwei eins", "one three two"] * 5
    subwords = Subwords(trained(text, 17, "here"))
    ids = subwords.encode(["two one", ""])
    assert subwords.decode([ids[0], [*ids[0], 0, 0], [0, *ids[0][1:-1]]]) == ["two one"] * 3
    assert ids[1].tolist() == [1, 2]
    assert subwords.decode([ids[1], []]) == ["", ""]


def test_sentences_are_encoded_in_parts_as_at_once(monkeypatch):
    text = ["one two three", "drei zwei eins", "one three two"] * 5
    subwords = Subwords(trained(text, 17, "here"))
    whole = subwords.encode(text)
    monkeypatch.setattr("tasks.attention.pairs.subwords.CHUNK", 4)
    parts = subwords.encode(text)
    assert np.array_equal(parts.values, whole.values)
    assert np.array_equal(parts.offsets, whole.offsets)
    assert len(subwords.encode([])) == 0


def test_a_vocabulary_must_fit_the_text(made):
    with pytest.raises(DataError, match=r"rule_language \(builtin\): .*give --vocab-size (\d+) or less") as caught:
        made("rule_language", None, "large", vocab_size=4000, train_limit=300)
    largest = int(str(caught.value).split("--vocab-size ")[1].split()[0])
    assert made("rule_language", None, "largest", vocab_size=largest, train_limit=300).vocab_size == largest
    with pytest.raises(DataError, match=r"give --vocab-size (\d+) or more") as caught:
        made("rule_language", None, "small", vocab_size=10, train_limit=300)
    least = int(str(caught.value).split("--vocab-size ")[1].split()[0])
    assert made("rule_language", None, "least", vocab_size=least, train_limit=300).vocab_size == least


def test_empty_lines_are_left_out_and_counted_or_kept_as_published():
    lines = [Line("a", "b", "1"), Line("", " ", "2"), Line("c", "", "3"), Line("", "d", "4"), Line("e", "f", "5")]
    kept = kept_pairs(lines, False)
    assert (kept.sources, kept.targets) == (["a", "e"], ["b", "f"])
    assert (kept.empty_pairs, kept.empty_sides, kept.first_empty_side) == (1, 2, "3")
    assert len(kept_pairs(lines, True)) == 5


def test_a_report_says_what_a_split_holds(tmp_path, write_pairs):
    text = "ein haus steht im wald .\n\n"
    contents = {f"{stem}.{ending}": text * 4 for stem in ("train", "valid") for ending in ("de", "en")}
    contents["valid.en"] = "a house\n\n\nb\n" * 2
    contents["valid.de"] = "ein haus\n\nx\nb\n" * 2
    data = write_pairs("iwslt14", contents)
    job = pairs_job("iwslt14", str(data), options=PairOptions(vocab_size=18))
    (tmp_path / "out").mkdir()
    job.stage.load()(job.params, Context(artifact=tmp_path / "out", paths=job.paths))
    report = pair_report_job(job)
    assert report.stage.load() is pair_report
    rows = pair_report(report.params, Context(needs={"data": tmp_path / "out"}))["data"]
    for row in rows:
        assert set(row) == set(report.stage.tables["data"].schema.names)
    train, val = rows
    assert (train["pairs"], train["empty_pairs"], train["empty_sides"]) == (4, 4, 0)
    assert (val["pairs"], val["empty_pairs"], val["empty_sides"]) == (4, 2, 2)
    folder = data / "iwslt14"
    assert val["first_empty_side"] == f"{folder / 'valid.de'}:3 and {folder / 'valid.en'}:3"
    pairs = open_pairs(tmp_path / "out")
    assert train["target_positions"] == sum(len(pairs.train.target[i]) - 1 for i in range(4))
    assert pairs.val.references == ["a house", "b"] * 2
    legacy = pairs_job("iwslt14", str(data), options=PairOptions(vocab_size=18, legacy_empty_lines=True))
    (tmp_path / "legacy").mkdir()
    legacy.stage.load()(legacy.params, Context(artifact=tmp_path / "legacy", paths=legacy.paths))
    kept = open_pairs(tmp_path / "legacy")
    assert (len(kept.train), len(kept.val)) == (9, 9)  # with the nothing behind the last line break
    assert kept.train.source[8].tolist() == kept.train.target[8].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 4}, "vocab-size is 4: give at least 5"),
        ({"val_limit": 0}, "val-limit is 0: give at least 1"),
        ({"train_limit": -3}, "train-limit is -3"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        PairOptions(**options)


def test_a_damaged_artifact_is_named(made, tmp_path):
    made("rule_language", None, vocab_size=100, train_limit=100, val_limit=5)
    (tmp_path / "out" / "subwords.model").unlink()
    with pytest.raises(DataError, match=r"subwords\.model: no such file; run the job that made this artifact again"):
        open_pairs(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.real_data
def test_real_multi30k_at_the_published_vocabulary(made):
    folder = research_data("multi30k")
    pairs = made("multi30k", folder.parent)
    assert (pairs.vocab_size, len(pairs.train), len(pairs.val)) == (8000, 29_000, 1_014)
    counts = pairs.meta["splits"]
    assert all(counts[split][name] == 0 for split in counts for name in ("empty_pairs", "empty_sides"))
    # 16,180 of the text as published; this one is lower-cased and tokenised.
    assert counts["val"]["target_positions"] == pytest.approx(16_180, rel=0.08)
    assert pairs.subwords.decode([pairs.train.target[0]]) == pairs.train.references[:1]
