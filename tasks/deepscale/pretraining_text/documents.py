"""The stage `documents`: a corpus as token ids, sentence by sentence and document by document; and its reader.

On disk, all as `columns` writes it: `<part>/tokens.arrow` (all tokens end to end), `<part>/sentences.arrow` (where each
sentence begins among the tokens, and the end), `<part>/documents.arrow` (where each document begins among the
sentences, and the end), `continues.arrow` (for each id whether it goes on with a word), `counts.arrow` (how often the
training part has each id), and `meta.json`. Text is read once and in a stream, so that its size does not matter; at
the end the tokens stand on the disk twice for a moment.

Letters: D documents, N sentences, S tokens, V vocabulary.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from orchestrator.experiment import Context
from tasks.data.artifacts import read_meta, write_meta
from tasks.data.corpus import Part, corpus_here
from tasks.data.errors import DataError
from tasks.data.splitting import sentences
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, special_ids
from tasks.deepscale.pretraining_text.columns import Column, column_writer, read_column, write_column
from tasks.deepscale.pretraining_text.plan import DocumentsParams
from tasks.deepscale.pretraining_text.texts import Document, documents_of

CHUNK = 4096  # sentences that the tokenizer gets at once
PARTS: tuple[Part, ...] = get_args(Part)

Tokens = list[list[int]]
"""The sentences of a document as token ids."""


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of one part, mapped from their files."""

    tokens: np.ndarray
    """uint16 or int32 [S]."""
    sentences: np.ndarray
    """int64 [N+1]: sentence i is tokens[sentences[i]:sentences[i+1]]; none is empty."""
    documents: np.ndarray
    """int64 [D+1]: document i has the sentences documents[i] to documents[i+1] - 1, at least two."""
    continues: np.ndarray
    """bool [V]: whether a token goes on with the word of the one before it."""
    counts: np.ndarray
    """int64 [V]: how often each token stands in the training part."""
    meta: dict[str, Any]
    """meta.json: corpus, fingerprint, tokenizer, vocab_size (V), `{pad,cls,sep,mask,unk}_token_id`, special_ids, sizes
    and left_out (of each part), same_token (the probability that two tokens drawn from the training part are equal:
    the sum of the squared frequencies)."""

    def __len__(self) -> int:
        return len(self.documents) - 1


def documents(params: DocumentsParams, context: Context) -> dict[str, Any]:
    """Write the documents of both parts into `context.artifact`; returns no rows.

    Raises:
        DataError: when corpus or tokenizer are missing or not the planned ones, when the tokenizer lacks a special
            token, and when a part has no document that can be used.
    """
    if context.artifact is None:
        raise ValueError("the documents stage writes an artifact: give context.artifact, an empty directory")
    corpus = corpus_here(params.corpus, context.paths)
    ref = TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    tokenizer = load_tokenizer(ref)
    special = special_ids(tokenizer, ref, ("pad", "cls", "sep", "mask"))
    kind = np.dtype(np.uint16 if len(tokenizer) <= 1 << 16 else np.int32)
    counts = np.zeros(len(tokenizer), np.int64)
    with contextlib.ExitStack() as stack:
        parts = {part: stack.enter_context(part_writer(context.artifact / part, kind)) for part in PARTS}
        texts = documents_of(corpus, test_ratio=params.test_ratio, seed=params.seed)
        for part, document in tokenised(texts, tokenizer):
            kept = parts[part].take(document, params.longest_sentence)
            if kept and part == "train":
                counts += np.bincount(np.concatenate(document), minlength=len(counts))
                if parts[part].documents.size - 1 == params.document_limit:
                    break
    sizes = {part: parts[part].sizes() for part in PARTS}
    left_out = {part: parts[part].left_out for part in PARTS}
    for part in PARTS:
        if not sizes[part]["documents"]:
            raise DataError(
                f"corpus {corpus.path or corpus.name}: its part {part} has no document of two sentences or more (left "
                f"out: {left_out[part]}); give a larger corpus, another share for testing, or a higher limit"
            )
    write_column(context.artifact / "continues.arrow", continuing(tokenizer))
    write_column(context.artifact / "counts.arrow", counts)
    meta = {
        "stage": "documents",
        "corpus": params.corpus,
        "fingerprint": corpus.fingerprint,
        "tokenizer": params.tokenizer,
        "vocab_size": len(tokenizer),
        **special,
        "sizes": sizes,
        "left_out": left_out,
        "same_token": float(((counts / counts.sum()) ** 2).sum()),
    }
    write_meta(context.artifact, meta)
    return {}


def open_documents(directory: Path, part: Part) -> Documents:
    """One part of an artifact.

    Raises:
        DataError: when it is not there, or its files are damaged.
    """
    meta = read_meta(directory, "documents")
    if part not in meta["sizes"]:
        raise DataError(f"{directory}: no part {part!r}, it has {', '.join(meta['sizes'])}")
    place = Path(directory)
    return Documents(
        tokens=read_column(place / part / "tokens.arrow", np.uint16, np.int32),
        sentences=read_column(place / part / "sentences.arrow", np.int64),
        documents=read_column(place / part / "documents.arrow", np.int64),
        continues=read_column(place / "continues.arrow", np.bool_),
        counts=read_column(place / "counts.arrow", np.int64),
        meta=meta,
    )


def tokenised(texts: Iterable[tuple[Part, Document]], tokenizer: Any) -> Iterator[tuple[Part, Tokens]]:
    """Documents as token ids; sentences without tokens are dropped. Some thousand sentences are in memory at once."""
    waiting: list[tuple[Part, list[str]]] = []
    n_waiting = 0
    for part, passages in texts:
        waiting.append((part, list(itertools.chain.from_iterable(map(sentences, passages)))))
        n_waiting += len(waiting[-1][1])
        if n_waiting >= CHUNK:
            yield from _encoded(waiting, tokenizer)
            waiting, n_waiting = [], 0
    yield from _encoded(waiting, tokenizer)


def continuing(tokenizer: Any) -> np.ndarray:
    """For each id whether its piece goes on with a word, bool [V]: by WordPiece's `##`, else by the marks that other
    tokenizers put where a word begins (`▁`, `Ġ`), else none does."""
    vocabulary = tokenizer.get_vocab()
    found = np.zeros(len(tokenizer), bool)
    if any(piece.startswith("##") for piece in vocabulary):
        inner = [i for piece, i in vocabulary.items() if piece.startswith("##") and piece != "##"]
    else:
        marks = tuple(mark for mark in ("▁", "Ġ") if any(piece.startswith(mark) for piece in vocabulary))
        inner = [i for piece, i in vocabulary.items() if marks and not piece.startswith(marks)]
    found[inner] = True
    found[tokenizer.all_special_ids] = False
    return found


@dataclass
class PartWriter:
    """The files of one part while they are written, and the count of what is left out."""

    tokens: Column
    sentences: Column
    documents: Column
    left_out: dict[str, int]

    def take(self, document: Tokens, longest_sentence: int) -> bool:
        """Append a document, if it can be used; returns whether."""
        lengths = [len(sentence) for sentence in document]
        if len(lengths) < 2:
            self.left_out["under_two_sentences"] += 1
            return False
        if max(lengths) > longest_sentence:
            self.left_out["long_sentence"] += 1
            return False
        self.sentences.append(self.tokens.size + np.cumsum(lengths))
        self.tokens.append(np.concatenate(document))
        self.documents.append(np.array([self.sentences.size - 1]))
        return True

    def sizes(self) -> dict[str, int]:
        return {"documents": self.documents.size - 1, "sentences": self.sentences.size - 1, "tokens": self.tokens.size}


@contextlib.contextmanager
def part_writer(directory: Path, kind: np.dtype) -> Iterator[PartWriter]:
    """Write one part; `kind` is that of its tokens."""
    directory.mkdir()
    with contextlib.ExitStack() as stack:
        opened = {
            name: stack.enter_context(column_writer(directory / f"{name}.arrow", np.dtype(of)))
            for name, of in (("tokens", kind), ("sentences", np.int64), ("documents", np.int64))
        }
        for name in ("sentences", "documents"):
            opened[name].append(np.zeros(1))
        yield PartWriter(**opened, left_out={"under_two_sentences": 0, "long_sentence": 0})


def _encoded(texts: list[tuple[Part, list[str]]], tokenizer: Any) -> Iterator[tuple[Part, Tokens]]:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    flat = [sentence for _, document in texts for sentence in document]
    # The ids of the library's `tokenizer(flat)`, without the places in the text, which take a third of the time.
    encodings = iter(backend.encode_batch_fast(flat, add_special_tokens=False))
    for part, document in texts:
        yield part, [found.ids for found in itertools.islice(encodings, len(document)) if found.ids]
