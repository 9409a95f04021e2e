import json
import shutil
from types import SimpleNamespace

import pytest

from models import hub
from tasks.data import builtin_text, tokenizers
from tasks.data.errors import DataError
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, locate_tokenizer

BERT_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "end", "##s", "."]


@pytest.fixture
def bert_folder(tmp_path):
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(BERT_PIECES) + "\n")
    return folder


@pytest.fixture
def hub_says(monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.commit.cache_clear()

    def says(result):
        def info(self, repo, *, timeout):
            if isinstance(result, Exception):
                raise result
            return SimpleNamespace(sha=result)

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
        return tmp_path / "cache"

    yield says
    hub.commit.cache_clear()


def test_builtin():
    ref = locate_tokenizer("builtin")
    assert ref == TokenizerRef(name="builtin", revision=tokenizers.builtin_revision())
    tokenizer = load_tokenizer(ref)
    assert tokenizer is load_tokenizer(ref)
    assert len(tokenizer) == tokenizers.BUILTIN_SIZE
    assert tokenizer.convert_ids_to_tokens(list(range(5))) == list(tokenizers.BUILTIN_SPECIALS)
    roles = (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert (*roles, tokenizer.mask_token_id) == (0, 1, 2, 3, 4)
    pair = tokenizer("The STATEMENT.", "Zürich", return_token_type_ids=True)
    pieces = tokenizer.convert_ids_to_tokens(pair["input_ids"])
    assert pieces[:4] == ["[CLS]", "▁the", "▁statement", "▁."]
    at = pieces.index("[SEP]")
    assert pieces[-1] == "[SEP]"
    assert pair["token_type_ids"] == [0] * (at + 1) + [1] * (len(pieces) - at - 1)
    assert tokenizer("zurich").input_ids == tokenizer("ZÜRICH").input_ids
    assert tokenizer.unk_token_id in tokenizer("☃").input_ids


def test_builtin_knows_its_own_text():
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    sentences = [sentence for _, _, sentence in builtin_text.sentences()[:200]]
    encoded = tokenizer(sentences).input_ids
    assert not any(1 in ids for ids in encoded)
    n_words = sum(len(sentence.split()) for sentence in sentences)
    assert sum(map(len, encoded)) < 2.2 * n_words


def test_a_folder_with_only_a_vocabulary_opens_as_bert(bert_folder):
    ref = locate_tokenizer(str(bert_folder))
    assert (ref.name, ref.path) == ("bert", str(bert_folder))
    tokenizer = load_tokenizer(ref)
    encoded = tokenizer("The ENDS.", "the", return_token_type_ids=True)
    assert encoded["input_ids"] == [2, 5, 6, 7, 8, 3, 5, 3]
    assert encoded["token_type_ids"] == [0] * 6 + [1] * 2
    assert tokenizer.pad_token_id == 0


def test_a_cased_vocabulary_keeps_capitals(bert_folder):
    (bert_folder / "vocab.txt").write_text("\n".join([*BERT_PIECES, "The"]) + "\n")
    tokenizer = load_tokenizer(locate_tokenizer(str(bert_folder)))
    assert tokenizer("The the").input_ids == [2, 9, 5, 3]


def test_a_saved_fast_tokenizer_comes_back(tmp_path):
    builtin = load_tokenizer(locate_tokenizer("builtin"))
    builtin.save_pretrained(tmp_path / "saved")
    tokenizer = load_tokenizer(locate_tokenizer(str(tmp_path / "saved")))
    text = "Assert statements are a convenient way."
    assert tokenizer(text).input_ids == builtin(text).input_ids
    assert tokenizer.pad_token_id == 0


def test_revision_follows_content_and_not_place(bert_folder, tmp_path):
    first = locate_tokenizer(str(bert_folder))
    moved = tmp_path / "elsewhere" / "bert"
    shutil.copytree(bert_folder, moved)
    (moved / "model.safetensors").write_bytes(b"no part of a tokenizer")
    assert locate_tokenizer(str(moved)).revision == first.revision
    (moved / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    second = locate_tokenizer(str(moved))
    assert second.revision != first.revision
    (moved / "config.json").write_text(json.dumps({"model_type": "bert", "num_hidden_layers": 12}))
    third = locate_tokenizer(str(moved))
    assert third.revision != second.revision
    (moved / "config.json").write_text(json.dumps({"model_type": "bert", "num_hidden_layers": 24}))
    assert locate_tokenizer(str(moved)) == third
    (moved / "config.json").write_text("[]")
    with pytest.raises(DataError, match=r"config\.json: not a model's configuration"):
        locate_tokenizer(str(moved))


def test_a_checkpoint_directory_opens_as_its_models_tokenizer(bert_folder):
    (bert_folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    tokenizer = load_tokenizer(locate_tokenizer(str(bert_folder)))
    assert tokenizer("The ENDS.").input_ids == [2, 5, 6, 7, 8, 3]


def test_another_tokenizer_than_planned_is_refused(bert_folder):
    ref = locate_tokenizer(str(bert_folder))
    (bert_folder / "vocab.txt").write_text("\n".join([*BERT_PIECES, "more"]) + "\n")
    here = locate_tokenizer(str(bert_folder)).revision
    with pytest.raises(DataError, match=f"was {ref.revision} when the sweep was planned and is {here} here"):
        load_tokenizer(ref)
    with pytest.raises(DataError, match=r"tokenizer \(builtin\) was 0123 when the sweep was planned"):
        load_tokenizer(TokenizerRef(name="builtin", revision="0123"))


def test_directories_without_a_tokenizer(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"no tokenizer, found config\.json; expected .*vocab\.txt"):
        locate_tokenizer(str(tmp_path))
    with pytest.raises(DataError, match="nowhere: no such directory; give --tokenizer"):
        locate_tokenizer(str(tmp_path / "nowhere"))


def test_a_broken_file_and_a_missing_padding_token(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match=r"cannot be opened .*give --tokenizer DIR"):
        load_tokenizer(locate_tokenizer(str(tmp_path)))
    (tmp_path / "tokenizer.json").write_text(tokenizers.builtin_json())
    with pytest.raises(DataError, match=r"names no padding token; add pad_token to its tokenizer_config\.json"):
        load_tokenizer(locate_tokenizer(str(tmp_path)))


def test_hub_names(hub_says):
    hub_says("c" * 40)
    assert locate_tokenizer("albert/albert-large-v2") == TokenizerRef(
        name="albert/albert-large-v2", revision="c" * 40, path=None
    )


def test_hub_without_network(hub_says):
    cache = hub_says(OSError("Name or service not known"))
    with pytest.raises(DataError) as caught:
        locate_tokenizer("albert/albert-large-v2")
    text = str(caught.value)
    assert "hub tokenizer albert/albert-large-v2 is missing (Name or service not known (OSError)" in text
    assert "give --tokenizer DIR" in text
    assert "\n" not in text
    (cache / "models--albert--albert-large-v2" / "snapshots" / ("d" * 40)).mkdir(parents=True)
    assert locate_tokenizer("albert/albert-large-v2").revision == "d" * 40


@pytest.mark.real_data
def test_real_tokenizers(real_data):
    albert = load_tokenizer(locate_tokenizer(str(real_data / "tokenizers" / "albert")))
    assert (len(albert), albert.pad_token_id) == (30_000, 0)
    pair = albert("Hello world!", "two.", return_token_type_ids=True)
    assert albert.convert_ids_to_tokens(pair["input_ids"]) == (
        ["[CLS]", "▁hello", "▁world", "!", "[SEP]", "▁two", ".", "[SEP]"]
    )
    assert pair["token_type_ids"] == [0] * 5 + [1] * 3
    bert = load_tokenizer(locate_tokenizer(str(real_data / "tokenizers" / "bert-uncased")))
    assert len(bert) == 30_522
    assert bert("Hello World").input_ids == [101, 7592, 2088, 102]
