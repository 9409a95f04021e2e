"""The `sentences` stage: a random sample of a corpus, tokenised and padded to one length, for the dynamics experiments.

On disk: `sentences.safetensors` with input_ids (int32), token_type_ids and attention_mask (int8), each [N, T];
`texts.json`, a list of N lists of one or two texts; `meta.json`, how they were made. Imports no torch before a
tensor is asked for, since plans import it.

Letters: N sentences (or pairs of them), T tokens of each.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from orchestrator.experiment import Context, Job, Stage
from orchestrator.limits import Limited, Positive
from tasks.data.artifacts import encode, read_meta, write_meta
from tasks.data.corpus import TEST_RATIO, Part, corpus_here, locate_corpus
from tasks.data.plan import MIN_LENGTH
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, locate_tokenizer, special_ids
from tasks.transient_chaos.sampling import TextKind, Texts, sample

if TYPE_CHECKING:
    import torch

CHUNK = 1024  # texts that the tokenizer gets at once


@dataclass(frozen=True, kw_only=True)
class Passages(Limited):
    """Which texts of a corpus are drawn."""

    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    text: TextKind = "pairs"
    """pairs: the first two sentences of a passage. single: the beginning of a passage."""
    length: Annotated[int, Ge(MIN_LENGTH)] = 32
    """Length of each sentence or pair in tokens, special tokens included: longer ones are cut (of a pair the longer
    text first), shorter ones padded."""
    part: Part = "test"
    """Part of the corpus that the sentences are drawn from; the model small is pretrained on train."""


@dataclass(frozen=True, kw_only=True)
class SentencesParams(Passages):
    """Everything that shapes the sample, beside the fingerprint of the corpus; `corpus` is its name."""

    tokenizer: str
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    count: Positive
    """Number of sentences or pairs. Of one seed a smaller sample is the beginning of a larger one."""
    seed: int = 0
    """Random seed for sampling sentences."""
    test_ratio: Annotated[float, Gt(0), Lt(1)] | None = None
    """Share of the passages that is `test`; None for a corpus that has parts of its own."""
    legacy_packing: bool = False
    """Cut pairs as the published code does, so that the second text may be empty (`first_come`)."""


SENTENCES = Stage(
    name="sentences", function="tasks.transient_chaos.sentences:sentences", params=SentencesParams, artifact=True
)


def sentences_job(corpus: str, tokenizer: str, *, test_ratio: float = TEST_RATIO, **given: Any) -> Job:
    """The job that samples and tokenises sentences. Where corpus and tokenizer lie is no part of its identity.

    Args:
        corpus: wikipedia, builtin, a directory or a file.
        tokenizer: a hub name, a directory, or builtin.
        test_ratio: share of the passages that is `test`, of a corpus without parts of its own.
        given: the other fields of `SentencesParams`.

    Raises:
        ValueError: for a bad choice or number.
        DataError: when corpus or tokenizer are missing.
    """
    place, ref = locate_corpus(corpus), locate_tokenizer(tokenizer)
    params = SentencesParams(
        corpus=place.name,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        test_ratio=None if place.has_parts else test_ratio,
        **given,
    )
    paths = place.places | ({"tokenizer": ref.path} if ref.path else {})
    return Job(stage=SENTENCES, params=params, fingerprints={place.name: place.fingerprint}, paths=paths)


def sentences(params: SentencesParams, context: Context) -> dict[str, Any]:
    """Write the sample into `context.artifact`; returns no rows.

    Raises:
        DataError: when corpus or tokenizer are missing, are not the planned ones, or have fewer texts than asked.
    """
    from safetensors.numpy import save_file

    if context.artifact is None:
        raise ValueError("the sentences stage writes an artifact: give context.artifact, an empty directory")
    corpus = corpus_here(params.corpus, context.paths)
    ref = TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    tokenizer = load_tokenizer(ref)
    special = special_ids(tokenizer, ref, ("pad", "cls", "sep"))
    texts = sample(
        corpus,
        text=params.text,
        length=params.length,
        count=params.count,
        part=params.part,
        seed=params.seed,
        test_ratio=params.test_ratio,
    )
    arrays = tokenise(texts, tokenizer, params.length, special, params.legacy_packing)
    save_file(arrays, context.artifact / "sentences.safetensors")
    (context.artifact / "texts.json").write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n", "utf-8")
    meta = {
        "stage": "sentences",
        "corpus": params.corpus,
        "fingerprint": corpus.fingerprint,
        "part": params.part,
        "text": params.text,
        "length": params.length,
        "vocab_size": len(tokenizer),
        **special,
        "sizes": {params.part: len(texts)},
    }
    write_meta(context.artifact, meta)
    return {}


def tokenise(
    texts: list[Texts], tokenizer: Any, length: int, special: dict[str, Any], legacy_packing: bool = False
) -> dict[str, np.ndarray]:
    """The arrays of an artifact, each [N, T]."""
    ids_NT = np.full((len(texts), length), special["pad_token_id"], np.int32)
    types_NT, mask_NT = (np.zeros((len(texts), length), np.int8) for _ in range(2))
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        rows = (
            _first_come(chunk, tokenizer, length, special)
            if legacy_packing
            else _longest_first(chunk, tokenizer, length)
        )
        for n, (ids, types) in enumerate(rows, start=start):
            ids_NT[n, : len(ids)], types_NT[n, : len(ids)], mask_NT[n, : len(ids)] = ids, types, 1
    return {"input_ids": ids_NT, "token_type_ids": types_NT, "attention_mask": mask_NT}


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """N tokenised sentences (or pairs), padded to T tokens."""

    input_ids: "torch.Tensor"
    """int64 [N, T]."""
    token_type_ids: "torch.Tensor"
    """int64 [N, T]: 0 for the first text and the padding, 1 for the second."""
    attention_mask: "torch.Tensor"
    """int64 [N, T]: 0 for the padding."""
    texts: list[Texts]
    meta: dict[str, Any]
    """meta.json: corpus, fingerprint, part, text, length, vocab_size, `{pad,cls,sep,mask,unk}_token_id` (None where the
    tokenizer has none), special_ids, and sizes (the part's number of sentences)."""

    def __len__(self) -> int:
        return len(self.texts)


def open_sentences(directory: Path) -> Sentences:
    """The sentences of an artifact.

    Raises:
        DataError: when the directory holds none.
    """
    import torch
    from safetensors.torch import load_file

    meta = read_meta(directory, "sentences")
    tensors = {name: x.to(torch.int64) for name, x in load_file(Path(directory) / "sentences.safetensors").items()}
    texts = [tuple(row) for row in json.loads((Path(directory) / "texts.json").read_text("utf-8"))]
    return Sentences(**tensors, texts=texts, meta=meta)


Row = tuple[list[int], list[int]]
"""Input ids and token types of one sequence, without padding."""


def _longest_first(texts: list[Texts], tokenizer: Any, length: int) -> Iterator[Row]:
    encoded = tokenizer(
        [text[0] for text in texts],
        [text[1] for text in texts] if len(texts[0]) == 2 else None,
        truncation="longest_first",
        max_length=length,
        padding=False,
        return_token_type_ids=True,  # some classes leave them out by default, and pairs need them
        return_attention_mask=False,
    )
    return zip(encoded["input_ids"], encoded["token_type_ids"], strict=True)


def _first_come(texts: list[Texts], tokenizer: Any, length: int, special: dict[str, Any]) -> Iterator[Row]:
    columns = [encode(list(column), tokenizer) for column in zip(*texts, strict=True)]
    for pieces in zip(*columns, strict=True):
        second = pieces[1] if len(pieces) == 2 else None
        ids, types, mask = first_come(
            pieces[0],
            second,
            length,
            cls=special["cls_token_id"],
            sep=special["sep_token_id"],
            pad=special["pad_token_id"],
        )
        n_tokens = min(sum(mask), length)  # the callers of the published function cut its longer result, too
        yield ids[:n_tokens], types[:n_tokens]


def first_come(
    first: Sequence[int], second: Sequence[int] | None, length: int, *, cls: int, sep: int, pad: int
) -> tuple[list[int], list[int], list[int]]:
    """`[CLS] A [SEP] B [SEP]` as input ids, token types (0 for A, 1 for B) and mask, padded to `length` with `pad`.

    The published packing (README 1), on lists of token ids: text A is cut to length - 2 and B gets what is then left.
    Where A leaves no room for `[SEP]` after B the result is length + 1 long and ends in two `[SEP]`: callers cut it.
    """
    ids = [cls, *first[: length - 2], sep]
    types = [0] * len(ids)
    if second is not None:
        kept = second[: max(0, length - len(ids) - 1)]
        ids += [*kept, sep]
        types += [1] * (len(kept) + 1)
    missing = length - len(ids)
    return ids + [pad] * missing, types + [0] * missing, [1] * len(ids) + [0] * missing
