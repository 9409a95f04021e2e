"""`component_moments` through the command line in one process: plan, stage, store, reduce and figures together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main

TINY = [
    *("--experiment", "component_moments", "--preset", "quick", "--backend", "inline"),
    *("--components", "relu", "attention", "ffn_relu", "--points", "6", "--trials", "40"),
    *("--widths", "8", "--tokens", "6"),
]


def test_every_point_and_quantity_is_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.deepscale.component_moments.figures.draw", lambda *given: {})
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    out = tmp_path / "component_moments"
    rows = pd.read_parquet(out / "moments.parquet")
    assert not rows.duplicated(["component", "point", "quantity"]).to_numpy().any()
    assert len(rows) == 3 * 6 * 5
    assert np.isfinite(rows["measured"].to_numpy()).all()
    assert (out / "summary" / "percentiles.parquet").exists()


@pytest.mark.slow
def test_every_figure_is_drawn(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    for name in ("errors", "agreement", "attention_tail", "correlations"):
        assert (tmp_path / "component_moments" / "figures" / f"{name}.png").stat().st_size > 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--components", "linaer"], "linaer"),
        (["--correlations", "1"], "correlations is 1.0: give at least 0 and less than 1"),
        (["--dropouts", "1.5"], "dropouts is 1.5"),
        (["--tokens", "1"], "tokens is 1: give at least 2"),
        (["--trials", "0"], "trials is 0: give at least 1"),
    ],
)
def test_a_wrong_option_ends_with_one_line(arguments, message, tmp_path, capsys):
    try:
        code = main(["--experiment", "component_moments", *arguments, "--out", str(tmp_path)])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "component_moments").exists()
