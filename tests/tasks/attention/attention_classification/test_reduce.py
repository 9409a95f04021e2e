"""What the experiment adds to the shared reduce: trainings and proxies of made-up rows."""

import dataclasses

import pandas as pd
import pytest

from tasks.attention.attention_classification.config import PRESETS
from tasks.attention.attention_classification.reduce import labels, proxy_notes, proxy_table, training_figure

QUICK = PRESETS["quick"]


def proxies():
    """px is best at epoch 2 on all documents and at epoch 1 on half a."""
    losses = {"all": [0.6, 0.5], "a": [0.4, 0.45], "b": [0.8, 0.55]}
    chosen = {("all", 2), ("a", 1)}
    return pd.DataFrame(
        [
            {
                "dataset": "topics",
                "job_id": "px",
                "proxy": "px",
                "at": float(epoch),
                "part": part,
                "metric": "loss",
                "value": values[epoch - 1],
                "chosen": (part, epoch) in chosen,
            }
            for part, values in losses.items()
            for epoch in (1, 2)
        ]
    )


def curve(**changed):
    runs = [("normal", 20), ("normal", 13), ("uniform", 12)]
    rows = [
        {"dataset": "topics", "kind": kind, "seed": seed, "step": step, "loss": 0.7 - step / 100}
        for kind, seed in runs
        for step in (10, 20)
    ]
    return pd.DataFrame(rows).assign(**changed)


def test_a_proxy_is_judged_on_the_half_that_did_not_choose_it():
    table = proxy_table(proxies()).set_index("part")
    assert table.loc["all", ["at", "value"]].tolist() == [2, 0.5]
    assert table.loc["a", ["at", "value", "others_value"]].tolist() == [1, 0.4, 0.8]
    (note,) = proxy_notes(proxy_table(proxies()))
    assert "half a alone chooses epoch 1, which has 0.8 nats a document on half b" in note


@pytest.mark.parametrize("datasets", [1, 4])
def test_every_run_has_a_line_and_every_data_set_a_panel(datasets):
    rows = pd.concat([curve(dataset=f"set{number}") for number in range(datasets)])
    figure = training_figure(rows, QUICK)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == datasets
    assert all(len(axis.lines) == 3 + 1 for axis in shown)
    assert len(figure.legends) == 1


def test_data_sets_are_named_as_their_rows_are():
    config = dataclasses.replace(QUICK, datasets=("ag_news", "topics"))
    assert labels(config).datasets == ("AG_News", "topics")
    assert set(labels(config).steps.values()) == {QUICK.saves}
