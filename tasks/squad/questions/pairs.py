"""How a tokenizer puts a question and a context together, learnt by looking at what it does."""

from dataclasses import asdict, dataclass
from typing import Any

from tasks.data.errors import DataError


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
