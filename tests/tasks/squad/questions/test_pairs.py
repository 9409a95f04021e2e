"""Pieces are joined as published; a window is what the tokenizer makes of question and context."""

import pytest
from tokenizers import Tokenizer, decoders, models

from tasks.data.errors import DataError
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.squad.questions.pairs import PairTemplate, detokenise, joining, pair_template
from tasks.squad.questions.windows import open_windows
from tests.tasks.squad.questions.conftest import article, question

TEXT = "The tower was built in 1843 by Hugo Brandt, and the naïve café is of old stone."


def test_the_templates_of_three_kinds(bert_dir, roberta_dir):
    bert, roberta, builtin = (load_tokenizer(locate_tokenizer(str(n))) for n in (bert_dir, roberta_dir, "builtin"))
    wanted = PairTemplate(before=(2,), between=(3,), after=(3,), types=(0, 0, 0, 1, 1))
    assert pair_template(bert, "bert") == pair_template(builtin, "builtin") == wanted
    found = pair_template(roberta, "roberta")
    assert found == PairTemplate(before=(0,), between=(2, 2), after=(2,), types=(0, 0, 0, 0, 0))
    assert (wanted.n_specials, found.n_specials) == (3, 4)
    assert PairTemplate.from_dict(found.as_dict()) == found


@pytest.mark.parametrize("kind", ["bert", "roberta", "builtin"])
def test_a_window_is_what_the_tokenizer_makes_of_the_pair(kind, bert_dir, roberta_dir, write_squad, cut):
    name = {"bert": str(bert_dir), "roberta": str(roberta_dir), "builtin": "builtin"}[kind]
    asked = [question("a", "Who built the tower?", ("Hugo Brandt", 31)), question("b", "When is it?", ("1843", 23))]
    data = write_squad(dev=[article("Towers", (TEXT, asked))])
    windows = open_windows(cut("squad_v2", data, name, max_length=200, doc_stride=64, max_query_length=64), "dev")
    tokenizer = load_tokenizer(locate_tokenizer(name))
    batch = windows.batch([0, 1], pad_to=200)
    for at, raw in enumerate(asked):
        direct = tokenizer(raw["question"], TEXT, return_token_type_ids=True)
        n = len(direct["input_ids"])
        assert windows.lengths[at] == n == batch.attention_mask[at].sum()
        assert batch.input_ids[at, :n].tolist() == direct["input_ids"]
        assert batch.token_type_ids[at, :n].tolist() == direct["token_type_ids"]
        assert batch.input_ids[at, n:].tolist() == [tokenizer.pad_token_id] * (200 - n)
        context = [position for position, sequence in enumerate(direct.sequence_ids(0)) if sequence == 1]
        assert batch.allowed[at].nonzero().flatten().tolist() == [0, *context]
        assert batch.max_context[at].nonzero().flatten().tolist() == context
        assert (batch.context_start[at], batch.context_end[at]) == (context[0], context[-1] + 1)
    texts = [windows.text(at, int(windows.start[at]), int(windows.end[at])) for at in (0, 1)]
    assert texts == ["Hugo Brandt", "1843"]
    cased = kind == "roberta"
    whole = [windows.tokens_text(at, int(windows.start[at]), int(windows.end[at])) for at in (0, 1)]
    assert whole == ["Hugo Brandt" if cased else "hugo brandt", "1843"]
    first, last = int(windows.context_start[0]), int(windows.context_end[0]) - 1
    assert windows.text(0, first, last) == TEXT
    everything = windows.tokens_text(0, first, last)
    assert everything == TEXT if cased else "naive cafe is of old stone" in everything


class Pairs:
    """A tokenizer that encodes the pair ("one", "two") in a given way, and each of them alone as 7 or 8."""

    cls_token_id = 1

    def __init__(self, ids, sequences, types=None):
        self.ids, self.sequences, self.types = ids, sequences, types or [0] * len(ids)

    def __call__(self, first, second=None, **options):
        if second is None:
            return {"input_ids": [7 if first == "one" else 8]}
        return Encoded(self.ids, self.types, self.sequences)


class Encoded(dict):
    def __init__(self, ids, types, sequences):
        super().__init__(input_ids=ids, token_type_ids=types)
        self.sequence_ids = lambda row: sequences


@pytest.mark.parametrize(
    ("tokenizer", "match"),
    [
        (Pairs([1, 8, 2, 7, 2], [None, 1, None, 0, None]), "does not encode a pair as A and B in this order"),
        (Pairs([1, 7, 2], [None, 0, None]), "in this order"),
        (Pairs([1, 7, 8, 7, 2], [None, 0, 1, 0, None]), "in this order"),
        (Pairs([7, 2, 8, 2], [0, None, 1, None]), r"begins a pair with the tokens \[\], expected its cls_token \(1\)"),
        (Pairs([5, 1, 7, 2, 8, 2], [None, None, 0, None, 1, None]), r"begins a pair with the tokens \[5, 1\]"),
        (Pairs([7, 2, 8, 2, 1], [0, None, 1, None, None]), "begins a pair"),  # XLNet's is at the end
        (Pairs([1, 7, 8, 2], [None, 0, 1, None]), "no special token between or after"),
        (Pairs([1, 7, 2, 8], [None, 0, None, 1]), "no special token between or after"),
        (Pairs([1, 7, 2, 9, 2], [None, 0, None, 1, None]), "other tokens in a pair than alone"),
        (Pairs([1, 7, 2, 2, 8, 2], [None, 0, None, None, 1, None], [0, 0, 0, 1, 1, 1]), "not one a part"),
    ],
)
def test_other_pairs_are_refused(tokenizer, match):
    with pytest.raises(DataError, match=match) as caught:
        pair_template(tokenizer, "odd")
    assert "tokenizer odd" in str(caught.value)
    assert "choose a tokenizer of the BERT family" in str(caught.value)


def backend(decoder):
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    if decoder is not None:
        tokenizer.decoder = decoder
    return tokenizer


@pytest.mark.parametrize(
    ("pieces", "how", "text"),
    [
        (["un", "##happi", "##est", "build", "##ing"], "wordpiece", "unhappiest building"),
        (["##est", "day", "##s"], "wordpiece", "##est days"),  # nothing before it to glue it to
        (["d", "'", "orsi", "[UNK]"], "wordpiece", "d ' orsi [UNK]"),
        (["\u2581the", "\u2581cafe", "s", "\u2581", "<unk>"], "sentencepiece", "the cafes <unk>"),
        (["s", "\u2581old"], "sentencepiece", "s old"),
    ],
)
def test_pieces_are_joined_as_published(pieces, how, text):
    assert detokenise(pieces, how) == text


def test_bytes_are_read_by_the_tokenizers_own_decoder():
    assert detokenise(["Ġcaf", "Ã©", "Ġ2"], "bytes", backend(decoders.ByteLevel())) == "café 2"


def test_the_decoder_tells_how_pieces_are_joined():
    fallback = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    known = [decoders.WordPiece(), decoders.Metaspace(), fallback, decoders.ByteLevel()]
    assert [joining(backend(d)) for d in known] == ["wordpiece", "sentencepiece", "sentencepiece", "bytes"]
    for other in (decoders.CTC(), None):
        with pytest.raises(DataError, match="cannot be joined to text"):
            joining(backend(other))
