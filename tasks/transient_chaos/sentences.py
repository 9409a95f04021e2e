"""The `sentences` stage: a random sample of a corpus, tokenised and padded to one length, for the dynamics experiments.

On disk: `sentences.safetensors` with input_ids (int32), token_type_ids and attention_mask (int8), each [N, T];
`texts.json`, a list of N lists of one or two texts; `meta.json`, how they were made. Imports no torch before a
tensor is asked for, since plans import it.

Letters: N sentences (or pairs of them), T tokens of each.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.experiment import Context, Job, Stage
from tasks.data.artifacts import encode, read_meta, write_meta
from tasks.data.corpus import TEST_RATIO, Part, corpus_here, locate_corpus
from tasks.data.plan import MIN_LENGTH
from tasks.data.special import special_ids
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, locate_tokenizer
from tasks.transient_chaos import packing
from tasks.transient_chaos.sampling import TextKind, Texts, sample

if TYPE_CHECKING:
    import torch

CHUNK = 1024  # texts that the tokenizer gets at once


@dataclass(frozen=True, kw_only=True)
class SentencesParams:
    """Everything that shapes the sample, beside the fingerprint of the corpus."""

    corpus: str
    """Its name; the own name of a file or directory."""
    tokenizer: str
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    text: TextKind = "pairs"
    """`pairs`: the first two sentences of a passage of over 4 T characters, together at most 8 T characters.
    `single`: the beginning of a passage of over 4 T characters."""
    length: int = 32
    """T, special tokens included: longer texts are cut (of a pair the longer text first), shorter ones are padded."""
    count: int
    """N. Of one seed a smaller sample is the beginning of a larger one."""
    part: Part = "test"
    seed: int = 0
    test_ratio: float | None = None
    """Share of the passages that is `test`; None for a corpus that has parts of its own."""
    legacy_packing: bool = False
    """Cut pairs as the published code does: first come, first served, so that B may be empty (see `packing`)."""

    def __post_init__(self):
        if self.text not in ("pairs", "single"):
            raise ValueError(f"text is {self.text!r}; choose pairs or single")
        if self.part not in ("train", "test"):
            raise ValueError(f"part is {self.part!r}; choose train or test")
        if self.length < MIN_LENGTH:
            raise ValueError(f"length is {self.length}; expected at least {MIN_LENGTH}")
        if self.count < 1:
            raise ValueError(f"count is {self.count}; expected at least 1")
        if self.test_ratio is not None and not 0.0 < self.test_ratio < 1.0:
            raise ValueError(f"test_ratio is {self.test_ratio}; expected a share between 0 and 1")


SENTENCES = Stage(
    name="sentences", function="tasks.transient_chaos.sentences:sentences", params=SentencesParams, artifact=True
)


def sentences_job(
    corpus: str,
    tokenizer: str,
    *,
    text: TextKind,
    length: int,
    count: int,
    part: Part = "test",
    seed: int = 0,
    test_ratio: float = TEST_RATIO,
    legacy_packing: bool = False,
) -> Job:
    """The job that samples and tokenises sentences. Where corpus and tokenizer lie is no part of its identity.

    Raises:
        ValueError: for a bad choice or number.
        DataError: when corpus or tokenizer are missing.
    """
    place, ref = locate_corpus(corpus), locate_tokenizer(tokenizer)
    params = SentencesParams(
        corpus=place.name,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        text=text,
        length=length,
        count=count,
        part=part,
        seed=seed,
        test_ratio=None if place.has_parts else test_ratio,
        legacy_packing=legacy_packing,
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
        ids, types, mask = packing.first_come(
            pieces[0],
            second,
            length,
            cls=special["cls_token_id"],
            sep=special["sep_token_id"],
            pad=special["pad_token_id"],
        )
        n_tokens = min(sum(mask), length)  # the callers of the published function cut its longer result, too
        yield ids[:n_tokens], types[:n_tokens]
