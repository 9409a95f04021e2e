"""Figures look the same whatever the environment says, and the environment is left as it was."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRAW = """
import hashlib, sys
from orchestrator.reduce import _picture, figure_style
with figure_style():
    from matplotlib.figure import Figure
    figure = Figure()
    axis = figure.subplots()
    axis.plot([1, 2], [3, 5], label="a line")
    axis.set_title("σ against depth")
    axis.legend()
    pictures = [_picture(figure, kind) for kind in ("png", "svg")]
print([hashlib.sha256(picture).hexdigest() for picture in pictures])
import os, matplotlib
print(os.environ.get("MPLBACKEND"), matplotlib.rcParams["font.size"], file=sys.stderr)
"""


def draw(**environment: str) -> tuple[str, str]:
    """(digests of the pictures, what the environment is afterwards)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MPL") and name != "MATPLOTLIBRC"}
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        capture_output=True,
        text=True,
        check=True,
        env=kept | environment,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout, done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def plain() -> str:
    return draw()[0]


@pytest.mark.parametrize("backend", ["no such backend", "module://nothing.there", "tkagg", "pdf"])
def test_no_backend_is_asked(plain, backend):
    pictures, after = draw(MPLBACKEND=backend)
    assert pictures == plain
    assert after.startswith(backend)


def test_a_matplotlibrc_of_the_user_changes_nothing_and_stays_in_force(plain, tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 31\naxes.grid: False\nlines.linewidth: 9\nsavefig.dpi: 20\nsavefig.format: pdf\n"
        "axes.prop_cycle: cycler('color', ['r'])\nsvg.fonttype: none\nsavefig.transparent: True\n"
    )
    pictures, after = draw(MATPLOTLIBRC=str(tmp_path))
    assert pictures == plain
    assert after == "None 31.0"
