"""Which documents a corpus has, and in which part they are."""

import itertools

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import hub
from tasks.data import builtin_text, corpus_hub
from tasks.data.corpus import locate_corpus
from tasks.deepscale.pretraining_text import texts
from tasks.deepscale.pretraining_text.texts import cut_at_titles, documents_of

WIKI = '<doc id="1" url="u" title="A">\nA\n\nOne .\n<br>\nTwo .\n</doc>\n<doc id="2" title="B">\nThree .\n</doc>\n'
COMMIT = "b04c8d1ceb2f5cd4588862100d08de323dccfbaa"


def all_of(place, ratio: float | None = 0.5, seed=0):
    return list(documents_of(locate_corpus(str(place)), test_ratio=ratio, seed=seed))


def test_a_document_begins_at_a_heading_of_the_first_order():
    lines = ["Before .", "= A = b =", "One .", "= = Part = =", "Two .", "== Part ==", "=C=", "= D =", "x = y", "= z"]
    assert list(cut_at_titles(lines)) == [["Before ."], ["One .", "Two ."], ["x = y", "= z"]]
    assert list(cut_at_titles([])) == list(cut_at_titles(["= A =", "= B ="])) == []


def test_what_never_ends_is_cut(monkeypatch):
    monkeypatch.setattr(texts, "LONGEST", 10)
    assert list(cut_at_titles(["12345"] * 5)) == [["12345"] * 2, ["12345"] * 2, ["12345"]]


def test_a_document_is_a_file_an_article_or_a_topic(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("one", "two"):
        (tmp_path / "a" / f"{name}.txt").write_text(f"{name} .\n\n{name} again .\n", "utf-8")
    assert sorted(d for _, d in all_of(tmp_path / "a")) == [["one .", "one again ."], ["two .", "two again ."]]
    (tmp_path / "b" / "AA").mkdir(parents=True)
    (tmp_path / "b" / "AA" / "wiki_00").write_text(WIKI, "utf-8")
    assert sorted(d for _, d in all_of(tmp_path / "b")) == [["A", "One .", "Two ."], ["Three ."]]
    found = [document for _, document in documents_of(locate_corpus("builtin"), test_ratio=0.5, seed=0)]
    assert len(found) == len({topic for topic, _, _ in builtin_text.sentences()})
    assert list(itertools.chain.from_iterable(found)) == list(builtin_text.passages())


def test_parts_follow_the_text_alone(tmp_path):
    (tmp_path / "x.txt").write_text("".join(f"= {i} =\ntext {i} .\n" for i in range(2000)), "utf-8")
    found = all_of(tmp_path, 0.1)
    test = {d[0] for part, d in found if part == "test"}
    assert abs(len(test) - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5
    (tmp_path / "x.txt").write_text("".join(f"= {i} =\ntext {i} .\n" for i in range(1999, 999, -1)), "utf-8")
    again = {d[0] for part, d in all_of(tmp_path, 0.1) if part == "test"}
    assert again == {f"text {i} ." for i in range(1000, 2000)} & test
    assert again < {d[0] for part, d in all_of(tmp_path, 0.2) if part == "test"}


def test_own_parts_and_what_is_in_both(tmp_path):
    (tmp_path / "train.txt").write_text("= A =\none .\ntwo .\n= B =\nthree .\n= B =\nthree .\n", "utf-8")
    (tmp_path / "test.txt").write_text("= A =\none .\ntwo .\n= C =\nfour .\n", "utf-8")
    assert all_of(tmp_path, None) == [
        ("test", ["one .", "two ."]),
        ("test", ["four ."]),
        ("train", ["three ."]),
        ("train", ["three ."]),
    ]


@pytest.mark.parametrize("ratio", [None, 0.0, 1.0, float("nan")])
def test_a_ratio_is_needed(ratio):
    with pytest.raises(ValueError, match=f"test_ratio is {ratio}; expected a share between 0 and 1"):
        next(documents_of(locate_corpus("builtin"), test_ratio=ratio, seed=0))


def test_articles_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.commit.cache_clear()
    folder = tmp_path / "datasets--wikimedia--wikipedia"
    files = folder / "snapshots" / COMMIT / corpus_hub.CONFIG
    files.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    written = [f"{i} begins .\n\nIt ends .\n" for i in range(20)] + ["\n"]
    pq.write_table(pa.table({"text": written}), files / "train-00000-of-00001.parquet", row_group_size=5)
    try:
        found = [d for _, d in all_of("wikipedia")]
        assert sorted(found) == sorted([f"{i} begins .", "It ends ."] for i in range(20))
        assert [d for _, d in all_of("wikipedia", seed=1)] != found
    finally:
        hub.commit.cache_clear()
