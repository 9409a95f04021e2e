"""The published text of a span: its word pieces put together again, lower-cased and without accents as they are.

Correct text is cut from the context instead (`Windows.text`).
"""

from collections.abc import Sequence
from typing import Any, Literal

from tasks.data.errors import DataError

Joining = Literal["wordpiece", "sentencepiece", "bytes"]
BLANK = "\u2581"  # SentencePiece's sign for a blank


def joining(backend: Any) -> Joining:
    """How a tokenizer's pieces are joined, from the decoder of its `tokenizers.Tokenizer`.

    Raises:
        DataError: for another decoder than those of the BERT family.
    """
    said = repr(backend.decoder)  # a Sequence of decoders names all of them
    if "WordPiece" in said:
        return "wordpiece"
    if "ByteLevel" in said:
        return "bytes"
    if "Metaspace" in said or BLANK in said:  # the latter with byte fallback: Replace("▁", " ") and more
        return "sentencepiece"
    raise DataError(f"pieces of a tokenizer with the decoder {said[:200]} cannot be joined to text; use another one")


def detokenise(pieces: Sequence[str], how: Joining, backend: Any = None) -> str:
    """The text of word pieces. `backend` (a `tokenizers.Tokenizer`) is needed for bytes alone.

    WordPiece: joined by blanks, then every " ##" glued, so that a piece ## at the beginning stays as it is.
    SentencePiece: joined, ▁ becomes a blank. Bytes: as the tokenizer's own decoder reads them.
    """
    if how == "wordpiece":
        text = " ".join(pieces).replace(" ##", "")
    elif how == "sentencepiece":
        text = "".join(pieces).replace(BLANK, " ")
    else:
        text = backend.decoder.decode(list(pieces))
    return text.strip()
