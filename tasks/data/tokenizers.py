"""Tokenizers by name: `builtin`, a local directory, or a hub repository, each with a revision that tells its content.

Locating is for the plan and imports no transformers; loading is for a job, and first checks that the tokenizer on this
machine is the planned one.
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import hub
from tasks.data import builtin_text
from tasks.data.errors import DataError
from tasks.data.places import check_fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


BUILTIN = "builtin"
BUILTIN_SIZE = 2_000
BUILTIN_SPECIALS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4, as in ALBERT's vocabulary
BUILTIN_ROLES = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "merges.txt",
)
VOCABULARIES = ("tokenizer.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "vocab.json")


@dataclass(frozen=True, kw_only=True)
class TokenizerRef:
    """A tokenizer by name and content."""

    name: str
    """`builtin`, a directory's own name, or a hub repository."""
    revision: str
    """Hash of the content, or the hub's commit. Part of a job's identity."""
    path: str | None = None
    """The absolute directory of a local one; no part of the identity."""

    def __str__(self) -> str:
        return self.path or self.name


def locate_tokenizer(name: str) -> TokenizerRef:
    """Find a tokenizer and its revision: `builtin`, else a directory of that name, else a hub repository.

    Raises:
        DataError: when there is none, with what to give instead.
    """
    if name == BUILTIN:
        return TokenizerRef(name=name, revision=builtin_revision())
    directory = Path(name).expanduser()
    if directory.is_dir():
        directory = directory.absolute()
        return TokenizerRef(name=directory.name, revision=content_hash(directory), path=str(directory))
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise DataError(
            f"{directory}: no such directory; give --tokenizer a directory with one of {_list(VOCABULARIES)}"
        )
    try:
        revision = hub.commit(name, "model")
    except hub.HubUnavailable as problem:
        raise DataError(
            f"the hub tokenizer {name} is missing ({problem}); give --tokenizer DIR, a directory with one of "
            f"{_list(VOCABULARIES)}, or --tokenizer {BUILTIN}"
        ) from problem
    return TokenizerRef(name=name, revision=revision)


@functools.cache
def builtin_json() -> str:
    """The builtin tokenizer as JSON text: BPE on lower-cased words and marks without accents, `[CLS] A [SEP] B [SEP]`.

    It is trained on the builtin sentences in a fraction of a second, in every process that wants it.

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
        vocab_size=BUILTIN_SIZE, special_tokens=list(BUILTIN_SPECIALS), min_frequency=2, show_progress=False
    )
    tokenizer.train_from_iterator((sentence for _, _, sentence in builtin_text.sentences()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(name, BUILTIN_SPECIALS.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer.to_str()


@functools.cache
def builtin_revision() -> str:
    """First 16 hex digits of SHA-256 over the trained tokenizer, in which text, rules and library all show."""
    return hashlib.sha256(builtin_json().encode()).hexdigest()[:16]


def content_hash(directory: Path) -> str:
    """First 16 hex digits of SHA-256 over the names and bytes of the tokenizer files in a directory.

    Raises:
        DataError: when there is no vocabulary among them.
    """
    if not any((directory / name).is_file() for name in VOCABULARIES):
        found = _list(sorted(p.name for p in directory.iterdir())) if directory.is_dir() else "no directory"
        raise DataError(f"{directory}: no tokenizer, found {found}; expected one of {_list(VOCABULARIES)}")
    digest = hashlib.sha256(_class_named_by_config(directory))
    for name in TOKENIZER_FILES:
        if (directory / name).is_file():
            content = (directory / name).read_bytes()
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def _class_named_by_config(directory: Path) -> bytes:
    """The part of a model's config.json that decides the tokenizer's class; the rest does not touch the tokens."""
    path = directory / "config.json"
    if not path.is_file():
        return b""
    try:
        config = json.loads(path.read_bytes())
        return json.dumps([config.get("model_type"), config.get("tokenizer_class")]).encode()
    except (ValueError, AttributeError) as problem:
        raise DataError(f"{path}: not a model's configuration ({problem}); mend or remove it") from problem


@functools.cache
def load_tokenizer(ref: TokenizerRef) -> "PreTrainedTokenizerFast":
    """Open a tokenizer, once a process.

    Raises:
        DataError: when it is not there, is not the planned one, has no fast form or no padding token.
    """
    if ref.name == BUILTIN and ref.path is None:
        check_fingerprint("tokenizer", ref.name, builtin_revision(), ref.revision)
        tokenizer = _builtin()
    else:
        if ref.path is not None:
            check_fingerprint("tokenizer", ref.path, content_hash(Path(ref.path)), ref.revision)
        try:
            tokenizer = _opened(ref)
        except Exception as problem:  # the library's loaders raise a dozen kinds; each means that it cannot be opened
            if "trust_remote_code" in str(problem):
                raise DataError(
                    f"tokenizer {ref} ({ref.revision[:12]}) wants to run Python code of its own "
                    "(auto_map in its tokenizer_config.json or config.json), which is never done here; "
                    "give --tokenizer DIR with a tokenizer.json and without auto_map"
                ) from problem
            reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
            raise DataError(
                f"tokenizer {ref} ({ref.revision[:12]}) cannot be opened ({reason}); "
                "give --tokenizer DIR with tokenizer.json or vocab.txt"
            ) from problem
    if not getattr(tokenizer, "is_fast", False):
        raise DataError(f"tokenizer {ref} has no fast form; give a directory with its tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise DataError(f"tokenizer {ref} names no padding token; add pad_token to its tokenizer_config.json")
    return tokenizer


def _builtin() -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(builtin_json()), **BUILTIN_ROLES)


def _opened(ref: TokenizerRef) -> Any:
    """Open it as the library does for a hub name; only a directory that no configuration explains goes by its form."""
    from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

    # Without trust_remote_code=False the library asks on the terminal whether to run a tokenizer's own code.
    if ref.path is None:
        return AutoTokenizer.from_pretrained(ref.name, revision=ref.revision, trust_remote_code=False)
    directory = Path(ref.path)
    explained = any((directory / name).is_file() for name in ("tokenizer_config.json", "config.json"))
    if not explained and (directory / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(directory, local_files_only=True)
    if not explained and (directory / "vocab.txt").is_file():
        pieces = (directory / "vocab.txt").read_text(encoding="utf-8").split("\n")
        cased = any(piece != piece.lower() and not piece.startswith("[") for piece in pieces)
        return BertTokenizer.from_pretrained(directory, do_lower_case=not cased, local_files_only=True)
    return AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) or "nothing"


ROLES = ("pad", "cls", "sep", "mask", "unk")


def special_ids(tokenizer: Any, ref: TokenizerRef, needed: tuple[str, ...]) -> dict[str, Any]:
    """`pad_token_id`, `cls_token_id`, … of all five roles (None where there is none) and `special_ids`, all of them.

    Raises:
        DataError: when one of the needed roles is missing.
    """
    ids = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ROLES}
    missing = [role for role in needed if ids[f"{role}_token_id"] is None]
    if missing:
        names = " and no ".join(f"{role}_token" for role in missing)
        raise DataError(
            f"tokenizer {ref} has no {names}; add it to its tokenizer_config.json, or give --tokenizer another one"
        )
    return {**ids, "special_ids": sorted(tokenizer.all_special_ids)}
