"""The special tokens that a stage needs of a tokenizer."""

from typing import Any

from tasks.data.errors import DataError
from tasks.data.tokenizers import TokenizerRef

ROLES = ("pad", "cls", "sep", "mask", "unk")


def special_ids(tokenizer: Any, ref: TokenizerRef, needed: tuple[str, ...]) -> dict[str, Any]:
    """`pad_token_id`, `cls_token_id`, … of all five roles (None where there is none) and `special_ids`, all of them.

    Raises:
        DataError: when one of the needed roles is missing.
    """
    ids = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ROLES}
    missing = [role for role in needed if ids[f"{role}_token_id"] is None]
    if missing:
        names = " and no ".join(f"{role}_token" for role in missing)
        raise DataError(
            f"tokenizer {ref} has no {names}; add it to its tokenizer_config.json, or give --tokenizer another one"
        )
    return {**ids, "special_ids": sorted(tokenizer.all_special_ids)}
