"""Synchronised sentences as one vector each."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.albert import iterate, shared_layer
from orchestrator.experiment import Context
from tasks.transient_chaos.chaos.long import Last, long_run, write_last
from tests.parity.tiny_albert import tiny_albert
from tests.tasks.transient_chaos.chaos.tiny_chaos import long_params, save_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


def context(model, tmp_path, spreads, width=32) -> Context:
    mean = torch.randn(len(spreads), width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directory = tmp_path / "last"
    directory.mkdir()
    spread = torch.tensor(spreads, dtype=torch.float64)
    write_last(directory, Last(mean_NH=mean, spread_N=spread, layers=300, vocab_size=50, pad_token_id=0))
    return Context(needs={"sweep": directory}, paths={"model": str(model)})


def test_the_vector_moves_as_equal_tokens_do(model, tmp_path):
    given = context(model, tmp_path, [1e-5, 0.2, 1e-5])
    tables = long_run(long_params(model, steps=40, window=20, shown_dimensions=(0, 31)), given)
    start = torch.randn(3, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[[0, 2]]
    seen = {}
    with torch.no_grad():
        iterate(shared_layer(tiny_albert("eager")), start[:, None].expand(-1, 8, -1), 40, None, (seen.__setitem__,))
    rows = pd.DataFrame(tables["long_trajectories"])
    found = rows.pivot_table(index="layer", columns=["sentence", "dimension"], values="value").to_numpy()
    expected = np.stack([seen[t][:, 3][:, [0, 31]].reshape(-1).numpy() for t in range(41)])
    assert rows["layer"].min() == 300
    assert np.abs(found - expected).max() < 1e-12


def test_who_is_followed_and_what_is_reported(model, tmp_path):
    tables = long_run(long_params(model, sentences=2), context(model, tmp_path, [1e-5, 0.2, 1e-6, 1e-7, np.nan]))
    starts = pd.DataFrame(tables["long_starts"])
    assert starts["followed"].tolist() == [True, False, True, False, False]
    assert starts["chaos_layers"].notna().tolist() == [True, False, True, False, False]
    windows = pd.DataFrame(tables["long_windows"])
    assert windows.groupby(["direction", "exponent"]).size().to_dict() == {
        ("across", 1): 8, ("along", 1): 8, ("along", 2): 8,
    }  # fmt: skip
    assert sorted(windows["start"].unique()) == [300, 350, 400, 450]


def test_nothing_synchronised_is_no_error(model, tmp_path):
    tables = long_run(long_params(model), context(model, tmp_path, [0.5, np.nan]))
    assert [row["followed"] for row in tables["long_starts"]] == [False, False]
    assert not tables["long_windows"]


def test_a_sentence_does_not_depend_on_the_others(model, tmp_path):
    """Tangents come from each sentence's own stream; later windows amplify the rounding of other batch shapes."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = long_run(long_params(model), context(model, tmp_path / "a", [1e-5, 1e-5, 1e-5]))
    alone = long_run(long_params(model), context(model, tmp_path / "b", [0.5, 1e-5, 0.5]))
    a, b = (pd.DataFrame(tables["long_windows"]).query("sentence == 1 and start == 300") for tables in (both, alone))
    assert len(a) == 3
    assert np.abs(a["growth"].to_numpy() - b["growth"].to_numpy()).max() < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [({"exponents": 33}, "33 exponents"), ({"shown_dimensions": (32,)}, "32 hidden dimensions")],
)
def test_what_does_not_fit_is_refused(model, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        long_run(long_params(model, **change), context(model, tmp_path, [1e-5]))


def test_an_encoder_of_another_width_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="have width 16"):
        long_run(long_params(model), context(model, tmp_path, [1e-5], width=16))
