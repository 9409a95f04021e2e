"""What the artifacts of several stages have in common: `meta.json`, and the encoding of plain text."""

import json
from pathlib import Path
from typing import Any

from tasks.data.errors import DataError


def write_meta(directory: Path, meta: dict[str, Any]) -> None:
    (directory / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", "utf-8")


def read_meta(directory: Path, stage: str) -> dict[str, Any]:
    """meta.json of an artifact of `stage`.

    Raises:
        DataError: when the directory holds none.
    """
    path = Path(directory) / "meta.json"
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected an artifact of the {stage} stage, run its job again")
    meta = json.loads(path.read_text("utf-8"))
    if meta.get("stage", "tokens") != stage:  # that stage alone does not name itself
        raise DataError(f"{path}: not an artifact of the {stage} stage; run its job again")
    return meta


def encode(texts: list[str], tokenizer: Any) -> list[list[int]]:
    """Token ids of each text without special tokens, of any length."""
    return tokenizer(
        texts,
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # no warning that a text is longer than the model takes: it is cut later
    )["input_ids"]
