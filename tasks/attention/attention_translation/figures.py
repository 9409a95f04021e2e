"""The figure of the trainings: loss and accuracy against updates."""

import pandas as pd
from matplotlib.figure import Figure

from tasks.analysis.panels import of

STYLES = {"normal": "-", "uniform": "--"}
PANELS = {"loss": "training loss (nats a target position)", "val_accuracy": "accuracy of the next word on val (%)"}


def training_figure(rows: pd.DataFrame) -> Figure:
    """A panel a metric, a line a run.

    Args:
        rows: of the table `training`, of one data set.
    """
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    for axes, (metric, label) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        mine = of(rows, metric=metric)
        runs = sorted(set(zip(mine["kind"], mine["seed"], strict=True)))
        for number, (kind, seed) in enumerate(runs):
            line = of(mine, kind=kind, seed=seed).sort_values("step")
            axes.plot(
                line["step"], line["value"], STYLES[str(kind)], color=f"C{number}", lw=1.4, label=f"{kind} {seed}"
            )
        axes.set_xlabel("updates")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3, lw=0.5)
    figure.axes[0].legend(frameon=False)
    return figure
