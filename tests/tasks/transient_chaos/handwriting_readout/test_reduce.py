"""From rows to summary tables and figures, with what may be missing."""

import numpy as np
import pandas as pd

from tasks.transient_chaos.handwriting_readout.config import Config
from tasks.transient_chaos.handwriting_readout.reduce import (
    best_windows,
    heat_rows,
    summarise,
    window_errors,
    with_network,
)
from tasks.transient_chaos.handwriting_readout.stages import HANDWRITING

CONFIG = Config(best_from=2)


class FakeResults:
    """The `Results` interface over given frames; a table that is not given is empty, with its columns."""

    def __init__(self, **frames):
        self.frames = frames

    jobs = None

    def table(self, name):
        names = ["job_id", *HANDWRITING.tables[name].schema.names, "init_style", "encoder_seed"]
        return self.frames.get(name, pd.DataFrame(columns=names))


def network(encoder, seed):
    style = None if encoder == "pretrained" else "hf_default"
    seed = np.nan if encoder == "pretrained" else seed
    return {"task": "STS-B", "encoder": encoder, "init_style": style, "encoder_seed": seed}


def window_rows(encoder, seed, errors):
    """Rows from {(start, length): error}."""
    fit = {"error_sd": 0.1, "error_median": 0.2, "error_blind": 0.5, "samples": 9, "undefined": 0, "rows": 90}
    fit |= {"features": 17, "rank": 16, "condition": 3.0, "solver": "deflated"}
    return [{**network(encoder, seed), "start": s, "length": n, "error_mean": e, **fit} for (s, n), e in errors.items()]


ROWS = pd.DataFrame(
    window_rows("pretrained", 0, {(0, 1): 0.0, (0, 2): 0.3, (0, 3): 0.2, (1, 2): 0.25, (1, 3): np.nan})
    + window_rows("random", 4, {(0, 1): 0.0, (0, 2): 0.4, (1, 2): 0.6})
    + window_rows("random", 5, {(0, 1): 0.1, (0, 2): 0.8, (1, 2): 0.4})
)


def test_errors_are_averaged_over_seeds():
    table = window_errors(with_network(ROWS)).set_index(["network", "start", "length"])
    row = table.loc[("random (hf_default)", 0, 2)]
    np.testing.assert_allclose([row["error"], row["lowest"], row["highest"]], [0.6, 0.4, 0.8])
    assert (row["seeds"], row["min_norm"]) == (2, 2)
    assert table.loc[("pretrained", 0, 3), "error"] == 0.2


def test_best_windows_are_sought_among_the_long_ones():
    best = best_windows(with_network(ROWS), 2)
    found = best[["network", "encoder_seed", "start", "length", "error_mean"]].fillna(-1).to_numpy().tolist()
    assert found == [
        ["pretrained", -1, 0, 3, 0.2],
        ["random (hf_default)", 4, 0, 2, 0.4],
        ["random (hf_default)", 5, 1, 2, 0.4],
    ]
    assert set(best_windows(with_network(ROWS), 50)["length"]) == {1}
    assert set(heat_rows(window_errors(with_network(ROWS)), 2)["length"]) == {2, 3}
    assert set(heat_rows(window_errors(with_network(ROWS)), 50)["length"]) == {1, 2, 3}


def drawn_rows(share):
    lead = network("random", 4) | {"start": 0, "length": 2, "sample": 3, "label": 5 * share, "share": share}
    return [lead | {"point": j, "x": 1.0, "y": -1.0, "target_x": 0.9, "target_y": -1.1} for j in range(2)]


def sample_rows(seed, errors):
    lead = {**network("random", seed), "start": 0, "length": 2, "best": True, "label": 1.0, "share": 0.2}
    return [{**lead, "sample": i, "error": e} for i, e in enumerate(errors)]


def test_summary_has_its_figures_and_says_what_is_missing():
    faults = pd.DataFrame([{**network("random", 4), "split": "dev", "sample": i, "layer": 7 + i} for i in range(2)])
    costs = ["windows", "deflated", "eigen", "layer_passes"]
    costs += ["encoder_seconds", "sum_seconds", "solve_seconds", "error_seconds"]
    summary = summarise(
        FakeResults(
            windows=ROWS,
            samples=pd.DataFrame(sample_rows(4, [0.1, 0.3]) + sample_rows(5, [9.0])),
            drawings=pd.DataFrame(drawn_rows(1.0)),
            faults=faults,
            costs=pd.DataFrame([{"job_id": "a", **network("random", 4), **dict.fromkeys(costs, 2)}]),
        ),
        CONFIG,
    )
    heat = summary.figures["error_by_window"]
    titles = [axis.get_title() for axis in heat.axes if axis.get_title()]
    assert titles == ["STS-B, pretrained", "STS-B, random (hf_default)"]
    assert [axis.get_xlabel() for axis in heat.axes[:2]] == ["first layer of the window"] * 2
    [histogram] = summary.figures["sample_errors"].axes
    assert "mean 0.2" in histogram.get_legend().get_texts()[0].get_text()  # of the first seed alone
    left, right = summary.figures["letters"].axes
    assert [text.get_text() for text in left.texts] == ["no dev example has this label"]
    assert right.get_aspect() == 1
    assert summary.tables["left_out"][["split", "samples", "first_layer"]].to_numpy().tolist() == [["dev", 2, 7]]
    notes = " ".join(summary.notes)
    assert "no dev example has the label that writes U alone" in notes
    assert "writes S alone" not in notes
