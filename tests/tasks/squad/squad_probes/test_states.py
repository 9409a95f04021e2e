"""Chunks of an order, states collected in it, and encoders and windows that do not fit.

Dimensions: L layers, B windows, T tokens, H hidden.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.squad.squad_probes.stages import FrozenParams
from tasks.squad.squad_probes.states import ENCODED_TOGETHER, chunks, collect, encoded_together, open_frozen
from tests.tasks.squad.squad_probes.conftest import ENCODER


def frozen(**change) -> FrozenParams:
    fields: dict[str, Any] = {**ENCODER, **change}
    return FrozenParams(**fields)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 7), st.integers(1, 200), st.integers(1, 20)
)
def test_chunks_are_the_order_cut_where_batches_end(counts, batch_size, rows, most):
    order = np.arange(len(counts)) + 100
    found = list(chunks(order, np.array(counts), batch_size, rows, most))
    assert np.concatenate(found).tolist() == order.tolist()
    assert all(len(chunk) % batch_size == 0 for chunk in found[:-1])
    for chunk in found:
        small = len(chunk) <= most and sum(counts[i - 100] for i in chunk) <= rows
        assert small or len(chunk) <= batch_size
    for a, b in itertools.pairwise(found):  # no chunk ends early
        more = np.concatenate([a, b[:batch_size]])
        assert len(more) > most or sum(counts[i - 100] for i in more) > rows


@pytest.mark.parametrize("mode", ["proper", "legacy"])
def test_collected_states_are_those_of_each_window_alone(context, mode):
    encoder = open_frozen(frozen(mode=mode), context(), "train")
    indices = np.array([7, 3, 20, 4, 11])
    chunk = collect(encoder, indices, 2, [2, 0])
    assert encoder.layer_passes == 2 * len(indices)
    first = 0
    for b, window in enumerate(indices):
        levels, batch = encoder.states([window])
        h_LBTH = torch.stack(levels)
        assert h_LBTH.shape[2] == (80 if mode == "legacy" else encoder.windows.lengths[window])
        allowed = batch.allowed[0]
        if mode == "legacy":
            assert allowed.all()
        else:
            assert allowed.sum() == 1 + batch.context_end - batch.context_start
        own = chunk.states[:, first : first + chunk.counts[b]]
        assert torch.allclose(own, h_LBTH[[2, 0], 0][:, allowed], atol=1e-12)
        for head, label in enumerate((batch.start, batch.end)):
            assert allowed.nonzero()[chunk.target[head, b]] == label
        first += chunk.counts[b]
    assert first == chunk.states.shape[1]
    assert (chunk.weight == 1).all()


def test_states_that_are_not_finite_are_named(context):
    encoder = open_frozen(frozen(), context(), "train")
    with torch.no_grad():
        next(p for name, p in encoder.model.named_parameters() if "layer.1.output.dense.bias" in name)[0] = torch.nan
    name = encoder.windows.questions.ids[encoder.windows.question[5]]
    with pytest.raises(ValueError, match=f"level 2 of the encoder has states that are not finite.*question {name}"):
        encoder.states([5])


def test_windows_of_other_settings_are_refused(context):
    with pytest.raises(ValueError, match="doc_stride 24, planned was 23"):
        open_frozen(frozen(doc_stride=23), context(), "train")
    with pytest.raises(ValueError, match='no "windows"'):
        open_frozen(frozen(), dataclasses.replace(context(), needs={}), "train")


def test_as_many_windows_are_encoded_together_as_there_is_room_for(context):
    encoder = open_frozen(frozen(), context(), "train")
    assert encoded_together(encoder, 1 << 40) == ENCODED_TOGETHER["cpu"]
    with pytest.raises(ValueError, match=r"one window of 80 tokens takes about ([\d,]+) bytes") as problem:
        encoded_together(encoder, 1)
    one = int(str(problem.value).split("about ")[1].split(" bytes")[0].replace(",", ""))
    assert encoded_together(encoder, one) == 1
    assert encoded_together(encoder, 5 * one) == 4
