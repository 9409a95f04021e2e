"""Shared by the tests of the SQuAD readers: small files, toy tokenizers of three kinds, and artifacts made of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.experiment import Context
from tasks.squad.questions.plan import QuestionOptions, windows_job

TEXT = """the tower was built in by hugo brandt and is of stone who when where it a bell sold two lamps every week
naive cafe one many old new river runs north"""
WORDS = TEXT.split()
MARKS = list(".,?!()'\"-%$")
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="session")
def bert_dir(tmp_path_factory) -> Path:
    """A lower-casing WordPiece tokenizer of some words, all ASCII letters, digits and a few marks."""
    directory = tmp_path_factory.mktemp("tokenizers") / "toy-bert"
    directory.mkdir()
    pieces = [*SPECIALS, *MARKS, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (directory / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)) + "\n", encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def roberta_dir(tmp_path_factory) -> Path:
    """A byte-level BPE tokenizer with RoBERTa's special tokens: <s> A </s></s> B </s>, no token types."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    directory = tmp_path_factory.mktemp("tokenizers") / "toy-roberta"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(directory)
    return directory


def question(id_: str, text: str = "Who built it?", *answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    """A question as the file has it; no answers: impossible."""
    golds = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": id_, "question": text, "answers": golds, "is_impossible": not golds, **more}


def article(title: str, *paragraphs: tuple[Any, list[Any]]) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs]}


GOOD = [article("Towers", ("The tower was built by Hugo Brandt.", [question("q1", "Who?", ("Hugo Brandt", 23))]))]


@pytest.fixture
def write_squad(tmp_path) -> Callable[..., Path]:
    """`write_squad(train=articles, dev=articles)` writes both files (a good one where none is given) and says where."""

    def write(**splits: Any) -> Path:
        for split in ("train", "dev"):
            data = splits.get(split, GOOD)
            raw = data if isinstance(data, bytes) else json.dumps({"version": "v2.0", "data": data}).encode()
            (tmp_path / f"{split}-v2.0.json").write_bytes(raw)
        return tmp_path

    return write


@pytest.fixture
def cut(tmp_path_factory) -> Callable[..., Path]:
    """`cut(dataset, data_dir, tokenizer, max_length=…)` runs the squad_windows job and says where its artifact is."""

    def run(dataset: Any, data_dir: Path | None, tokenizer: Path | str, **settings: Any) -> Path:
        given = {"max_length": 48, "doc_stride": 12, "max_query_length": 8, "train_limit": None, "dev_limit": None}
        job = windows_job(
            QuestionOptions(dataset=dataset, data_dir=None if data_dir is None else str(data_dir), **given | settings),
            str(tokenizer),
        )
        directory = tmp_path_factory.mktemp("artifact")
        assert job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=directory)) == {}
        return directory

    return run
