"""The stage `pretrain_plus`: masked-language-model pretraining of a small PLUS-TFM, half a minute on two cores.

Of each protein 15 % of the amino acids are masked: 80 % of them become the mask word, 10 % an amino acid drawn anew,
10 % stay. The loss is the mean cross entropy at masked places; float32, fused AdamW, no dropout. The published model
was also trained to tell pairs of one family, which needs families; that part is left out.

Dimensions: B proteins of a batch, T tokens, P masked places, N proteins, V words.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.plus import Plus, PlusConfig, plus_levels, random_plus, save_plus
from orchestrator.experiment import Context
from tasks.data.errors import DataError
from tasks.data.masking import MASKED_P, NOT_PREDICTED, RANDOM_P
from tasks.training.loop import Judged, read_training, train_small, write_training
from tasks.training.numerics import exact_numerics
from tasks.training.optimisers import split_decay
from tasks.training.seeds import numpy_stream, permutation, stream_seed
from tasks.transfer.comparison.options import PretrainPlusParams
from tasks.transfer.proteins.artifact import Proteins, open_proteins
from tasks.transfer.proteins.tokens import FIRST_RESIDUE, LAST_RESIDUE, MASK, WORDS, Framed, frame_batch

TEST_ROUNDS = 4  # each protein is judged under so many masks: sixty short ones have few masked residues
TABLE_SCALE = 0.3  # words still weigh beside positions, and the loss begins at 4 nats


def pretrain_plus(params: PretrainPlusParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Write the checkpoint and its training into `context.artifact`; proteins are in `context.needs`. No rows.

    Raises:
        ValueError: no proteins planned, those of another task, fewer than two, proteins without amino acids, or a loss
            that is not finite (with its step).
    """
    if context.artifact is None:
        raise ValueError("pretrain_plus writes a checkpoint: give context.artifact, an empty directory")
    if "proteins" not in context.needs:
        raise ValueError('context.needs has no "proteins"; plan a proteins job that this one needs')
    proteins = open_proteins(context.needs["proteins"])
    if proteins.meta["task"] != params.protein_task:
        raise ValueError(f"the proteins are of {proteins.meta['task']}, planned was {params.protein_task}")
    train, test = parts(params, proteins)
    config = PlusConfig(
        layers=params.layers,
        width=params.width,
        heads=params.heads,
        intermediate=params.intermediate,
        max_length=params.max_length,
    )
    with exact_numerics():
        # In evaluation mode, so that the dropout of the configuration, which is the published one, is off.
        model = first_weights(config, params.seed).to(context.device)
        losses, tests = _losses(model, params, proteins, train), _tests(model, params, proteins, train, test)
        rows = train_small(*_split_decay(model), losses, tests, params)
    save_plus(model, context.artifact)
    write_training(context.artifact, rows)
    return {}


def plus_report(params: PretrainPlusParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `pretraining_plus`: what the job in `context.needs["plus"]` wrote about its training.

    Raises:
        ValueError: it is not there.
    """
    return {"pretraining_plus": read_training(context.needs["plus"], "pretrain_plus")}


def first_weights(config: PlusConfig, seed: int) -> Plus:
    """The model before its first step: `random_plus`, with the tables of words and segments scaled down.

    The table of words also reads out, and with N(0, 1) the loss begins at 8 nats: too much for a few hundred steps.
    """
    model = random_plus(config, stream_seed(seed, "pretrain plus", "weights"))
    with torch.no_grad():
        model.transformer.embed.tok_embed.weight.mul_(TABLE_SCALE)
        model.transformer.embed.seg_embed.weight.mul_(TABLE_SCALE)
    return model


def parts(params: PretrainPlusParams, proteins: Proteins) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the proteins that are trained on, and of those that judge; the same for every seed.

    Raises:
        DataError: fewer than two proteins with an amino acid.
    """
    known = (proteins.residues >= FIRST_RESIDUE) & (proteins.residues <= LAST_RESIDUE)
    # Only the first residues are read, so those must have one that can be masked.
    reach = np.minimum(proteins.offsets[:-1] + params.max_length - 2, proteins.offsets[1:])
    total = np.concatenate([[0], np.cumsum(known)])
    usable = np.flatnonzero(total[reach] > total[proteins.offsets[:-1]])
    if len(usable) < 2:
        raise DataError(
            f"{params.protein_task}: {len(usable)} proteins with amino acids, of which one part is trained on and one "
            "judges: give two or more"
        )
    order = usable[permutation(len(usable), 0, "pretrain plus", "parts")]
    n_aside = min(len(usable) - 1, max(1, round(params.held_out * len(usable))))
    return np.sort(order[n_aside:]), np.sort(order[:n_aside])[: params.test_proteins]


def mask_proteins(framed: Framed, ratio: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the model reads, and what it has to say: (input [B, T], labels [B, T]), int64; -100 where nothing is masked.

    Amino acids alone are masked (not X, nor special tokens): round(ratio * n) of the n of a protein, at least one.
    """
    tokens_BT = framed.tokens
    amino_BT = (tokens_BT >= FIRST_RESIDUE) & (tokens_BT <= LAST_RESIDUE)
    chance_BT = np.where(amino_BT, rng.random(tokens_BT.shape), np.inf)
    rank_BT = chance_BT.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    n_B = amino_BT.sum(axis=1)
    hidden_BT = amino_BT & (rank_BT < np.maximum(1, np.rint(ratio * n_B))[:, None])
    fate_BT = rng.random(tokens_BT.shape)
    drawn_BT = rng.integers(FIRST_RESIDUE, LAST_RESIDUE + 1, size=tokens_BT.shape)
    changed_BT = np.where(fate_BT < MASKED_P, MASK, np.where(fate_BT < MASKED_P + RANDOM_P, drawn_BT, tokens_BT))
    return np.where(hidden_BT, changed_BT, tokens_BT), np.where(hidden_BT, tokens_BT, NOT_PREDICTED)


def hidden_logits(model: Plus, inputs_BT: np.ndarray, labels_BT: np.ndarray, mask_BT: np.ndarray) -> tuple[Tensor, ...]:
    """Logits [P, V] and labels [P] at the masked places alone."""
    device = model.decoder_bias.device
    inputs, labels, mask = (torch.from_numpy(x).to(device) for x in (inputs_BT, labels_BT, mask_BT))
    states_BTH = plus_levels(model, inputs, None, mask)[-1]
    hidden = labels >= 0
    return model.masked_lm_logits(states_BTH[hidden]), labels[hidden]


def _batches(params: PretrainPlusParams, proteins: Proteins, train: np.ndarray) -> Iterator[Framed]:
    """The proteins of each step: epochs of all in seeded order."""
    order = np.empty(0, dtype=np.int64)
    stream = numpy_stream(params.seed, "pretrain plus", "order")
    for _ in range(params.steps):
        while len(order) < params.batch_size:
            order = np.concatenate([order, stream.permutation(train)])
        chosen, order = order[: params.batch_size], order[params.batch_size :]
        yield frame_batch(proteins.sequences(chosen), params.max_length)


def _split_decay(model: Plus) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters with and without weight decay; the gains of a norm that is none of the library's have none."""
    decayed, undecayed = split_decay(model)
    gains = {id(value) for name, value in model.named_parameters() if name.endswith(("gamma", "beta"))}
    return [x for x in decayed if id(x) not in gains], [*undecayed, *(x for x in decayed if id(x) in gains)]


def _losses(model: Plus, params: PretrainPlusParams, proteins: Proteins, train: np.ndarray) -> Iterator[Tensor]:
    for step, framed in enumerate(_batches(params, proteins, train)):
        inputs, labels = mask_proteins(framed, params.mask_ratio, numpy_stream(params.seed, "pretrain plus", step))
        logits, wanted = hidden_logits(model, inputs, labels, framed.mask)
        yield functional.cross_entropy(logits, wanted)


def _tests(
    model: Plus, params: PretrainPlusParams, proteins: Proteins, train: np.ndarray, test: np.ndarray
) -> Iterator[Judged]:
    """How masked residues of proteins kept aside are named, beside the most frequent one, and that of the place."""
    counts_TV = _place_counts(params, proteins, train)
    guess, places_T = int(counts_TV.sum(axis=0).argmax()), counts_TV.argmax(axis=1)
    rounds = itertools.product(range(TEST_ROUNDS), range(0, len(test), params.batch_size))
    for masks, start in rounds:
        framed = frame_batch(proteins.sequences(test[start : start + params.batch_size]), params.max_length)
        rng = numpy_stream(params.seed, "pretrain plus", "test", masks, start)
        inputs, labels = mask_proteins(framed, params.mask_ratio, rng)
        logits, wanted = hidden_logits(model, inputs, labels, framed.mask)
        _, at = np.nonzero(labels >= 0)
        places = torch.from_numpy(places_T[at]).to(wanted.device)
        yield logits, wanted, {"guess_accuracy": guess, "place_accuracy": places}


def _place_counts(params: PretrainPlusParams, proteins: Proteins, train: np.ndarray) -> np.ndarray:
    """How often each amino acid stands at each place of the framed training proteins, int64 [T, V]."""
    counts_TV = np.zeros((params.max_length, WORDS), dtype=np.int64)
    for i in train:
        ids = proteins.sequence(int(i))[: params.max_length - 2]
        counts_TV[np.arange(1, len(ids) + 1), ids] += 1
    counts_TV[:, LAST_RESIDUE + 1 :] = 0
    return counts_TV
