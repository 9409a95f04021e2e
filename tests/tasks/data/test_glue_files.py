"""Every layout read back, and every way in which a file can be bad, with its line."""

import logging
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.data.examples import TASKS
from tasks.data.glue_files import LAYOUTS, count, fingerprint, read_split

GLUE = tuple(LAYOUTS)


def written_labels(task):
    return ("0.000", "2.5", "5.000") if task == "STS-B" else LAYOUTS[task].labels


def error(match_end, read, *args):
    with pytest.raises(DataError) as caught:
        read(*args)
    text = str(caught.value)
    assert re.search(match_end, text), text
    assert "\n" not in text
    return text


texts = st.text(alphabet=st.characters(blacklist_characters="\t\n", blacklist_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize("task", GLUE)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_without_tabs_and_line_feeds_comes_back(task, data, write_glue, glue_text):
    labels = written_labels(task)
    row = st.tuples(texts, texts, st.integers(0, len(labels) - 1))
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    # A carriage return before the line feed belongs to the line's end; and a byte order mark to the file's beginning.
    rows = [(a.rstrip("\r").lstrip("\ufeff"), b.rstrip("\r"), k) for a, b, k in rows]
    info = TASKS[task]
    files = {split: glue_text(task, split, [(a, b, labels[k]) for a, b, k in rows]) for split in info.splits}
    root = write_glue(task, files)
    for split in info.splits:
        examples = read_split(task, split, root)
        assert examples.first == [a for a, _, _ in rows]
        assert examples.second == ([b for _, b, _ in rows] if info.is_pair else None)
        expected = [float(labels[k]) if info.is_regression else k for _, _, k in rows]
        assert examples.labels == expected
    assert count(task, root) == dict.fromkeys(info.splits, len(rows))


def test_line_ends_marks_and_quotes(write_glue):
    rows = b"index\tsentence1\tsentence2\tlabel\r\n"
    rows += '0\tShe said "no\u2028way\u0085 it\'s\t "b"" \rc\tentailment\r\n'.encode()
    rows += b"1\t\tempty first\tnot_entailment\r\n\r\n\n"
    root = write_glue("RTE", {"train": b"\xef\xbb\xbf" + rows, "dev": rows})
    for split in ("train", "dev"):
        examples = read_split("RTE", split, root)
        assert examples.first == ["She said \"no\u2028way\u0085 it's", ""]
        assert examples.second == [' "b"" \rc', "empty first"]
        assert examples.labels == [0, 1]
    assert count("RTE", root) == {"train": 2, "dev": 2}


def test_columns_are_found_by_name_wherever_they_stand(write_glue):
    root = write_glue("WNLI", {"train": "label\tsentence2\tsentence1\n1\tb\ta\n"})
    examples = read_split("WNLI", "train", root)
    assert (examples.first, examples.second, examples.labels) == (["a"], ["b"], [1])


def test_missing_column_lists_what_was_found(write_glue):
    root = write_glue("RTE", {"train": "index\tpremise\tsentence2\tgold\n0\ta\tb\tentailment\n"})
    match = r"RTE/train\.tsv:1: .*'sentence1' and no 'label', found index, premise, sentence2, gold;"
    error(match, read_split, "RTE", "train", root)
    error(match, count, "RTE", root)


def test_bytes_that_are_not_utf8_have_their_line(write_glue, glue_text):
    good = glue_text("CoLA", "train", [("a", "", "1"), ("b", "", "0")]).encode()
    for start in (b"", b"\xef\xbb\xbf"):
        root = write_glue("CoLA", {"train": start + good + b"x\t1\t\tcaf\xe9\n" + good})
        error(r"CoLA/train\.tsv:3: byte 0xe9 is not UTF-8; convert", read_split, "CoLA", "train", root)


@pytest.mark.parametrize(
    ("task", "label", "match"),
    [
        ("RTE", "maybe", r"RTE/train\.tsv:3: label 'maybe', expected one of entailment, not_entailment"),
        ("CoLA", "-1", r"CoLA/train\.tsv:2: label '-1', expected one of 0, 1"),
        ("MNLI", "-", r"MNLI/train\.tsv:3: gold_label '-', expected one of contradiction, entailment, neutral"),
        ("MRPC", "", r"MRPC/train\.tsv:3: Quality '', expected one of 0, 1"),
        ("STS-B", "good", r"STS-B/train\.tsv:3: score 'good', expected a number from 0 to 5"),
        ("STS-B", "5.1", r"STS-B/train\.tsv:3: score '5\.1', expected a number from 0 to 5"),
        ("STS-B", "-0.1", r"STS-B/train\.tsv:3: score '-0\.1', expected a number from 0 to 5"),
        ("STS-B", "nan", r"STS-B/train\.tsv:3: score 'nan', expected a number from 0 to 5"),
        ("STS-B", "inf", r"STS-B/train\.tsv:3: score 'inf', expected a number from 0 to 5"),
    ],
)
def test_bad_labels(task, label, match, write_glue, glue_text):
    good = written_labels(task)[0]
    root = write_glue(task, {"train": glue_text(task, "train", [("a", "b", good), ("c", "d", label)])})
    error(match, read_split, task, "train", root)


@pytest.mark.parametrize("task", GLUE)
@pytest.mark.parametrize("extra", ["\textra", None, "blank"])
def test_wrong_number_of_fields(task, extra, write_glue, glue_text):
    split = TASKS[task].eval_splits[0]
    label = written_labels(task)[0]
    lines = glue_text(task, split, [("a", "b", label)] * 3).splitlines()
    n_fields = lines[-2].count("\t") + 1
    lines[-2] = "" if extra == "blank" else lines[-2] + extra if extra else lines[-2].partition("\t")[2]
    found = 1 if extra == "blank" else n_fields + 1 if extra else n_fields - 1
    root = write_glue(task, {split: "\n".join(lines)})
    match = rf"{split}\.tsv:{len(lines) - 1}: {found} fields between tabs, expected {n_fields} \("
    error(match, read_split, task, split, root)


def test_short_lines_of_qqp_train_are_skipped_and_counted(write_glue, glue_text, caplog):
    lines = glue_text("QQP", "train", [("a", "b", "0"), ("c", "d", "1")]).splitlines()
    text = "\n".join([*lines[:2], "7\t1\t2\tbroken", "line\tb\t1", lines[2]]) + "\n"
    root = write_glue("QQP", {"train": text, "dev": glue_text("QQP", "dev", [("e", "f", "1")])})
    with caplog.at_level(logging.WARNING):
        examples = read_split("QQP", "train", root)
    assert (examples.first, examples.labels) == (["a", "c"], [0, 1])
    assert "skipped 2 lines with fewer than 6 fields" in caplog.text
    assert count("QQP", root) == {"train": 2, "dev": 1}
    write_glue("QQP", {"train": text.replace("broken", "a\tb\t1\ttoo\tmany")})
    error(r"QQP/train\.tsv:3: 8 fields", read_split, "QQP", "train", root)
    write_glue("QQP", {"train": lines[0] + "\n7\t1\n"})
    error(r"QQP/train\.tsv:2: no rows", read_split, "QQP", "train", root)


@pytest.mark.parametrize("content", ["", "\n", "\r\n\r\n"])
@pytest.mark.parametrize("task", ["CoLA", "RTE"])
def test_empty_file(task, content, write_glue):
    root = write_glue(task, {"train": content})
    error(rf"{task}/train\.tsv:1: the file is empty", read_split, task, "train", root)


def test_header_without_rows(write_glue, glue_text):
    root = write_glue("STS-B", {"dev": glue_text("STS-B", "dev", [])})
    error(r"STS-B/dev\.tsv:2: no rows below the header", read_split, "STS-B", "dev", root)


def test_missing_file_and_folder(write_glue, glue_text, tmp_path):
    root = write_glue("MNLI", {"train": glue_text("MNLI", "train", [("a", "b", "neutral")])})
    for read, *args in ((read_split, "MNLI", "dev_matched", root), (count, "MNLI", root), (fingerprint, "MNLI", root)):
        error(r"MNLI/dev_matched\.tsv: no such file; the folder has train\.tsv;", read, *args)
    error(r"glue/RTE: no such folder; .* train\.tsv", read_split, "RTE", "train", root)


def test_wrong_names_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="MNLI has no split 'dev'; choose one of train, dev_matched, dev_mismatched"):
        read_split("MNLI", "dev", tmp_path)
    with pytest.raises(ValueError, match="'similarity' is no GLUE task"):
        read_split("similarity", "train", tmp_path)


def test_fingerprint_follows_content_and_not_place(write_glue, glue_text, tmp_path):
    files = {split: glue_text("RTE", split, [("a", "b", "entailment")]) for split in ("train", "dev")}
    root = write_glue("RTE", files)
    first = fingerprint("RTE", root)
    assert re.fullmatch("[0-9a-f]{16}", first)
    (root / "RTE" / "test.tsv").write_text("is not read")
    moved = tmp_path / "moved"
    root.rename(moved)
    assert fingerprint("RTE", moved) == first
    for split in ("train", "dev"):
        changed = glue_text("RTE", split, [("a", "c", "entailment")])
        assert fingerprint("RTE", write_glue("RTE", files | {split: changed})) != first
    swapped = {"train": files["train"] + "0\ta\tb\tentailment\n", "dev": files["dev"]}
    other = {"train": swapped["dev"], "dev": swapped["train"]}
    assert fingerprint("RTE", write_glue("RTE", swapped)) != fingerprint("RTE", write_glue("RTE", other))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("CoLA", (7250, 1301)),
        ("RTE", (2490, 277)),
        ("WNLI", (518, 117)),
        ("SST-2", (6920, 872)),  # the data's README says one less each: the files' last lines have no line feed
        ("MRPC", (4076, 1725)),
        ("STS-B", (5749, 1500)),
    ],
)
def test_real_files(task, sizes, real_data):
    root = real_data / "glue"
    splits = [read_split(task, split, root) for split in ("train", "dev")]
    assert tuple(len(examples) for examples in splits) == sizes
    assert tuple(count(task, root).values()) == sizes
    for examples in splits:
        assert all(examples.first)
        if TASKS[task].is_regression:
            assert 2 < sum(examples.labels) / len(examples) < 3
            assert max(examples.labels) == 5.0
        else:
            assert set(examples.labels) == {0, 1}


@pytest.mark.real_data
def test_first_real_examples(real_data):
    rte = read_split("RTE", "dev", real_data / "glue")
    assert rte.first[0].startswith("Dana Reeve, the widow of the actor")
    assert rte.second is not None
    assert rte.second[0] == "Christopher Reeve had an accident."
    assert rte.labels[0] == 1  # not_entailment
    assert read_split("CoLA", "dev", real_data / "glue").first[0] == "Bill broke the bathtub."
    assert read_split("STS-B", "train", real_data / "glue").labels[0] == 5.0
