"""Pairs of proteins and contact maps."""

import numpy as np
import pytest
from matplotlib.image import imsave

from tasks.data.errors import DataError
from tasks.transfer.proteins.alphabets import decode
from tasks.transfer.proteins.pairs import read_contact_map, read_pairs

HEAD = "pdb_id_A\tpdb_id_B\tsequence_A\tsequence_B\tsimilarity\n"


def test_pairs_of_domains_and_of_families(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(HEAD + "d1abca_\td2xyza_\tARN\tdc\t2\nd1\td2\tA\tR\t0.5\n")
    pairs = read_pairs(path, "homology")
    assert [decode(ids) for ids in (*pairs.first, *pairs.second)] == ["ARN", "A", "DC", "R"]
    assert pairs.labels.tolist() == [2, 0.5]
    assert pairs.ids == [("d1abca_", "d2xyza_"), ("d1", "d2")]
    path.write_text("sequence_A\tsequence_B\tis_samefamily\nAR\tA*\t1\n")
    pairs = read_pairs(path, "pfam", legacy_unknown=True)
    assert pairs.labels.dtype == np.int64
    assert pairs.second[0].tolist() == [1, 21]
    with pytest.raises(DataError, match=r"pairs\.tsv:2: sequence_B \(line 2\): no residues: '\*' 1 times"):
        read_pairs(path, "pfam")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sequence_A\tsequence_B\n", r":1: the header has no column pdb_id_A and no pdb_id_B and no similarity"),
        (HEAD, "no pairs below the header"),
        (HEAD + "a\tb\tAR\t2\n", ":2: 4 fields between tabs, expected 5"),
        (HEAD + "a\tb\tAR\t\t2\n", ":2: sequence_B has no residues"),
        (HEAD + "a\tb\tAR\tAR\tx\n", ":2: similarity 'x' is no number"),
        (HEAD + "a\tb\tAR\tAR\t5\n", ":2: similarity '5', expected a number from 0 to 4"),
    ],
)
def test_bad_pairs(content, message, tmp_path):
    (tmp_path / "pairs.tsv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "pairs.tsv", "homology")


def test_what_is_no_file_of_pairs(tmp_path):
    with pytest.raises(DataError, match=r"\.fa; pairs are read from \.tsv"):
        read_pairs(tmp_path / "pairs.fa", "pfam")
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "pairs.tsv", "pfam")
    (tmp_path / "pairs.tsv").write_text("sequence_A\tsequence_B\tis_samefamily\nAR\tAR\t0.5\n")
    with pytest.raises(DataError, match=r":2: is_samefamily '0\.5', expected 0 or 1"):
        read_pairs(tmp_path / "pairs.tsv", "pfam")
    with pytest.raises(ValueError, match="task is 'stability'; pairs are there for homology, pfam"):
        read_pairs(tmp_path / "pairs.tsv", "stability")  # pyright: ignore[reportArgumentType]


def write_map(path, grey):
    """A PNG of eight-bit greys."""
    from PIL import Image

    Image.fromarray(np.array(grey, dtype=np.uint8)).save(path)


def test_a_contact_map(tmp_path):
    grey = np.zeros((4, 4), dtype=np.uint8)
    grey[0, 2] = grey[2, 0] = grey[0, 1] = 255
    grey[1, 3] = 1
    write_map(tmp_path / "d1abca_.png", grey)
    assert read_contact_map(tmp_path / "d1abca_.png").tolist() == [
        [-1, -1, 1, 0],
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
    ]


def test_what_is_no_contact_map(tmp_path):
    write_map(tmp_path / "d1abca_.png", [[0, 7], [0, 255]])
    with pytest.raises(DataError, match=r"d1abca_\.png: greys \[7\]; expected 0"):
        read_contact_map(tmp_path / "d1abca_.png")
    write_map(tmp_path / "d1abca_.png", [[0, 1, 255]])
    with pytest.raises(DataError, match=r"shape \[1, 3\]; expected a square one"):
        read_contact_map(tmp_path / "d1abca_.png")
    imsave(tmp_path / "d1abca_.png", np.zeros((3, 3, 3)))
    with pytest.raises(DataError, match="expected a square one of greys"):
        read_contact_map(tmp_path / "d1abca_.png")
    (tmp_path / "d1abca_.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="no PNG"):
        read_contact_map(tmp_path / "d1abca_.png")
    with pytest.raises(DataError, match="no such file"):
        read_contact_map(tmp_path / "d1abcb_.png")
    with pytest.raises(DataError, match="the 7 characters of a domain"):
        read_contact_map(tmp_path / "short.png")
