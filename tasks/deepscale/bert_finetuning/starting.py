"""The network that a run starts from, of any of its three places, with a new head; and whether it fits into memory."""

from dataclasses import replace
from pathlib import Path

import torch

from models.deep_bert import DeepBert, DeepBertConfig
from models.deep_bert_classifier import DeepBertClassifier
from models.deep_bert_files import load_deep_bert, read_hugging_face, unset_deep_bert
from orchestrator.experiment import Context
from tasks.deepscale.bert_finetuning.data import TaskData
from tasks.deepscale.bert_finetuning.stages import FinetuneParams, is_own, n_classes
from tasks.deepscale.deep_bert.arrangement import layer_bytes, weight_bytes
from tasks.training.seeds import stream_seed

DTYPES = {"float32": torch.float32, "bf16": torch.float32, "float64": torch.float64}


def new_classifier(params: FinetuneParams, context: Context, data: TaskData) -> DeepBertClassifier:
    """The checkpoint's encoder with a head drawn from the seed, on the device, in training mode.

    The artifact of a pretraining job is in `context.needs["model"]`, a directory in `context.paths["model"]`; else the
    hub has it.

    Raises:
        ValueError: it cannot be read, or the task's tokens do not fit it.
    """
    bert = with_dropout(_read(params, context), params.dropout, params.attention_dropout)
    config = bert.config
    if data.vocab_size > config.vocab_size:
        raise ValueError(
            f"the tokenizer {params.tokenizer} has {data.vocab_size} tokens, the model {params.model} "
            f"{config.vocab_size}: give its own with --finetune-tokenizer"
        )
    if data.longest > config.max_length:
        raise ValueError(
            f"{params.task} has examples of {data.longest} tokens, {params.model} has {config.max_length} positions: "
            f"give --finetune-length {config.max_length}"
        )
    if config.token_types < 2:
        raise ValueError(f"{params.model} has {config.token_types} token type; pairs of texts need 2")
    outputs = 1 if data.choices > 1 else n_classes(params.task)
    model = DeepBertClassifier(bert.to(DTYPES[params.precision]), outputs, params.dropout, data.choices)
    model.draw_head(stream_seed(params.seed, "head"))
    return model.to(context.device).train()


def with_dropout(bert: DeepBert, dropout: float, attention_dropout: float) -> DeepBert:
    """A network with these rates and the weights of `bert`."""
    config: DeepBertConfig = replace(bert.config, dropout=dropout, attention_dropout=attention_dropout)
    if config == bert.config:
        return bert
    changed = unset_deep_bert(config).to(bert.mlm_bias.dtype)
    changed.load_state_dict(bert.state_dict())
    return changed


def _read(params: FinetuneParams, context: Context) -> DeepBert:
    pickled = "pickled_weights" in context.paths
    if "model" in context.needs:
        return load_deep_bert(context.needs["model"])
    if "model" not in context.paths:
        return read_hugging_face(params.model, params.revision, pickled)
    directory = Path(context.paths["model"])
    return load_deep_bert(directory) if is_own(directory) else read_hugging_face(directory, None, pickled)


def needs_recompute(model: DeepBertClassifier, rows: int, tokens: int, budget_bytes: int) -> bool:
    """Whether layers must be run twice, since what autograd keeps of `rows` rows of `tokens` tokens does not fit.

    Raises:
        ValueError: not even so does it fit.
    """
    config, itemsize = model.bert.config, model.head.weight.element_size()
    weights = weight_bytes(model)
    each = layer_bytes(config, rows, tokens, itemsize, fused=model.head.weight.device.type != "cpu")
    if weights + config.layers * each <= budget_bytes:
        return False
    least = weights + each + config.layers * rows * tokens * config.width * itemsize
    if least > budget_bytes:
        raise ValueError(
            f"{rows} rows of {tokens} tokens need about {least / 2**20:,.0f} MiB to train on, "
            f"{budget_bytes / 2**20:,.0f} MiB may be used; give a smaller "
            "--finetune-micro-batch or --finetune-length, or a machine with more memory"
        )
    return True
