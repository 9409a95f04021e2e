"""Pretraining by `pretrain_bert` and by `transformers.Trainer`: tokens a second of one network on the same batches.

Both train the library's BERT (post-LN, ReLU) from the same weights with dropout 0, in float32, one sequence of batches,
fused AdamW, the same schedule, decay and clipping; their losses must agree step by step. The Trainer gets what does not
change the numbers: its samples are made beforehand (ours as it trains, in a thread), it gets the batches that our
buckets put together, padded to the longest, and SDPA. The last row is the Trainer as it is mostly used:
random batches of the same size, each padded to its longest; its losses are others, so only tokens count.

    python -m benchmarks.pretraining
    python -m benchmarks.pretraining --corpus DIR --tokenizer DIR

The Trainer needs the package accelerate, which nothing else here does: pip install -e ".[benchmark]". Seconds are of
the processor on a CPU, so that a busy machine changes them little, and of the clock on a GPU.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.utils.rnn import pad_sequence
from transformers import BertForPreTraining, Trainer, TrainingArguments

from models.deep_bert_files import to_hugging_face
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.arrangement import Workers, arrange
from tasks.deepscale.deep_bert.building import build
from tasks.deepscale.deep_bert.params import PretrainingOptions, RunSettings
from tasks.deepscale.deep_bert.stages import PretrainParams, pretraining_jobs
from tasks.deepscale.deep_bert.steps import Stepper, batch_lengths, make_adam
from tasks.deepscale.pretraining_text.batches import Batches, MicroBatch, prefetched
from tasks.deepscale.pretraining_text.documents import Documents, open_documents
from tasks.training.numerics import exact_numerics, synchronise

TOLERANCE = 1e-3  # of a loss, relative: float32 sums in another order, grown by the steps
WARM = 3  # steps that are not timed: libraries load, memory is taken


def clock(device: torch.device) -> float:
    """Seconds of this process on a CPU, else of the wall."""
    synchronise(device)
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def ours(params: PretrainParams, documents: Documents, device: torch.device) -> tuple[list[float], float]:
    """Losses of all steps, and the seconds of those after the first WARM."""
    workers = Workers(rank=0, count=1, device=device)
    model = build(params, documents.meta["vocab_size"], params.length, params.seed)
    arrangement = arrange(model, RunSettings(), workers, 1 << 40)
    stepper = Stepper(arrangement, make_adam(arrangement.model, params), params, workers)
    with contextlib.nullcontext() if params.precision == "bf16" else exact_numerics():
        start = 0.0
        for step, own in prefetched(batches_of(params, documents), 0, params.steps):
            if step == WARM:
                start = clock(device)
            stepper.step(step, own)
        facts = stepper.fetch()
        return [fact.mlm_loss + fact.order_loss for fact in facts], clock(device) - start


class Watched(Trainer):
    """Keeps the loss of each step, and the clock after the first WARM of them."""

    losses: list[torch.Tensor]
    start: float

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if len(self.losses) == WARM:
            self.start = clock(self.args.device)
        loss: Any = super().compute_loss(model, inputs, *args, **kwargs)
        self.losses.append(loss.detach())
        return loss


def theirs(
    params: PretrainParams, documents: Documents, sequences: Sequence[dict[str, Any]], device: torch.device
) -> tuple[list[float], float]:
    """Losses and seconds of the Trainer on sequences in this order."""
    model = build(params, documents.meta["vocab_size"], params.length, params.seed)
    copy: BertForPreTraining = to_hugging_face(model)
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out, max_steps=params.steps, per_device_train_batch_size=params.global_batch,
            learning_rate=params.learning_rate, lr_scheduler_type="linear", warmup_steps=0,
            optim="adamw_torch_fused", weight_decay=params.weight_decay, max_grad_norm=params.clip,
            adam_beta1=params.beta1, adam_beta2=params.beta2, adam_epsilon=params.adam_eps,
            bf16=params.precision == "bf16", use_cpu=device.type == "cpu", train_sampling_strategy="sequential",
            logging_strategy="no", save_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False,
        )  # fmt: skip
        trainer = Watched(model=copy, args=arguments, train_dataset=sequences, data_collator=collate)  # pyright: ignore[reportArgumentType]
        trainer.losses, trainer.start = [], 0.0
        trainer.train()
        seconds = clock(device) - trainer.start
    return torch.stack(trainer.losses).tolist(), seconds


def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch padded to its longest sequence, at a multiple of 8."""
    width = -(-max(len(row["input_ids"]) for row in rows) // 8) * 8

    def padded(name: str, value: int) -> torch.Tensor:
        first = torch.zeros(width, dtype=torch.int64)  # pads the others to its width
        return pad_sequence([first, *(row[name] for row in rows)], batch_first=True, padding_value=value)[1:]

    return {
        "input_ids": padded("input_ids", 0),
        "token_type_ids": padded("token_type_ids", 0),
        "attention_mask": padded("attention_mask", 0),
        "labels": padded("labels", -100),
        "next_sentence_label": torch.stack([row["next_sentence_label"] for row in rows]),
    }


def as_sequences(batch: MicroBatch) -> list[dict[str, Any]]:
    """The sequences of a micro-batch without padding, as the Trainer's dataset has them."""
    labels = torch.full((batch.input_ids.numel(),), -100)
    labels[batch.positions] = batch.labels
    labels_BT = labels.view_as(batch.input_ids)
    found = []
    for i, n in enumerate(batch_lengths(batch).tolist()):
        own = {"input_ids": batch.input_ids[i, :n], "token_type_ids": batch.token_type_ids[i, :n]}
        own |= {"attention_mask": torch.ones(n, dtype=torch.int64), "labels": labels_BT[i, :n]}
        found.append({**own, "next_sentence_label": batch.order[i]})
    return found


def batches_of(params: PretrainParams, documents: Documents) -> Batches:
    sizes = {name: getattr(params, name) for name in ("length", "global_batch", "micro_batch", "seed")}
    return Batches(documents, **sizes)


def prepare(arguments: argparse.Namespace, place: Path) -> tuple[PretrainParams, Documents]:
    """The parameters of both, and the documents of the corpus."""
    options = PretrainingOptions(
        corpus=arguments.corpus, tokenizer=arguments.tokenizer, width=arguments.width, heads=arguments.width // 64,
        length=arguments.length, global_batch=arguments.batch, micro_batch=arguments.batch, steps=arguments.steps,
        learning_rate=arguments.rate, warmup=0.0, dropout=0.0, attention_dropout=0.0, precision=arguments.precision,
        test_ratio=0.1, legacy_schedule=True, norms=("post",), schemes=("vanilla",), layers=(arguments.layers,),
    )  # fmt: skip
    (job,) = pretraining_jobs(options, (0,))
    documents = job.needs["documents"]
    documents.stage.load()(documents.params, Context(artifact=place, paths=dict(documents.paths)))
    return job.params, open_documents(place, "train")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (
        ("layers", 6), ("width", 128), ("length", 128), ("batch", 32), ("steps", 20), ("threads", 1),
        ("rate", 1e-4), ("corpus", "builtin"), ("tokenizer", "builtin"), ("precision", "float32"), ("device", "cpu"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as made:
        params, documents = prepare(arguments, Path(made))
        batches = [batch for _, own in prefetched(batches_of(params, documents), 0, params.steps) for batch in own]
        sequences = [row for batch in batches for row in as_sequences(batch)]
        order = np.random.default_rng(0).permutation(len(sequences))
        runs: dict[str, Callable[[], tuple[list[float], float]]] = {
            "Trainer, the same batches": lambda: theirs(params, documents, sequences, device),
            "pretrain_bert": lambda: ours(params, documents, device),
            "Trainer, random batches": lambda: theirs(params, documents, [sequences[i] for i in order], device),
        }
        found = {name: run() for name, run in runs.items()}
    table = Table(
        title=f"{params.layers} layers, width {params.width}, {documents.meta['vocab_size']:,} ids, "
        f"up to {params.length} tokens, batch {params.global_batch}, {params.precision}, {arguments.threads} threads, "
        f"{device}"
    )
    for name in ("", "tokens/s", "times the Trainer's, same batches", "largest difference of a loss"):
        table.add_column(name, justify="right" if name else "left")
    plain, seconds = found["Trainer, the same batches"]
    tokens = sum(batch.n_tokens for batch in batches[WARM:])
    shuffled = [sequences[i] for i in order[WARM * params.global_batch :]]
    random_tokens = sum(len(row["input_ids"]) for row in shuffled)
    for name, (losses, spent) in found.items():
        random = name == "Trainer, random batches"
        rate = (random_tokens if random else tokens) / spent
        apart = max(abs(a - b) / a for a, b in zip(plain, losses, strict=True))
        if not random and not apart < TOLERANCE:
            sys.exit(f"{name}: losses differ by {apart:.1e} of themselves")
        table.add_row(name, f"{rate:,.0f}", f"{rate / (tokens / seconds):.2f}", "-" if random else f"{apart:.1e}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
