"""The frozen depth sweep as built against the plain way: `python benchmarks/glue_depth.py`.

The plain way is what the published code does: for each depth a run of its own with an encoder of that many layers,
every batch passed through it in every epoch, one head, autograd, torch's AdamW, evaluation at the end. It gets the same
weights, data order, dropout and padding rule (to the longest of a batch), so both must end with the same scores; that
is checked. One process, one thread, the same machine, in turns.

Dimensions: N examples, D depths, B batch, T tokens.
"""

# ruff: noqa: E402  (imports follow the change of sys.path)
import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT / "benchmarks")]

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional
from transformers import AlbertModel

from orchestrator.experiment import Context, Job
from tasks.data.tokenised import tokens
from tasks.training.loop import data_orders
from tasks.training.seeds import torch_stream
from tasks.transient_chaos.glue_depth.config import PRESETS
from tasks.transient_chaos.glue_depth.features import Inputs, length_batches, open_inputs, score_rows
from tasks.transient_chaos.glue_depth.frozen import frozen
from tasks.transient_chaos.glue_depth.heads import dropout_factors, head_weight
from tasks.transient_chaos.glue_depth.plan import plan
from tasks.transient_chaos.glue_depth.stages import FrozenParams

EVAL_BATCH = 16  # the published one


def plain_run(inputs: Inputs, params: FrozenParams, depth: int, seed: int) -> tuple[dict[str, float], int]:
    """Scores of one depth, and the layer passes that it took."""
    model: AlbertModel = inputs.model
    model.config.num_hidden_layers = depth
    group = model.encoder.albert_layer_groups[0]
    passes = []
    hook = group.register_forward_pre_hook(lambda module, args: passes.append(args[0].shape[0]))

    def features(split, indices):
        ids, types, mask = split.batch(indices)
        with torch.no_grad():
            return model(input_ids=ids, token_type_ids=types, attention_mask=mask).pooler_output

    labels = inputs.labels(inputs.train)
    labels = labels.float() if inputs.info.is_regression else labels
    head = nn.Linear(model.config.hidden_size, inputs.info.n_outputs)
    with torch.no_grad():
        head.weight.copy_(head_weight(seed, inputs.info.n_outputs, model.config.hidden_size))
        head.bias.zero_()
    optimiser = torch.optim.AdamW(head.parameters(), lr=params.learning_rate, weight_decay=0.0)
    drops, step = torch_stream(seed, "dropout"), 0
    steps = params.epochs * -(-len(inputs.train) // params.batch_size)
    for order in data_orders(seed, len(inputs.train), params.epochs):
        for rows in order.split(params.batch_size):
            z = features(inputs.train, rows.numpy())
            z = z * dropout_factors(drops, len(rows), z.shape[1], params.dropout)
            logits = head(z)
            if inputs.info.is_regression:
                loss = functional.mse_loss(logits[:, 0], labels[rows])
            else:
                loss = functional.cross_entropy(logits, labels[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), params.clip or float("inf"))
            optimiser.param_groups[0]["lr"] = params.learning_rate * (
                0.9995**step if params.schedule == "legacy" else 1 - step / steps
            )
            optimiser.step()
            step += 1
    scores = {}
    for name, split in inputs.evals.items():
        logits = torch.empty(len(split), inputs.info.n_outputs)
        for indices in length_batches(split, EVAL_BATCH):
            with torch.no_grad():
                logits[torch.from_numpy(indices)] = head(features(split, indices))
        scores |= {row["metric"]: row["value"] for row in score_rows(inputs.info, name, logits, inputs.labels(split))}
    hook.remove()
    return scores, sum(passes)


def planned_job(task: str, depths: int, width: int, n_train: int, n_dev: int, epochs: int) -> Job:
    """The frozen job of a task of builtin text, one seed."""
    config = dataclasses.replace(
        PRESETS["quick"],
        tasks=(task,),
        trainings=("frozen",),
        depths=tuple(range(1, depths + 1)),
        seeds=(0,),
        width=width,
        init_range=0.02 * (1024 / width) ** 0.5,
        epochs=epochs,
        train_limit=n_train,
        dev_limit=n_dev,
    )
    return next(job for job in plan(config) if job.stage.name == "glue_frozen")


def compare(job: Job, repeats: int) -> dict[str, float]:
    """Run both ways in turns; the fastest of each counts. Raises AssertionError when their scores differ."""
    params: FrozenParams = job.params
    with tempfile.TemporaryDirectory() as folder:
        tokens(job.needs["tokens"].params, Context(artifact=Path(folder), paths=job.needs["tokens"].paths))
        context = Context(needs={"tokens": Path(folder)})
        built_seconds, plain_seconds, passes, worst = [], [], 0, 0.0
        tables: dict = {}
        for _ in range(repeats):
            began = time.perf_counter()
            tables = frozen(params, context)
            built_seconds.append(time.perf_counter() - began)
            inputs = open_inputs(params, context)
            began, passes, plain = time.perf_counter(), 0, {}
            for depth in params.depths:
                scores, cost = plain_run(inputs, params, depth, params.seeds[0])
                plain |= {(depth, metric): value for metric, value in scores.items()}
                passes += cost
            plain_seconds.append(time.perf_counter() - began)
            built = {(row["depth"], row["metric"]): row["value"] for row in tables["scores"]}
            assert built.keys() == plain.keys()
            worst = max(abs(built[key] - plain[key]) for key in built)
    # A prediction on the edge may flip between two orders of float32 rounding: one example of the dev set is allowed.
    n_dev = tables["costs"][0]["n_dev"]
    assert worst <= max(2e-3, 2 / n_dev), f"scores differ by {worst}"
    return {
        "plain_s": min(plain_seconds),
        "built_s": min(built_seconds),
        "plain_passes": passes,
        "built_passes": tables["costs"][0]["layer_passes"],
        "worst": worst,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, default=24)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--dev", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--tasks", nargs="+", default=["similarity", "acceptability"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = Table(
        title=f"depths 1-{args.depths}, width {args.width}, {args.train} + {args.dev} examples, {args.epochs} epochs"
    )
    for heading in (
        "task",
        "plain s",
        "built s",
        "times faster",
        "plain passes",
        "built passes",
        "times fewer",
        "largest score difference",
    ):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for task in args.tasks:
        job = planned_job(task, args.depths, args.width, args.train, args.dev, args.epochs)
        r = compare(job, args.repeats)
        table.add_row(
            task,
            f"{r['plain_s']:.1f}",
            f"{r['built_s']:.2f}",
            f"{r['plain_s'] / r['built_s']:.1f}",
            f"{r['plain_passes']:,.0f}",
            f"{r['built_passes']:,.0f}",
            f"{r['plain_passes'] / r['built_passes']:.1f}",
            f"{r['worst']:.1e}",
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
