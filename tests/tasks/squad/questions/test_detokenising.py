"""The published text of word pieces."""

import pytest
from tokenizers import Tokenizer, decoders, models

from tasks.data.errors import DataError
from tasks.squad.questions.pairs import detokenise, joining


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
