"""Published learning rates of pretraining, and of finetuning on MNLI, by the number of the step."""

import csv
from pathlib import Path

import pytest

from tasks.deepscale.deep_bert.steps import learning_rate

with (Path(__file__).parent / "dslm_lr_schedule.csv").open() as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['run']}-{row['iteration_1based']}")
def test_legacy_is_as_published(row):
    step, total = int(row["iteration_1based"]) - 1, int(row["total_iters"])
    ours = learning_rate(float(row["peak_lr"]), step, total, float(row["warmup_fraction"]), legacy=True)
    assert ours == pytest.approx(float(row["lr"]), rel=1e-12)


def test_by_default_the_first_step_counts_and_the_fall_is_as_published():
    rates = [learning_rate(1.0, step, 1000, 0.1) for step in range(1000)]
    published = [learning_rate(1.0, step, 1000, 0.1, legacy=True) for step in range(1001)]
    assert published[0] == 0
    assert rates[:100] == pytest.approx(published[1:101])
    assert rates[100:] == pytest.approx(published[100:1000])
    assert min(rates) > 0
    assert max(rates) == 1


def test_without_warmup_it_falls_from_the_first_step_on():
    assert [learning_rate(2.0, step, 4, 0.0) for step in range(4)] == [2.0, 1.5, 1.0, 0.5]
    assert learning_rate(2.0, 0, 10, 0.01) == 2.0  # a tenth of a step of warm-up
    assert learning_rate(2.0, 0, 4, 0.0, legacy=True) == 2.0
