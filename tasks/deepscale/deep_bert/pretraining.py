"""The stage `pretrain_bert`: masked words and sentence order, on one worker or several, from checkpoint to checkpoint.

In order: open the documents, build the network, find the state of an earlier attempt, bring both to the device, step by
step train, look every few steps at what happened, test, save, and write the network and its curves.

Loss or gradients that are not finite end a run as its outcome, `diverged` at that step, with the last finite weights.
"""

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import Any

from models.deep_bert import DeepBertConfig
from models.deep_bert_files import save_deep_bert
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.arrangement import Arrangement, Workers, arrange, layer_bytes
from tasks.deepscale.deep_bert.building import build
from tasks.deepscale.deep_bert.curves import Curves, is_fetch, is_test, status_of, write_training
from tasks.deepscale.deep_bert.params import RunSettings
from tasks.deepscale.deep_bert.saved_state import digest, find, gathered, load_optimiser, load_weights, save
from tasks.deepscale.deep_bert.stages import PretrainParams
from tasks.deepscale.deep_bert.steps import Stepper, make_adam, peak_flops
from tasks.deepscale.deep_bert.testing import Testing, TestScores, batches_of
from tasks.deepscale.pretraining_text.batches import Batches, prefetched
from tasks.deepscale.pretraining_text.documents import Documents, open_documents
from tasks.deepscale.pretraining_text.plan import check_batches, check_vocabulary
from tasks.training.loop import metric_rows
from tasks.training.numerics import exact_numerics, usable_bytes


def pretrain_bert(params: PretrainParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Write the network and its training into `context.artifact`; the documents are in `context.needs`. No rows.

    Raises:
        ValueError: no documents or others than planned, a vocabulary or memory that does not suffice, workers that do
            not divide the micro-batches.
        DataError: a corpus shorter than one batch.
    """
    workers = Workers.of(context)
    if workers.first and context.artifact is None:
        raise ValueError("pretrain_bert writes a checkpoint: give context.artifact, an empty directory")
    check_batches(
        length=params.length,
        global_batch=params.global_batch,
        micro_batch=params.micro_batch,
        workers=workers.count,
    )
    train, test = (_documents(params, context, part) for part in ("train", "test"))
    # With bfloat16 speed is what is asked for; kernels that repeat to the bit are slower.
    with contextlib.nullcontext() if params.precision == "bf16" else exact_numerics():
        run = begin(params, context, workers, train, test)
        diverged = run.train()
        run.finish(diverged)
    return {}


def begin(params: PretrainParams, context: Context, workers: Workers, train: Documents, test: Documents) -> "Run":
    """Everything in its place before the first step, or before the next one of an earlier attempt."""
    vocab_size = params.vocab_size or train.meta["vocab_size"]
    check_vocabulary(train.meta, vocab_size)
    batches = batches_of(train, params)
    settings = RunSettings.of(context.paths)
    model = build(params, vocab_size, params.length, params.seed, train.meta["same_token"])
    if params.precision == "float64":
        model.double()
    belongs = digest(params, vocab_size, train.meta["fingerprint"])
    found = find(context, belongs, model, workers)
    if found is not None:
        load_weights(model, found)
    memory = usable_bytes(context)
    if settings.recompute != "off":
        kept = activation_bytes(model.config, params, fused=workers.device.type == "cuda")
        model.recompute(settings.recompute == "on" or kept > memory // 2)
    n_parameters = sum(p.numel() for p in model.parameters())
    arrangement = arrange(model, settings, workers, memory)
    optimiser = make_adam(arrangement.model, params)
    if found is not None:
        load_optimiser(optimiser, arrangement.model, found)
    return Run(
        params=params,
        context=context,
        workers=workers,
        settings=settings,
        belongs=belongs,
        batches=batches,
        testing=Testing(test, params, workers),
        arrangement=arrangement,
        stepper=Stepper(arrangement, optimiser, params, workers),
        curves=Curves() if found is None else found.curves,
        done=0 if found is None else found.step,
        n_parameters=n_parameters,
        # One device's; a worker's share of the CPU is measured, which all others may use at the same time.
        peak=workers.count * workers.agreed(peak_flops(workers.device, params.precision)),
    )


def activation_bytes(config: DeepBertConfig, params: PretrainParams, fused: bool) -> int:
    """Estimated bytes that autograd keeps for one micro-batch when no layer is recomputed.

    They are those of the layers, and the logits of about 15 % of the tokens, twice.
    """
    itemsize = {"bf16": 2, "float32": 4, "float64": 8}[params.precision]
    of_layer = layer_bytes(config, params.micro_batch, params.length, itemsize, fused)
    return config.layers * of_layer + params.micro_batch * params.length * 4 * int(0.3 * config.vocab_size)


@dataclass(kw_only=True)
class Run:
    """One training on its way."""

    params: PretrainParams
    context: Context
    workers: Workers
    settings: RunSettings
    belongs: str
    batches: Batches
    testing: Testing
    arrangement: Arrangement
    stepper: Stepper
    curves: Curves
    done: int
    """Finite steps taken."""
    n_parameters: int
    peak: float
    scores: TestScores = field(default_factory=TestScores)

    def train(self) -> bool:
        """Take the steps that are left; returns whether one of them was not finite, which is then the last."""
        params, workers, saved = self.params, self.workers, time.monotonic()
        started = time.perf_counter()
        steps = prefetched(self.batches, self.done, params.steps, rank=workers.rank, workers=workers.count)
        with contextlib.closing(steps):
            for step, own in steps:
                self.stepper.step(step, own)
                if not is_fetch(step, params):
                    continue
                facts = self.stepper.fetch()
                seconds = time.perf_counter() - started
                self.done += (finite := self.curves.add(self.done, facts, seconds, params, self.peak))
                if finite < len(facts):
                    return True
                if is_test(step, params):
                    self.scores = self.testing.scores(self.arrangement)
                    self.curves.rows += metric_rows(step + 1, self.scores.rows())
                due = time.monotonic() - saved >= self.settings.checkpoint_seconds
                if self.context.checkpoints is not None and step + 1 < params.steps and workers.agreed(due):
                    optimiser = self.stepper.optimiser
                    save(self.context, workers, self.arrangement.model, optimiser, self.done, self.curves, self.belongs)
                    saved = time.monotonic()
                started = time.perf_counter()
        return False

    def finish(self, diverged: bool) -> None:
        """Write the network, its curves and its outcome."""
        weights = gathered(self.arrangement.model.named_parameters(), self.workers)
        if not self.workers.first:
            return
        assert self.context.artifact is not None
        save_deep_bert(self.arrangement.model, self.context.artifact, weights)
        write_training(self.context.artifact, self.curves.rows, self._outcome(diverged))

    def _outcome(self, diverged: bool) -> dict[str, Any]:
        scores, curves = TestScores() if diverged else self.scores, self.curves
        return {
            "status": status_of(diverged, scores.mlm_loss, scores.unigram_loss),
            "step": self.done + diverged,
            "mlm_loss": curves.last("mlm_loss"),
            "test_mlm_loss": scores.mlm_loss,
            "test_mlm_accuracy": scores.mlm_accuracy,
            "test_order_accuracy": scores.order_accuracy,
            "unigram_loss": scores.unigram_loss,
            "unigram_entropy": self.testing.unigram_entropy,
            "n_pieces": scores.n_pieces,
            "n_sequences": scores.n_sequences,
            "n_parameters": self.n_parameters,
            "n_tokens": curves.tokens,
            "padding": 1 - curves.tokens / curves.positions if curves.positions else math.nan,
        }


def _documents(params: PretrainParams, context: Context, part: Any) -> Documents:
    """One part of the documents in `context.needs`, which must be the planned ones."""
    if "documents" not in context.needs:
        raise ValueError('context.needs has no "documents"; plan a documents job that this one needs')
    documents = open_documents(context.needs["documents"], part)
    meta = documents.meta
    if (meta["corpus"], meta["tokenizer"]) != (params.corpus, params.tokenizer):
        raise ValueError(
            f"{context.needs['documents']} holds {meta['corpus']} in tokens of {meta['tokenizer']}, planned were "
            f"{params.corpus} and {params.tokenizer}; give the job's own documents"
        )
    return documents
