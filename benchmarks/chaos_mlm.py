"""Masked-LM readouts of depths 1-24 as built against the plain way. Part of `benchmarks/chaos.py`.

The plain way is what the published code does: for each depth a run of its own with an encoder of that many layers,
logits of all positions, autograd, one readout. It gets the same weights, masks, order of blocks and optimiser, so both
must end with the same losses and accuracies; that is checked. One process, one thread; seconds are of the processor, so
that a busy machine changes them little.

Dimensions: B blocks, T tokens, E embedding, V vocabulary.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.mlm_head import fresh_mlm_head, word_table
from orchestrator.experiment import Context
from tasks.data.blocks import open_blocks
from tasks.data.masking import block_masking, mask_batch
from tasks.encoders.loading import load_encoder
from tasks.training.loop import data_orders, n_steps
from tasks.training.numerics import exact_numerics
from tasks.training.optimisers import learning_rate, make_optimiser, take_step
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.mlm_depth.frozen import EVAL_BLOCKS, frozen
from tasks.transient_chaos.mlm_depth.stages import FrozenParams

VOCAB, LENGTH, TRAIN, TEST = 30_000, 128, 16, 8
PARAMS = FrozenParams(
    model="scratch",
    encoder="random",
    init_style="hf_default",
    init_range=0.0566,  # 0.02 * sqrt(1024 / 128): the gain of albert-large at this width
    encoder_seed=0,
    width=128,
    heads=4,
    tokenizer="made",
    corpus="made",
    length=LENGTH,
    depths=tuple(range(1, 25)),
    readouts=("new",),
    seeds=(0,),
    batch_size=8,
    epochs=1,
    warmup=1,
)

Row = tuple[str, float, float, float]
Scores = dict[tuple[int, str], float]


def write_blocks(directory: Path) -> None:
    """Blocks of made text, tokens with the frequencies 1/rank, as the blocks stage writes them."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, VOCAB - 4)
    for part, size in (("train", TRAIN), ("test", TEST)):
        ids = rng.choice(np.arange(5, VOCAB), size=(size, LENGTH), p=weights / weights.sum()).astype(np.int32)
        ids[:, 0], ids[:, -1] = 2, 3
        np.save(directory / f"{part}.npy", ids)
    meta = {"stage": "blocks", "corpus": "made", "fingerprint": "0", "length": LENGTH, "vocab_size": VOCAB}
    meta |= {"pad_token_id": 0, "unk_token_id": 1, "cls_token_id": 2, "sep_token_id": 3, "mask_token_id": 4}
    meta |= {"special_ids": [0, 1, 2, 3, 4], "sizes": {"train": TRAIN, "test": TEST}}
    (directory / "meta.json").write_text(json.dumps(meta))


def plain_run(context: Context, depth: int) -> Scores:
    """Loss and accuracy of one depth."""
    train, test = (open_blocks(context.needs["blocks"], part) for part in ("train", "test"))
    masking = block_masking(train.meta, PARAMS.mask_ratio)
    encoder = load_encoder(PARAMS, context, vocab_size=VOCAB, pad_token_id=0, longest=LENGTH, pooler=False)
    encoder.config.num_hidden_layers = depth
    first = fresh_mlm_head(encoder.config, torch_stream(PARAMS.seeds[0], "mlm", "readout"))
    dense, *rest = (
        nn.Parameter(tensor.clone()) for tensor in (first.dense, first.dense_bias, first.gain, first.shift, first.bias)
    )
    optimiser = make_optimiser([dense], rest, "hf_adamw", PARAMS.weight_decay)

    def logits(inputs: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            h = encoder(input_ids=torch.from_numpy(inputs)).last_hidden_state
        y = functional.gelu(functional.linear(h, dense, rest[0]), approximate="tanh")
        y = functional.layer_norm(y, y.shape[-1:], rest[1], rest[2], 1e-12)
        return functional.linear(y, word_table(encoder).detach(), rest[3])

    total, step = n_steps(TRAIN, PARAMS.batch_size, PARAMS.epochs), 0
    for epoch, order in enumerate(data_orders(PARAMS.data_seed, TRAIN, PARAMS.epochs)):
        for batch, rows in enumerate(order.split(PARAMS.batch_size)):
            names = ("train", epoch, batch)
            inputs, labels = mask_batch(train.input_ids[rows.numpy()], masking, PARAMS.data_seed, *names)
            loss = functional.cross_entropy(logits(inputs).flatten(0, 1), torch.from_numpy(labels).flatten())
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_([dense, *rest], PARAMS.clip)
            rate = learning_rate("linear", PARAMS.learning_rate, step, total, PARAMS.warmup)
            take_step(optimiser, "hf_adamw", rate, step, [dense], PARAMS.weight_decay)
            step += 1
    assert TEST <= EVAL_BLOCKS  # one evaluation batch
    inputs, labels = mask_batch(test.input_ids[:], masking, PARAMS.data_seed, "test", 0, 0)
    with torch.no_grad():
        out = logits(inputs)
        loss = functional.cross_entropy(out.flatten(0, 1), torch.from_numpy(labels).flatten())
    right, hidden = (out.argmax(dim=-1).numpy() == labels).sum(axis=1), (labels >= 0).sum(axis=1)
    return {(depth, "loss"): float(loss), (depth, "accuracy"): float((right / hidden).mean())}


def measure() -> list[Row]:
    """(what, plain seconds, seconds as built, largest difference of a loss or an accuracy)."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        write_blocks(Path(place))
        context = Context(needs={"blocks": Path(place)})
        with exact_numerics():
            plain_run(context, 1)  # what the first call of a process costs
            clock = time.process_time()
            wanted: Scores = {}
            for depth in PARAMS.depths:
                wanted |= plain_run(context, depth)
            plain = time.process_time() - clock
        clock = time.process_time()
        scores = frozen(PARAMS, context)["scores"]
        built = time.process_time() - clock
    found = {(row["depth"], row["metric"]): row["value"] for row in scores}
    difference = max(abs(found[key] - value) for key, value in wanted.items())
    return [(f"MLM readouts, depths 1-24 (width {PARAMS.width}, {VOCAB:,} tokens)", plain, built, difference)]
