"""The `blocks` stage: the parts of a corpus as one stream of tokens each, cut into sequences of one length.

On disk: `train.npy` and `test.npy`, int32 [N, T], and `meta.json`. Each row is `[CLS]`, T - 2 consecutive tokens of the
stream, `[SEP]`; the tail of the stream that fills no row is dropped. Nothing is padded and all token types are 0.
After the published code of Inoue et al., Transient Chaos in BERT (2022).

Letters: N blocks, T tokens of each, S = T - 2 of them from the text.
"""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, get_args

import numpy as np
from annotated_types import Ge, Gt, Lt

from orchestrator.experiment import Context, Job, Stage
from orchestrator.limits import Limited, Positive
from tasks.data.artifacts import encode, read_meta, write_meta
from tasks.data.corpus import TEST_RATIO, Corpus, Part, corpus_here, locate_corpus, passages
from tasks.data.errors import DataError
from tasks.data.places import places
from tasks.data.plan import MIN_LENGTH
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, locate_tokenizer, special_ids
from tasks.training.seeds import numpy_stream

CHUNK = 512  # passages that the tokenizer gets at once


@dataclass(frozen=True, kw_only=True)
class BlocksParams(Limited):
    """Everything that shapes the blocks, beside the fingerprint of the corpus."""

    corpus: str
    """Name of the corpus; the own name of a file or directory."""
    tokenizer: str
    tokenizer_revision: str
    """Hash of the tokenizer's content, or the hub's commit."""
    length: Annotated[int, Ge(MIN_LENGTH)] = 128
    """Block length T in tokens, special tokens included."""
    train_limit: Positive | None = None
    """Maximum number of training blocks, a fixed random choice: a smaller limit's are among a larger one's."""
    test_limit: Positive | None = None
    """Maximum number of test blocks, likewise."""
    test_ratio: Annotated[float, Gt(0), Lt(1)] | None = None
    """Share of the passages that are held out for testing; None for a corpus that has parts of its own."""
    seed: int = 0
    """Random seed of the choice under a limit and of the order of the hub's articles."""

    def limit(self, part: Part) -> int | None:
        return self.train_limit if part == "train" else self.test_limit


BLOCKS = Stage(name="blocks", function="tasks.data.blocks:blocks", params=BlocksParams, artifact=True)


def blocks_job(
    corpus: str,
    tokenizer: str,
    *,
    length: int,
    train_limit: int | None = None,
    test_limit: int | None = None,
    test_ratio: float = TEST_RATIO,
    seed: int = 0,
) -> Job:
    """The job that cuts a corpus into blocks. Where corpus and tokenizer lie is no part of its identity.

    Raises:
        ValueError: for a bad number.
        DataError: when corpus or tokenizer are missing.
    """
    place, ref = locate_corpus(corpus), locate_tokenizer(tokenizer)
    params = BlocksParams(
        corpus=place.name,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        length=length,
        train_limit=train_limit,
        test_limit=test_limit,
        test_ratio=None if place.has_parts else test_ratio,
        seed=seed,
    )
    fingerprints = {place.name: place.fingerprint}
    return Job(stage=BLOCKS, params=params, fingerprints=fingerprints, paths=places(place, ref))


def blocks(params: BlocksParams, context: Context) -> dict[str, Any]:
    """Write the blocks of both parts into `context.artifact`; returns no rows.

    Raises:
        DataError: when corpus or tokenizer are missing or not the planned ones, when the tokenizer has no [CLS], [SEP]
            or mask token, and when a part is too short for one block.
    """
    if context.artifact is None:
        raise ValueError("the blocks stage writes an artifact: give context.artifact, an empty directory")
    corpus = corpus_here(params.corpus, context.paths)
    ref = TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    tokenizer = load_tokenizer(ref)
    special = special_ids(tokenizer, ref, ("pad", "cls", "sep", "mask"))
    sizes = {}
    for part in get_args(Part):
        stream = token_stream(passages(corpus, part, test_ratio=params.test_ratio, seed=params.seed), tokenizer)
        cut = blocks_of(stream, params.length, special["cls_token_id"], special["sep_token_id"])
        chosen = _chosen(cut, params.limit(part), corpus, params.seed, part)
        sizes[part] = write_blocks(context.artifact / f"{part}.npy", chosen, params.length)
        if not sizes[part]:
            raise DataError(
                f"corpus {corpus.path or corpus.name}: its part {part} has fewer than {params.length - 2} tokens, too "
                f"few for one block of {params.length}; ask for shorter blocks, or give a larger corpus"
            )
    meta = {
        "stage": "blocks",
        "corpus": params.corpus,
        "fingerprint": corpus.fingerprint,
        "length": params.length,
        "vocab_size": len(tokenizer),
        **special,
        "sizes": sizes,
    }
    write_meta(context.artifact, meta)
    return {}


def token_stream(texts: Iterable[str], tokenizer: Any) -> Iterator[np.ndarray]:
    """The tokens of the texts end to end, without special tokens, in int32 pieces of a few hundred texts."""
    texts = iter(texts)
    while chunk := list(itertools.islice(texts, CHUNK)):
        yield np.fromiter(itertools.chain.from_iterable(encode(chunk, tokenizer)), dtype=np.int32)


def blocks_of(stream: Iterable[np.ndarray], length: int, cls: int, sep: int) -> Iterator[np.ndarray]:
    """The blocks of a stream as int32 arrays [n, T], in order; what fills no block at its end is dropped."""
    n_inner = length - 2
    rest = np.empty(0, np.int32)
    for piece in stream:
        tokens = np.concatenate([rest, piece])
        n_blocks = len(tokens) // n_inner
        rest = tokens[n_blocks * n_inner :]
        if n_blocks:
            ids_NT = np.empty((n_blocks, length), np.int32)
            ids_NT[:, 0], ids_NT[:, -1] = cls, sep
            ids_NT[:, 1:-1] = tokens[: n_blocks * n_inner].reshape(n_blocks, n_inner)
            yield ids_NT


def draw_blocks(cut: Iterable[np.ndarray], limit: int, raw: np.random.BitGenerator) -> Iterator[np.ndarray]:
    """At most `limit` of the blocks, each with the same chance, in their own order; only these are kept in memory.

    A smaller limit's are among a larger one's: each block draws a number, and the smallest ones win.
    """
    kept: list[tuple[int, int, np.ndarray]] = []  # a heap with the largest number first: (-number, -index, block [T])
    index = 0
    for ids_NT in cut:
        for block, number in zip(ids_NT, raw.random_raw(len(ids_NT)).tolist(), strict=True):
            entry = (-number, -index, block.copy())
            if len(kept) < limit:
                heapq.heappush(kept, entry)
            elif entry[:2] > kept[0][:2]:
                heapq.heapreplace(kept, entry)
            index += 1
    yield from (block[None] for _, _, block in sorted(kept, key=lambda entry: -entry[1]))


def write_blocks(path: Path, cut: Iterable[np.ndarray], length: int) -> int:
    """Write blocks one after another into an npy file, and return how many there were."""
    n_blocks = 0
    with open(path, "wb") as file:
        _write_header(file, 0, length)
        for ids_NT in cut:
            file.write(np.ascontiguousarray(ids_NT, dtype="<i4").tobytes())
            n_blocks += len(ids_NT)
        file.seek(0)
        _write_header(file, n_blocks, length)  # as long as before: the format leaves room for a growing first axis
    return n_blocks


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of one part."""

    input_ids: np.ndarray
    """int32 [N, T], mapped from the file: read-only, and in memory only where it is touched."""
    meta: dict[str, Any]
    """meta.json: corpus, fingerprint, length, vocab_size, `{pad,cls,sep,mask,unk}_token_id` (unk: None where the
    tokenizer has none), special_ids, and sizes (blocks of each part)."""

    def __len__(self) -> int:
        return len(self.input_ids)


def open_blocks(directory: Path, part: Part) -> Blocks:
    """One part of an artifact.

    Raises:
        DataError: when it is not there.
    """
    meta = read_meta(directory, "blocks")
    if part not in meta["sizes"]:
        raise DataError(f"{directory}: no part {part!r}, it has {', '.join(meta['sizes'])}")
    return Blocks(input_ids=np.load(Path(directory) / f"{part}.npy", mmap_mode="r"), meta=meta)


def _chosen(
    cut: Iterator[np.ndarray], limit: int | None, corpus: Corpus, seed: int, part: Part
) -> Iterator[np.ndarray]:
    if limit is None:
        return cut
    if corpus.kind == "hub":  # its articles come shuffled, and it has no end that one would want to wait for
        return itertools.islice((block[None] for ids_NT in cut for block in ids_NT), limit)
    return draw_blocks(cut, limit, numpy_stream(seed, "blocks", part).bit_generator)


def _write_header(file: IO[bytes], n_blocks: int, length: int) -> None:
    header = {"descr": "<i4", "fortran_order": False, "shape": (n_blocks, length)}
    np.lib.format.write_array_header_1_0(file, header)
