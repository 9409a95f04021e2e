"""The count of operations against torch's own counter, and against what it must not depend on."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.deep_bert import DeepBertConfig
from models.deep_bert_files import unset_deep_bert
from tasks.deepscale.deep_bert.steps import peak_flops, training_flops

CONFIG = DeepBertConfig(layers=3, width=16, heads=2, intermediate=40, vocab_size=30, max_length=12)


@pytest.mark.parametrize("recompute", [False, True])
def test_operations_are_those_that_torch_counts(recompute):
    model = unset_deep_bert(CONFIG).train()  # dropout: attention as two products, which torch counts
    model.recompute(recompute)
    B, T, positions = 4, 12, torch.tensor([3, 17, 40])
    ids = torch.randint(30, (B, T))
    with FlopCounterMode(display=False) as counter:
        mlm, order = model(ids, torch.zeros_like(ids), None, positions)
        (mlm.sum() + order.sum()).backward()
    ours = training_flops(CONFIG, torch.full((B,), T), len(positions))
    layers = 3 * B * T * (2 * (4 * 16 * 16 + 2 * 16 * 40) + 4 * T * 16)
    again = layers if recompute else 0  # the model's own operations are counted, not those done twice
    assert counter.get_total_flops() - again == ours


def test_padding_is_no_work_and_long_sequences_are_more_than_their_tokens():
    def layers_alone(*lengths):
        of_heads = training_flops(CONFIG, torch.zeros(len(lengths)), 0)
        return training_flops(CONFIG, torch.tensor(lengths), 0) - of_heads

    assert layers_alone(6, 12) == layers_alone(6) + layers_alone(12)
    assert layers_alone(12) > 2 * layers_alone(6)


def test_the_peak_of_a_cpu_is_measured_and_of_unknown_devices_unknown():
    for precision in ("float32", "float64"):
        assert peak_flops(torch.device("cpu"), precision) > 1e8
    assert peak_flops(torch.device("meta"), "float32") != peak_flops(torch.device("meta"), "float32")  # NaN
