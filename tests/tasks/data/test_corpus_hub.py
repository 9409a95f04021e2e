"""Wikipedia in the hub's form, made here: Parquet files in the hub's cache, or served by a stand-in for the hub."""

import itertools

import huggingface_hub
import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import hub
from tasks.data import corpus_hub
from tasks.data.corpus import locate_corpus, passages
from tasks.data.errors import DataError

COMMIT = "b04c8d1ceb2f5cd4588862100d08de323dccfbaa"
FILES, GROUPS, ROWS = 3, 4, 5


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """The folder of the Parquet files in a hub cache; each article has two paragraphs. No hub answers."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.commit.cache_clear()
    folder = tmp_path / "hub" / "datasets--wikimedia--wikipedia"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    files = folder / "snapshots" / COMMIT / corpus_hub.CONFIG
    files.mkdir(parents=True)
    for f in range(FILES):
        texts = [f"Article {f}.{i} begins.\n\nThe end of {f}.{i}." for i in range(GROUPS * ROWS)]
        columns = {name: ["x"] * len(texts) for name in ("id", "url", "title")} | {"text": texts}
        pq.write_table(pa.table(columns), files / f"train-{f:05}-of-{FILES:05}.parquet", row_group_size=ROWS)
    yield files
    hub.commit.cache_clear()


def test_all_articles_once_in_the_order_of_the_seed(snapshot):
    found = list(corpus_hub.articles(COMMIT, 0))
    assert len(set(found)) == len(found) == FILES * GROUPS * ROWS
    assert list(corpus_hub.articles(COMMIT, 0)) == found
    assert list(corpus_hub.articles(COMMIT, 1)) != found
    first = [text.split()[1] for text in found[: corpus_hub.SPREAD * ROWS]]
    per_file = [sum(name.startswith(f"{f}.") for name in first) for f in range(FILES)]
    assert sorted(per_file) == [10, 15, 15]  # eight row groups of five, of the three files in turn
    assert [name.split(".")[0] for name in first] != sorted(name.split(".")[0] for name in first)


def test_a_reader_that_stops_has_read_one_batch(snapshot, monkeypatch):
    files, open_file = corpus_hub.data_files(COMMIT)
    opened = []
    monkeypatch.setattr(
        corpus_hub, "data_files", lambda _: (files, lambda path: opened.append(path) or open_file(path))
    )
    assert len(list(itertools.islice(corpus_hub.articles(COMMIT, 0), 3))) == 3
    assert len(opened) == FILES + corpus_hub.SPREAD  # each file for its metadata, and then for each of its groups


def test_passages(snapshot):
    corpus = locate_corpus("wikipedia")
    assert (corpus.kind, corpus.fingerprint, corpus.revision) == ("hub", COMMIT, COMMIT)
    train, test = (list(passages(corpus, part, test_ratio=0.3)) for part in ("train", "test"))
    assert len(train) + len(test) == 2 * FILES * GROUPS * ROWS == len(set(train + test))
    assert all(x.startswith(("Article ", "The end of ")) for x in train + test)
    other = list(passages(corpus, "train", test_ratio=0.3, seed=1))
    assert other != train
    assert sorted(other) == sorted(train)  # the seed is of the order alone


def test_an_incomplete_copy_is_not_taken_but_the_hub_asked(snapshot, monkeypatch):
    complete = list(corpus_hub.articles(COMMIT, 0))
    served = snapshot.rename(snapshot.parent.parent / "served")
    snapshot.mkdir()
    (snapshot / "train-00000-of-00003.parquet").symlink_to(served / "train-00000-of-00003.parquet")
    with pytest.raises(
        DataError, match=rf"wikimedia/wikipedia \(20231101\.en, {COMMIT[:12]}\) cannot be read .*; give"
    ):
        list(corpus_hub.articles(COMMIT, 0))

    class HfFileSystem:
        prefix = f"datasets/wikimedia/wikipedia@{COMMIT}/20231101.en/"

        def glob(self, pattern):
            assert pattern == f"{self.prefix}train-*.parquet"
            return [f"{self.prefix}{path.name}" for path in served.iterdir()]

        def open(self, path, mode):
            return open(served / path.removeprefix(self.prefix), mode)

    monkeypatch.setattr(huggingface_hub, "HfFileSystem", HfFileSystem)
    assert list(corpus_hub.articles(COMMIT, 0)) == complete  # the same order from the hub as from the cache
    (served / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"2 files train-\*\.parquet, and not all that their names tell of"):
        list(corpus_hub.articles(COMMIT, 0))


def test_files_without_the_text(snapshot):
    for path in snapshot.iterdir():
        pq.write_table(pa.table({"body": ["x"]}), path)
    with pytest.raises(DataError, match=r"cannot be read .*text.*; give a directory of text files"):
        list(corpus_hub.articles(COMMIT, 0))


def test_without_hub_and_cache_one_line_says_what_to_give(snapshot, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match=r"the hub data set wikimedia/wikipedia is missing \(.*; give a directory of"):
        locate_corpus("wikipedia")
