"""Colours: those of the style file and of the palette are the same, and each tells one thing from another."""

import matplotlib

from tasks import FIGURE_STYLE
from tasks.analysis.palette import CYCLE, ENCODERS, INIT_STYLES


def test_the_style_file_has_the_palettes_cycle():
    style = matplotlib.rc_params_from_file(FIGURE_STYLE, use_default_template=False)
    assert tuple(style["axes.prop_cycle"].by_key()["color"]) == CYCLE


def test_no_two_things_in_a_figure_have_one_colour():
    for colours in (CYCLE, tuple(ENCODERS.values()), tuple(INIT_STYLES.values())):
        assert len(set(colours)) == len(colours)
