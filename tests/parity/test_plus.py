"""PLUS-TFM, the readers of protein files and the framing against numbers of the published code."""

import numpy as np
import pytest
import torch

from models.plus import load_plus, plus_attention_maps, plus_levels
from tasks.transfer.proteins.parsing import Kept, parse
from tasks.transfer.proteins.records import fasta_records
from tasks.transfer.proteins.tokens import (
    CLS,
    ENCODING,
    PAD,
    RESERVED,
    RESIDUES,
    SEP,
    UNKNOWN,
    WORDS,
    encode,
    frame_batch,
)
from tests.parity.tiny_albert import HERE

ARRAYS = np.load(HERE / "protein_plus_cut.npz")
WEIGHTS = "plus_tfm/weights/"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The tiny model's weights in the published form: a pickle of tensors, with the prefix of several GPUs."""
    path = tmp_path_factory.mktemp("plus") / "PLUS-TFM.pt"
    names = [name for name in ARRAYS.files if name.startswith(WEIGHTS)]
    torch.save({f"module.{name.removeprefix(WEIGHTS)}": torch.tensor(ARRAYS[name]) for name in names}, path)
    return path


@pytest.mark.parametrize(
    ("dtype", "name", "tolerance"),
    [(torch.float32, "orig_hidden", 5e-6), (torch.float64, "ref_hidden_f64", 1e-12)],
)
def test_states_attention_and_logits(published, dtype, name, tolerance):
    model = load_plus(published, dtype, pickled=True, heads=int(ARRAYS["plus_tfm/num_heads"]))
    tokens, segments, mask = (torch.tensor(ARRAYS[f"plus_tfm/{k}"]) for k in ("tokens", "segments", "mask"))
    with torch.no_grad():
        levels = plus_levels(model, tokens, segments, mask)
        maps = plus_attention_maps(model, tokens, None, mask)
        logits = model.class_logits(levels[-1])
    assert len(levels) == 4
    assert len(maps) == 3
    assert np.abs(levels[-1].numpy() - ARRAYS[f"plus_tfm/{name}"]).max() < tolerance
    assert np.abs(levels[-1][mask].numpy() - ARRAYS["plus_tfm/valid_hidden_concat"]).max() < 5e-6
    assert np.abs(torch.stack(maps)[:, :1].numpy() - ARRAYS["plus_tfm/orig_attn"]).max() < 1e-6
    assert np.abs(logits.numpy() - ARRAYS["plus_tfm/orig_cls_logits"]).max() < 5e-6


def test_every_byte_is_the_same_word():
    assert np.array_equal(ENCODING, ARRAYS["alphabet/encoding_table"])
    assert int(ARRAYS["alphabet/len"]) == UNKNOWN + 1
    assert encode(RESIDUES.lower()).tolist() == list(range(1, 22))


@pytest.mark.parametrize(
    "task",
    ["localization", "fluorescence", "stability", "solubility", "secstr", "transmembrane", "homology"],
)
def test_files_are_read_alike(task, tmp_path):
    path = tmp_path / ("made.3line" if task == "transmembrane" else "made.fa")
    path.write_bytes(ARRAYS[f"loader/{task}/file_bytes"].tobytes())
    found = parse(path, task, Kept(legacy_unknown=True, max_length=1000 if task == "localization" else None))
    assert [len(ids) for ids in found.sequences] == ARRAYS[f"loader/{task}/lengths"].tolist()
    assert np.array_equal(np.concatenate(found.sequences), ARRAYS[f"loader/{task}/tokens_concat"])
    assert found.counts["unknown"] == (2 if task == "localization" else 0)
    if task == "homology":
        labels = np.array(found.labels)
        alike = np.cumprod(labels[:, None] == labels[None], axis=2)  # in the first 1, 2, 3, 4 of the SCOP numbers
        assert np.array_equal(alike, ARRAYS["loader/homology/similarity_levels"])
    elif task in ("secstr", "transmembrane"):
        assert np.array_equal(np.concatenate(found.labels), ARRAYS[f"loader/{task}/labels_concat"])
    else:
        assert np.array_equal(np.asarray(found.labels, dtype=np.float64), ARRAYS[f"loader/{task}/labels"].ravel())


def test_sequences_without_labels_are_read_alike(tmp_path):
    path = tmp_path / "made.fa"
    path.write_bytes(ARRAYS["loader/fasta/file_bytes"].tobytes())
    found = [encode(record.sequence) for record in fasta_records(path)]
    assert [len(ids) for ids in found] == ARRAYS["loader/fasta/lengths"].tolist()
    assert np.array_equal(np.concatenate(found), ARRAYS["loader/fasta/tokens_concat"])


@pytest.mark.parametrize("length", [8, 16])
@pytest.mark.parametrize(("name", "specials"), [("plus_single", (PAD, CLS, SEP)), ("bert_single", (0, 101, 102))])
def test_framings(name, specials, length):
    framed = frame_batch([ARRAYS["preprocess/input_single"]], length)
    ids = np.arange(WORDS)
    ids[[PAD, CLS, SEP]] = specials
    stem, n = f"preprocess/{name}_maxlen{length}", framed.tokens.shape[1]
    for ours, theirs in ((ids[framed.tokens[0]], "tokens"), (framed.mask[0], "mask")):
        published = ARRAYS[f"{stem}/{theirs}"]
        assert np.array_equal(ours, published[:n])
        assert not published[n:].any()


def test_the_shipped_tables_send_low_ids_to_ordinary_words():
    """The form that `token_table` has too; which words they are cannot be made again."""
    shipped = ARRAYS["shift_table_excerpt/bert_base_uncased_seed100"]
    assert shipped[0] == 11281
    assert shipped.min() >= RESERVED
    assert len(set(shipped.tolist())) == len(ARRAYS["shift_table_excerpt/src_ids"])
