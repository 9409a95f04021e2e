"""Corpora: where they are found, what their passages are, and how they are parted."""

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data import builtin_text
from tasks.data.corpus import corpus_here, hash_key, is_passage, locate_corpus, passages, text_hash
from tasks.data.errors import DataError

WIKI = '<doc id="1" url="u" title="Anarchism">\nAnarchism\n\nThe first line .\n<br>\nA second line .\n</doc>\n'


def both(corpus, **options):
    return [list(passages(corpus, part, **options)) for part in ("train", "test")]


def everything(place):
    return sorted(passage for part in both(locate_corpus(str(place))) for passage in part)


def test_builtin():
    corpus = locate_corpus("builtin")
    assert (corpus.kind, corpus.path, corpus.has_parts) == ("builtin", None, False)
    assert corpus.fingerprint == builtin_text.fingerprint()
    train, test = both(corpus)
    assert len(set(train) | set(test)) == len(train) + len(test) > 900
    assert " ".join(s for _, _, s in builtin_text.sentences()) == " ".join(builtin_text.passages())
    assert 0.02 < len(test) / (len(train) + len(test)) < 0.09  # about the ratio of 0.05


def test_a_file_a_directory_and_wikiextractors_folders(tmp_path):
    text = tmp_path / "text"
    text.mkdir()
    (text / "b.txt").write_text("\ufeff\n= Title =\nB one\r\n\n  B two  \n", "utf-8")
    (text / "a.txt").write_text("A one\n = = Part = = \nB two\n", "utf-8")
    (text / "._a.txt").write_text("of another system", "utf-8")
    (text / "notes.md").write_text("not text", "utf-8")
    assert everything(text) == ["A one", "B one", "B two"]
    assert everything(text / "b.txt") == ["B one", "B two"]
    wiki = tmp_path / "wiki"
    for folder in ("AA", "AB"):
        (wiki / folder).mkdir(parents=True)
        (wiki / folder / "wiki_00").write_text(WIKI.replace("line", folder), "utf-8")
    expected = ["A second AA .", "A second AB .", "Anarchism", "The first AA .", "The first AB ."]
    assert everything(wiki) == expected


def test_parts_of_a_directory_and_what_is_in_both(tmp_path):
    for name, text in {"train": "one\ntwo\none\nthree\n", "valid": "two\nfour\nfour\n", "other": "five\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    corpus = locate_corpus(str(tmp_path))
    assert corpus.has_parts
    assert both(corpus, test_ratio=None) == [["one", "three"], ["two", "four"]]
    (tmp_path / "test.txt").write_text("three\n", "utf-8")
    assert both(locate_corpus(str(tmp_path))) == [["one", "two"], ["three"]]


@settings(deadline=None, max_examples=30)
@given(lines=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=40), ratio=st.floats(0.01, 0.99))
def test_parts_are_disjoint_complete_and_independent_of_company(lines, ratio, tmp_path_factory):
    file = tmp_path_factory.mktemp("c") / "text.txt"
    file.write_text("\n".join(lines), "utf-8")
    train, test = both(locate_corpus(str(file)), test_ratio=ratio)
    assert sorted(train + test) == sorted(set(lines))
    assert train == [x for x in dict.fromkeys(lines) if x not in test]
    file.write_text("\n".join([*reversed(lines), "one more"]), "utf-8")
    again = both(locate_corpus(str(file)), test_ratio=ratio)[1]
    assert sorted(set(again) - {"one more"}) == sorted(test)
    larger = both(locate_corpus(str(file)), test_ratio=(1 + ratio) / 2)[1]
    assert set(again) <= set(larger)


def test_the_share_for_testing(tmp_path):
    (tmp_path / "text.txt").write_text("\n".join(f"passage {i}" for i in range(20_000)), "utf-8")
    train, test = both(locate_corpus(str(tmp_path)))
    assert len(train) + len(test) == 20_000
    assert abs(len(test) - 1000) < 5 * (20_000 * 0.05 * 0.95) ** 0.5


def test_fingerprints_follow_the_bytes_and_the_names(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one\ntwo\n", "utf-8")
    before = locate_corpus(str(tmp_path))
    os.utime(file, (0, 0))
    assert locate_corpus(str(tmp_path)) == before
    file.write_text("one\ntwO\n", "utf-8")
    changed = locate_corpus(str(tmp_path))
    assert changed.fingerprint != before.fingerprint
    with pytest.raises(
        DataError, match=f"was {before.fingerprint} when the sweep was planned and is {changed.fingerprint} here"
    ):
        corpus_here(before.name, before.places)
    assert corpus_here(changed.name, changed.places) == changed
    file.rename(tmp_path / "b.txt")
    assert locate_corpus(str(tmp_path)).fingerprint != changed.fingerprint


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({}, r"no text, found nothing; expected \*\.txt files or wikiextractor's AA/wiki_00 files"),
        ({"notes.md": b"x", "wiki_00.bz2": b"x"}, r"no text, found notes\.md, wiki_00\.bz2; expected"),
        ({"a.txt": b"", "b.txt": b""}, "an empty corpus; give files with text"),
        ({"train.txt": b"x", "test.txt": b""}, r"test\.txt: an empty corpus"),
    ],
)
def test_directories_without_text(files, match, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=match):
        locate_corpus(str(tmp_path))


def test_bad_places_and_bytes(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or directory; give a text file, or a directory with"):
        locate_corpus(str(tmp_path / "nowhere"))
    file = tmp_path / "latin.txt"
    file.write_bytes(b"one\nna\xefve\n")
    with pytest.raises(DataError, match=r"latin\.txt:2: byte 0xef is not UTF-8; convert"):
        both(locate_corpus(str(tmp_path)))
    file.write_text('{"id": "1", "text": "x"}\n')
    with pytest.raises(DataError, match=re.escape("latin.txt:1: JSON where text was expected; run wikiextractor with")):
        both(locate_corpus(str(file)))


def test_bad_arguments(tmp_path):
    corpus = locate_corpus("builtin")
    with pytest.raises(ValueError, match="no part is called 'dev'; choose train or test"):
        list(passages(corpus, "dev"))  # type: ignore[arg-type]
    for ratio in (None, 0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"test_ratio is {ratio}; expected a share"):
            list(passages(corpus, "test", test_ratio=ratio))
    with pytest.raises(ValueError, match=r"context\.paths lacks kind, fingerprint"):
        corpus_here("builtin", {})
    with pytest.raises(ValueError, match="data of kind 'disk'"):
        corpus_here("builtin", {"kind": "disk", "fingerprint": "0"})


def test_passages_are_neither_headings_nor_tags():
    lines = [
        "= A =",
        "= = B = =",
        "===C===",
        "</doc>",
        "<formula>",
        "<doc id=1>",
        "",
        "<unk> is rare .",
        "= a",
        "x = y",
    ]
    assert [line for line in lines if is_passage(line)] == ["<unk> is rare .", "= a", "x = y"]


def test_hashes_are_the_same_everywhere_and_differ_by_key():
    assert text_hash("transient chaos") == 11904962676475668485
    assert text_hash("a", hash_key(0, "x")) != text_hash("a", hash_key(1, "x"))


@pytest.mark.real_data
def test_wikitext(real_data):
    corpus = locate_corpus(str(real_data / "wikitext-2"))
    train, test = both(corpus, test_ratio=None)
    assert (len(train), len(test)) == (2115, 694)
    assert not set(train) & set(test)
    assert not [x for x in train + test if x.startswith("= ") and x.endswith(" =")]
    assert [x for x in train if x.startswith("<unk> ")]
