import typing

import pytest

from tasks.data.examples import BUILTIN_TASKS, TASKS, Examples, TaskName, task_info
from tasks.data.glue_files import LAYOUTS
from tasks.data.glue_hub import COLUMNS, SIZES


def test_the_tables_name_the_same_tasks():
    assert tuple(TASKS) == typing.get_args(TaskName)
    assert set(LAYOUTS) == set(COLUMNS) == set(SIZES) == set(TASKS) - set(BUILTIN_TASKS)
    for task, info in TASKS.items():
        assert info.name == task
        if task in LAYOUTS:
            assert len(LAYOUTS[task].texts) == len(COLUMNS[task][1]) == 1 + info.is_pair
            assert info.is_regression or len(LAYOUTS[task].labels) == info.n_outputs
            assert tuple(SIZES[task]) == info.splits


def test_outputs_and_splits():
    assert [TASKS[t].n_outputs for t in ("STS-B", "similarity", "MNLI", "CoLA")] == [1, 1, 3, 2]
    assert TASKS["MNLI"].splits == ("train", "dev_matched", "dev_mismatched")
    assert TASKS["MNLI"].label_names == ("contradiction", "entailment", "neutral")
    assert TASKS["RTE"].label_names == TASKS["QNLI"].label_names == ("entailment", "not_entailment")


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 first texts, 1 second texts and 2 labels"):
        Examples(first=["a", "b"], second=["c"], labels=[0, 1])


def test_unknown_task_lists_the_known():
    with pytest.raises(ValueError, match=r"'RET'; choose one of CoLA, .* similarity"):
        task_info("RET")
