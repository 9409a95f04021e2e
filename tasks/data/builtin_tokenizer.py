"""A small lower-casing tokenizer trained on the builtin sentences, with ALBERT's special tokens and pair template.

Training takes a fraction of a second, so every process trains its own and compares its hash with the planned one.
"""

import functools
import hashlib

from tasks.data.builtin_text import sentences

VOCAB_SIZE = 2_000
SPECIALS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4, as in ALBERT's vocabulary
ROLES = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


@functools.cache
def trained_json() -> str:
    """The tokenizer as JSON text: BPE on lower-cased words and marks without accents, `[CLS] A [SEP] B [SEP]`.

    Byte-identical in every process with the same Python text and the same `tokenizers` library. WordPiece would not be:
    its trainer numbers the inner pieces in the order of a hash map, which differs in every process.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=list(SPECIALS), min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator((sentence for _, _, sentence in sentences()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(name, SPECIALS.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer.to_str()


@functools.cache
def revision() -> str:
    """First 16 hex digits of SHA-256 over the trained tokenizer, in which text, rules and library all show."""
    return hashlib.sha256(trained_json().encode()).hexdigest()[:16]
