"""Files of proteins: what is kept of them, that they can be written and read again, and what is wrong in a bad one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.transfer.proteins.parsing import Kept, count_records
from tasks.transfer.proteins.parsing import parse as parse_kept
from tasks.transfer.proteins.tokens import RESIDUES, encode
from tests.research_data import research_data
from tests.tasks.transfer.proteins.letters import decode

SEQUENCES = st.lists(st.text(RESIDUES, min_size=1, max_size=30), min_size=1, max_size=6)
NUMBERS = st.floats(-9, 9, allow_nan=False)


def write(place, text, name="made.fa"):
    path = place / name
    path.write_text(text)
    return path


def parse(path, task, **kept):
    return parse_kept(path, task, Kept(**kept))


def texts(found):
    return [decode(ids) for ids in found.sequences]


@given(SEQUENCES, st.data(), st.integers(1, 12))
def test_numbers_survive_every_format(tmp_path_factory, sequences, data, width):
    labels = data.draw(st.lists(NUMBERS, min_size=len(sequences), max_size=len(sequences)))
    place = tmp_path_factory.mktemp("formats")
    wrapped = ["\n".join(s[i : i + width] for i in range(0, len(s), width)) for s in sequences]
    fasta = "".join(f">p{i} {y!r} more\n{s.lower()}\n\n" for i, (s, y) in enumerate(zip(wrapped, labels, strict=True)))
    table = "label\tsequence\n" + "".join(f"{y!r}\t{s}\n" for s, y in zip(sequences, labels, strict=True))
    entries = [{"primary": s, "log_fluorescence": [y]} for s, y in zip(sequences, labels, strict=True)]
    files = {"a.fa": "# made\n" + fasta, "b.tsv": table, "c.json": json.dumps(entries), "d.FA": fasta}
    files["e.tsv"] = table.replace("\n", "\r\n")
    for name, content in files.items():
        path = place / name
        path.write_bytes(content.encode())
        found = parse(path, "fluorescence")
        assert texts(found) == sequences, name
        assert found.labels == labels, name
        assert count_records(path, "fluorescence") == len(sequences), name


@given(SEQUENCES, st.data())
def test_labels_of_residues_survive(tmp_path_factory, sequences, data):
    place = tmp_path_factory.mktemp("residues")
    labels = [data.draw(st.lists(st.integers(0, 2), min_size=len(s), max_size=len(s))) for s in sequences]
    pairs = list(zip(sequences, labels, strict=True))
    digits = "".join(
        f">n{i}:A:sequence\n{s}\n>n{i}:A:secstr\n{''.join(map(str, y))}\n" for i, (s, y) in enumerate(pairs)
    )
    letters = "".join(f">n{i}\n{s}\n{''.join('IOM'[k] for k in y)}\n" for i, (s, y) in enumerate(pairs))
    for task, path in (("secstr", write(place, digits)), ("transmembrane", write(place, letters, "made.3line"))):
        found = parse(path, task, max_length=7)
        assert texts(found) == [s[:7] for s in sequences]
        assert [np.asarray(y).tolist() for y in found.labels] == [y[:7] for y in labels]
        assert count_records(path, task) == len(sequences)


def test_what_is_kept(tmp_path):
    path = write(tmp_path, ">a 1\nARNDC\n>b 2\nAR\n>c 3\nARNDCQEGHI\n")
    found = parse(path, "stability", min_length=3, drop_longer=9)
    assert texts(found) == ["ARNDC"]
    assert found.labels == [1.0]
    assert found.counts == {"records": 3, "shorter": 1, "longer": 1, "unknown": 0}
    found = parse(path, "stability", max_length=5)
    assert texts(found) == ["ARNDC", "AR", "ARNDC"]
    assert found.counts["truncated"] == 1


@pytest.mark.parametrize(("truncate", "wanted"), [(4, "ARHI"), (5, "ARNHI"), (1, "A"), (10, "ARNDCQEGHI")])
def test_localization_keeps_both_ends(tmp_path, truncate, wanted):
    path = write(tmp_path, ">a Plastid-U\nARNDCQEGHI\n>b Nucleus\nAR\n")
    found = parse(path, "localization", max_length=truncate)
    assert texts(found)[0] == wanted
    assert found.labels == [9, 7]


def test_families(tmp_path):
    lines = [("f1", "ARND"), ("f2", "ARNC"), ("f1", "ARNQ"), ("f3", "ARNE"), ("f3", "A")]
    path = write(tmp_path, "".join(f">n{i}/1-4 acc PF{i}.2;{f};\n{s}\n" for i, (f, s) in enumerate(lines)))
    found = parse(path, "pfam")
    assert found.labels == [0, 1, 0, 2, 2]
    assert found.label_names == ("f1", "f2", "f3")
    found = parse(path, "pfam", min_members=2, min_length=4)  # f3 has one member of that length
    assert texts(found) == ["ARND", "ARNQ"]
    assert found.label_names == ("f1",)
    assert (found.counts["rare"], found.counts["shorter"]) == (2, 1)


def test_unknown_letters_are_refused_or_counted(tmp_path):
    path = write(tmp_path, ">a 1\nARN\n>b 2\nAR\nA*-*J\n")
    with pytest.raises(
        DataError, match=r"made\.fa:3: record 'b' \(line 5\): no residues: '\*' 2 times, '-' 1 times, 'J'"
    ):
        parse(path, "stability")
    found = parse(path, "stability", legacy_unknown=True)
    assert texts(found) == ["ARN", "ARAXXXX"]
    assert found.counts["unknown"] == 4
    for name, content in (("bad.tsv", b"label\tsequence\n1\tAR\xc3\xa9\n"), ("bad.json", None)):
        content = content or json.dumps([{"primary": "ARéé", "stability_score": 1}]).encode()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="no residues: ") as problem:
            parse(tmp_path / name, "stability")
        assert name in str(problem.value)
        [ids] = parse(tmp_path / name, "stability", legacy_unknown=True).sequences
        assert ids.tolist() == encode("ARXX").tolist()


BAD = [
    ("stability", "made.fa", ">a\nAR\n", r"made\.fa:1: record 'a': the header has no label \(its word 2\); found 'a'"),
    ("stability", "made.fa", "#\n>a x\nAR\n", r"made\.fa:2: record 'a': the label 'x' is no number"),
    ("stability", "made.fa", ">a nan\nAR\n", "'nan' is no number"),
    ("stability", "made.fa", ">a 1\n>b 2\nAR\n", r"made\.fa:1: record 'a': no residues; a record needs a sequence"),
    ("stability", "made.fa", "AR\n>a 1\nAR\n", r"made\.fa:1: a sequence before the first header"),
    ("stability", "made.fa", "", "no proteins are left"),
    ("stability", "made.txt", ">a 1\nAR\n", r"\.txt; stability is read from \.fa, \.tsv, \.json"),
    ("solubility", "made.fa", ">a 2\nAR\n", "the label '2' is neither 0 nor 1"),
    ("solubility", "made.tsv", "label\tsequence\n1\tAR\n", r"\.tsv; solubility is read from \.fa"),
    (
        "localization",
        "made.fa",
        ">a Moon-U\nAR\n",
        "record 'a': unknown location 'Moon'; expected one of Cell.membrane",
    ),
    ("localization", "made.fa", ">a\nAR\n", "no location"),
    ("homology", "made.fa", ">a a.1.2\nAR\n", "'a.1.2' is no SCOP classification like a.1.2.3"),
    ("pfam", "made.fa", ">a acc\nAR\n", r"no family \(its word 3\)"),
    ("pfam", "made.fa", ">a acc PF1\nAR\n", "'PF1' names no family"),
    ("secstr", "made.fa", ">a:sequence\nAR\n", r"made\.fa:1: record 'a:sequence': no record `a:secstr` follows"),
    ("secstr", "made.fa", ">a:sequence\nAR\n>b:secstr\n01\n", r"made\.fa:3: .*expected a header `>a:secstr`"),
    ("secstr", "made.fa", ">a:secstr\n01\n", "expected a header `>name:sequence`, found 'a:secstr'"),
    ("secstr", "made.fa", ">a:sequence\nAR\n>a:secstr\n012\n", r"made\.fa:3: .*3 labels for 2 residues"),
    ("secstr", "made.fa", ">a:sequence\nAR\n>a:secstr\n08\n", "unknown labels '8'; expected one of 01234567"),
    ("transmembrane", "made.3line", ">a\nAR\nIM\n>b\n", r"made\.3line:4: 4 lines are no multiple of three"),
    ("transmembrane", "made.3line", ">a\nAR\nIM\nb\nAR\nIM\n", r"made\.3line:4: 'b' is no header"),
    ("transmembrane", "made.3line", ">a\nAR\nIX\n", "unknown labels 'X'; expected one of IOM"),
    ("transmembrane", "made.3line", ">a\nAR\nI\n", r"made\.3line:1: record 'a': 1 labels for 2 residues"),
    ("fluorescence", "made.tsv", "y\tsequence\n1\tAR\n", r"made\.tsv:1: the header has no column label, found 'y, seq"),
    ("fluorescence", "made.tsv", "", "no column label and no sequence"),
    ("fluorescence", "made.tsv", "label\tsequence\n1\n", r"made\.tsv:2: 1 fields between tabs, expected 2"),
    ("fluorescence", "made.tsv", "label\tsequence\n1\tAR\n\tAR\n", r"made\.tsv:3: the label '' is no number"),
    ("fluorescence", "made.tsv", "label\tsequence\n1\t\n", r"made\.tsv:2: no residues"),
    ("fluorescence", "made.json", "[", r"made\.json: no JSON"),
    ("fluorescence", "made.json", "{}", "expected a list of objects, found dict"),
    ("fluorescence", "made.json", "[3]", r"made\.json: record 1: expected an object"),
    ("fluorescence", "made.json", '[{"primary": "AR"}]', "record 1: no log_fluorescence; it has primary"),
    ("fluorescence", "made.json", '[{"primary": 3, "log_fluorescence": 1}]', "primary is int"),
    ("fluorescence", "made.json", '[{"primary": "AR", "log_fluorescence": "x"}]', "'x', expected a number"),
    ("fluorescence", "made.json", '[{"primary": "AR", "log_fluorescence": NaN}]', "'nan' is no number"),
    ("fluorescence", "made.json", '[{"primary": "", "log_fluorescence": 1}]', "record 1: no residues"),
]


@pytest.mark.parametrize(("task", "name", "content", "message"), BAD)
def test_bad_files_say_where(tmp_path, task, name, content, message):
    path = write(tmp_path, content, name)
    with pytest.raises(DataError, match=message) as problem:
        parse(path, task)
    assert str(path) in str(problem.value)


def test_what_no_file_can_mend(tmp_path):
    with pytest.raises(DataError, match=r"absent\.fa: no such file"):
        parse(tmp_path / "absent.fa", "stability")
    with pytest.raises(ValueError, match="no protein task is called 'taste'; choose one of localization"):
        parse(tmp_path / "made.fa", "taste")
    with pytest.raises(ValueError, match="builtin has no files"):
        parse(tmp_path / "made.fa", "builtin")
    with pytest.raises(ValueError, match="max-length is 0: give at least 1"):
        Kept(max_length=0)
    with pytest.raises(ValueError, match="drop-longer is 3: give at least the min-length, 4"):
        Kept(min_length=4, drop_longer=3)
    path = write(tmp_path, ">a 1\nAR\n")
    with pytest.raises(DataError, match=r"no proteins are left \(1 records, 1 shorter, 0 longer, 0 rare\)"):
        parse(path, "stability", min_length=3)


@pytest.mark.real_data
def test_the_variants_of_gfp():
    place = research_data("protein", "fluorescence")
    found = parse(place / "train.tsv", "fluorescence")
    assert len(found.sequences) == count_records(place / "train.tsv", "fluorescence") == 3000
    assert {len(ids) for ids in found.sequences} == {237}
    labels = np.asarray(found.labels, dtype=np.float64)
    assert 1 < labels.min() < labels.max() < 4.2
    assert len(parse(place / "test.tsv", "fluorescence").sequences) == 600
