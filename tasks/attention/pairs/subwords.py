"""One SentencePiece model for both languages: trained once, the same bytes every time."""

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sentencepiece

from tasks.attention.ragged import Ragged
from tasks.data.errors import DataError

PAD, BOS, EOS, UNK = range(4)
THREADS = 4  # of the training, on any machine: sums of more or fewer threads differ in their last bits
CHUNK = 10_000  # sentences that are encoded at once, since lists of numbers take ten times the room of arrays

_TOO_LARGE = re.compile(r"Please set it to a value <= (\d+)")
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


def trained(sentences: Iterable[str], vocab_size: int, where: str) -> bytes:
    """A unigram model with the ids pad 0, bos 1, eos 2, unk 3; all else is SentencePiece's default.

    Args:
        sentences: of both languages.
        vocab_size: pieces, the four special ones included.
        where: the data, for messages.

    Raises:
        DataError: the text gives no vocabulary of that size.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(  # pyright: ignore[reportAttributeAccessIssue]
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=vocab_size,
            model_type="unigram",
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNK,
            num_threads=THREADS,
            minloglevel=2,
        )
    except RuntimeError as problem:
        reason = " ".join(str(problem).split())
        if found := _TOO_LARGE.search(reason):
            raise DataError(
                f"{where}: the text gives no vocabulary of {vocab_size} pieces; give --vocab-size {found[1]} or less"
            ) from None
        if found := _TOO_SMALL.search(reason):
            raise DataError(
                f"{where}: the text has {found[1]} letters and special pieces, more than the vocabulary of {vocab_size}"
                f"; give --vocab-size {found[1]} or more"
            ) from None
        raise DataError(f"{where}: SentencePiece cannot be trained on it ({reason}); look for odd lines") from problem
    return model.getvalue()


class Subwords:
    """A trained model: text to ids and back."""

    def __init__(self, model: bytes):
        self._processor: Any = sentencepiece.SentencePieceProcessor()
        self._processor.LoadFromSerializedProto(model)

    def __len__(self) -> int:
        """Pieces, the special ones included."""
        return self._processor.GetPieceSize()

    def encode(self, sentences: Sequence[str]) -> Ragged:
        """`<s>` pieces `</s>` of each sentence, int32."""
        parts = []
        for start in range(0, len(sentences), CHUNK):
            rows = self._processor.encode(list(sentences[start : start + CHUNK]), out_type=int, num_threads=1)
            parts.append(Ragged.of([[BOS, *row, EOS] for row in rows], np.int32))
        lengths = np.concatenate([part.lengths for part in parts]) if parts else np.empty(0, np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Ragged(np.concatenate([part.values for part in parts]) if parts else np.empty(0, np.int32), offsets)

    def decode(self, rows: Iterable[Iterable[int]]) -> list[str]:
        """The text of each row of ids; pad, bos and eos are dropped wherever they stand."""
        return [self._processor.decode([int(i) for i in row if int(i) not in (PAD, BOS, EOS)]) for row in rows]
