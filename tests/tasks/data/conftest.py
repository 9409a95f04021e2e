"""Shared by the tests of the readers: the real research data, and small GLUE files of every layout."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.research_data import research_data

REPO = Path(__file__).parents[3]

HEADERS = {
    "SST-2": "sentence\tlabel",
    "MRPC": "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
    "STS-B": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
    "QQP": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
    "QNLI": "index\tquestion\tsentence\tlabel",
    "RTE": "index\tsentence1\tsentence2\tlabel",
    "WNLI": "index\tsentence1\tsentence2\tlabel",
}
MNLI_FIRST = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
    "\tsentence1\tsentence2"
)
MNLI_HEADERS = {
    "train": f"{MNLI_FIRST}\tlabel1\tgold_label",
    "dev": f"{MNLI_FIRST}\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label",
}
ROWS = {
    "CoLA": "gj04\t{label}\t\t{a}",
    "SST-2": "{a}\t{label}",
    "MRPC": "{label}\t1\t2\t{a}\t{b}",
    "STS-B": "0\tnone\tnone\tnone\t0\tnone\tnone\t{a}\t{b}\t{label}",
    "QQP": "7\t1\t2\t{a}\t{b}\t{label}",
    "QNLI": "0\t{a}\t{b}\t{label}",
    "RTE": "0\t{a}\t{b}\t{label}",
    "WNLI": "0\t{a}\t{b}\t{label}",
}


def tsv(task: str, split: str, rows: list[tuple[str, str, str]]) -> str:
    """The official file's text for rows of (first, second, label as written)."""
    if task == "MNLI":
        part = "train" if split == "train" else "dev"
        extra = "\tx" if part == "train" else "\tx" * 5
        lines = [MNLI_HEADERS[part], *(f"0\t1\t2\tg\tp\tp\tp\tp\t{a}\t{b}{extra}\t{label}" for a, b, label in rows)]
    else:
        header = [HEADERS[task]] if task in HEADERS else []
        lines = [*header, *(ROWS[task].format(a=a, b=b, label=label) for a, b, label in rows)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def glue_text() -> Callable[[str, str, list[tuple[str, str, str]]], str]:
    return tsv


@pytest.fixture
def write_glue(tmp_path: Path) -> Callable[..., Path]:
    """`write_glue(task, {"train": text, …})` writes the files of one task and returns the data directory."""

    def write(task: str, files: dict[str, str | bytes]) -> Path:
        folder = tmp_path / "glue" / task
        folder.mkdir(parents=True, exist_ok=True)
        for split, content in files.items():
            (folder / f"{split}.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "glue"

    return write


@pytest.fixture
def real_data() -> Path:
    """The directory of the research data, for tests that are marked `real_data`."""
    return research_data("glue").parent
