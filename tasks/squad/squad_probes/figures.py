"""All figures of `squad_probes`, and what they share: colours, panels, bands, the choice of the rows that are shown."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from tasks.analysis.panels import file_name, of
from tasks.squad.squad_probes.figures_convergence import convergence_figure, training_figure
from tasks.squad.squad_probes.figures_difference import difference_figure
from tasks.squad.squad_probes.figures_levels import decoder_figure, level_figure, published_figure
from tasks.squad.squad_probes.figures_map import heat_map
from tasks.squad.squad_probes.figures_panels import SEPARATE_METRICS


def draw(tables: Mapping[str, pd.DataFrame], curves: pd.DataFrame, always_null: float) -> dict[str, Figure]:
    """The figures that these tables have rows for, by name.

    Args:
        tables: as `reduce.summarise` makes them.
        curves: prepared rows of training curves.
        always_null: score of never answering, percent; NaN: not known.
    """
    found = {
        "by_level": level_figure(tables["selected"], always_null),
        "separated": level_figure(tables["selected"], always_null, SEPARATE_METRICS),
        "difference": difference_figure(tables["differences"], tables["onset"]),
        "heat_map": heat_map(tables["selected"], always_null),
        "decoders": decoder_figure(tables["layers"], always_null),
        "beside_published": published_figure(tables["layers"], tables["published_beside"], always_null),
    }
    for model in sorted(tables["by_epoch"]["model"].astype(str).unique()):
        name = f"convergence-{file_name(model)}"
        found[name] = convergence_figure(of(tables["by_epoch"], model=model), always_null)
    for model in sorted(curves["model"].astype(str).unique()):
        found[f"training_curves-{file_name(model)}"] = training_figure(of(curves, model=model))
    return {name: figure for name, figure in found.items() if figure is not None}
