"""What is peculiar to a tokenizer: how it puts a question and a context together, how its pieces make a text again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.data.errors import DataError

Joining = Literal["wordpiece", "sentencepiece", "bytes"]
BLANK = "\u2581"  # SentencePiece's sign for a blank


@dataclass(frozen=True, kw_only=True)
class PairTemplate:
    """`before question between context after`, with the special tokens' ids and the token types of all five.

    BERT: [CLS] question [SEP] context [SEP], types 0 0 0 1 1. RoBERTa: <s> question </s></s> context </s>, types 0.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int]

    @property
    def n_specials(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "PairTemplate":
        return cls(**{name: tuple(value) for name, value in saved.items()})


def pair_template(tokenizer: Any, name: str) -> PairTemplate:
    """The template of a tokenizer, from a pair of words that it encodes.

    `name` is for messages.

    Raises:
        DataError: when the pair is not the two texts in their order between special tokens, or does not begin with the
            classification token alone: position 0 is the answer "none".
    """
    first, second = "one", "two"
    pair = tokenizer(first, second, return_token_type_ids=True)
    ids, types, sequences = pair["input_ids"], pair["token_type_ids"], pair.sequence_ids(0)
    at_first = [at for at, sequence in enumerate(sequences) if sequence == 0]
    at_second = [at for at, sequence in enumerate(sequences) if sequence == 1]
    remedy = "choose a tokenizer of the BERT family, which encodes a pair as [CLS] A [SEP] B [SEP]"
    if not _joined(at_first) or not _joined(at_second) or at_first[-1] > at_second[0]:
        raise DataError(f"tokenizer {name} does not encode a pair as A and B in this order; {remedy}")
    pieces = (
        slice(0, at_first[0]),
        slice(at_first[0], at_first[-1] + 1),
        slice(at_first[-1] + 1, at_second[0]),
        slice(at_second[0], at_second[-1] + 1),
        slice(at_second[-1] + 1, len(ids)),
    )
    before, question, between, context, after = (ids[piece] for piece in pieces)
    if before != [tokenizer.cls_token_id]:
        raise DataError(
            f"tokenizer {name} begins a pair with the tokens {before}, expected its cls_token "
            f"({tokenizer.cls_token_id}) alone, which stands for no answer; {remedy}"
        )
    if not between or not after:
        raise DataError(f"tokenizer {name} puts no special token between or after a pair's texts; {remedy}")
    alone = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (first, second)]
    if [question, context] != alone:
        raise DataError(f"tokenizer {name} gives a text other tokens in a pair than alone; {remedy}")
    if any(len(set(types[piece])) != 1 for piece in pieces):
        raise DataError(f"tokenizer {name} gives a pair the token types {types}, not one a part; {remedy}")
    part_types = tuple(types[piece][0] for piece in pieces)
    return PairTemplate(before=tuple(before), between=tuple(between), after=tuple(after), types=part_types)


def _joined(positions: list[int]) -> bool:
    return bool(positions) and positions[-1] - positions[0] + 1 == len(positions)


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
    """The published text of a span: its word pieces joined, lower-cased and without accents as they are (README 5).

    Correct text is cut from the context instead (`Windows.text`). `backend` (a `tokenizers.Tokenizer`) is needed
    for bytes alone.

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
