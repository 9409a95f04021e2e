"""What every report says in the same words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tasks.analysis.summary import interval, missing, not_finite, summary


def test_empty_tables_stay_away_and_one_of_a_kind_has_the_kinds_caption():
    tables = {"scores": pd.DataFrame({"a": [1]}), "costs": pd.DataFrame({"a": []})}
    made = summary(tables, {"map-shift_0-level_2": Figure()}, {"scores": "Scores.", "map": "A map."}, ["told"])
    assert list(made.tables) == ["scores"]
    assert made.captions == {"scores": "Scores.", "map-shift_0-level_2": "shift 0, level 2. A map."}
    with pytest.raises(KeyError, match="costs"):
        summary({"costs": tables["scores"]}, {}, {"scores": ""}, [])


def test_numbers_in_words():
    assert missing(3, 1200, "networks") == ["1,197 of 1,200 networks are missing."]
    assert missing(3, 3, "networks") == []
    assert not_finite([1.0, np.nan, np.inf], "distances") == "2 of 3 distances are not finite, and left out."
    assert not_finite([], "distances") == "0 of 0 distances are not finite."
    assert interval(0.5, 0.75) == "95 % interval 0.500 to 0.750"
    assert interval(np.nan, np.nan) == "no interval, one run"
