"""From the rows of `layernorm_lipschitz` to tables, figures and sentences, whatever part of the sweep is done."""

import pandas as pd
from matplotlib.figure import Figure

from orchestrator.experiment import Results, Summary
from tasks.analysis.panels import of, short
from tasks.transfer.diagnostics.lines import LINE, beside, over_seeds, shift_label
from tasks.transfer.layernorm_lipschitz.captions import CAPTIONS
from tasks.transfer.layernorm_lipschitz.config import Config
from tasks.transfer.layernorm_lipschitz.figures import gain_figure, spread_figure

SITE = ["site", "name", "layer", "place", "kind", "positions"]


def summarise(results: Results, config: Config) -> Summary:
    """Tables, figures and sentences; an empty table stays away, and the notes say what is missing."""
    sites = over_seeds(results.table("sites"), [*SITE, "metric"])
    costs, pretraining = results.table("costs"), results.table("pretraining")
    tables = {
        "beside": beside(sites, [*SITE, "metric"]),
        "sites": sites,
        "costs": costs_by_line(costs),
        "pretraining": pretraining[~pretraining["metric"].isin(["loss", "learning_rate"])],
    }
    figures = draw(sites, config)
    told = notes(sites, costs, config)
    tables = {name: table for name, table in tables.items() if len(table)}
    captions = {name: text for name, text in CAPTIONS.items() if name in tables}
    for name in figures:  # one figure a shift: the caption is the kind's
        kind, _, shift = name.partition("-shift_")
        captions[name] = f"{shift_label(int(shift)).capitalize()}. {CAPTIONS[kind]}"
    return Summary(tables=tables, figures=figures, captions=captions, notes=told)


def draw(sites: pd.DataFrame, config: Config) -> dict[str, Figure]:
    """For each shift 1/sigma and the gains of the layers; where padding counts, 1/sigma as published too."""
    figures = {}
    for shift in sorted(sites["shift"].unique()):
        here = sites[(sites["shift"] == shift) & (sites["layer"] > 0)]

        def chosen(metric: str, positions: str = "valid", here: pd.DataFrame = here) -> pd.DataFrame:
            return of(here, metric=metric, positions=positions)

        figures[f"inverse_sigma-shift_{shift}"] = spread_figure(
            chosen("mean_inverse_sigma"), chosen("sd_inverse_sigma")
        )
        if config.legacy_padding:
            figures[f"inverse_sigma_published-shift_{shift}"] = spread_figure(
                chosen("mean_unbiased", "all"), chosen("sd_unbiased", "all")
            )
        figures[f"gain-shift_{shift}"] = gain_figure(chosen("mean_gain"), chosen("mean_bound"))
    return figures


def costs_by_line(costs: pd.DataFrame) -> pd.DataFrame:
    """What the jobs of each line cost, added up; a pass has `n_sites` LayerNorms."""
    sums = ("n_batches", "n_sentences", "n_tokens", "n_positions", "n_not_finite", "layer_passes", "encoder_seconds")
    return costs.groupby(LINE, as_index=False).agg(
        jobs=("job_id", "nunique"), n_sites=("n_sites", "max"), **{name: (name, "sum") for name in sums}
    )


def notes(sites: pd.DataFrame, costs: pd.DataFrame, config: Config) -> list[str]:
    """What came out, what is missing, and what is not finite."""
    told = []
    inner = sites[(sites["layer"] > 0) & (sites["positions"] == "valid")]
    for key, rows in inner.groupby(["model", "task", "shift"], sort=False):
        model, task, shift = key
        sides = []
        for encoder in ("pretrained", "random"):
            own = of(rows, encoder=encoder)
            sigma, gain = (of(own, metric=name)["mean"] for name in ("mean_inverse_sigma", "mean_gain"))
            if len(sigma):
                text = f"{encoder} {sigma.min():.3f} to {sigma.max():.3f}"
                sides.append(
                    text + (f" (gain {gain.min():.3f} to {gain.max():.3f})" if encoder == "pretrained" else "")
                )
        told.append(
            f"{short(str(model))}, {task}, {shift_label(int(shift))}: mean 1/sigma of the layers' LayerNorms "
            f"{', '.join(sides)}."
        )
    if config.legacy_dropout:
        told.append("Dropout was on for both encoders, as published; it widens what enters the first LayerNorm most.")
    if len(costs):
        share = 1 - costs["n_tokens"].sum() / costs["n_positions"].sum()
        text = f"{share:.0%} of all positions are padding"
        told.append(f"{text}, which the rows of positions all count." if share else f"{text}.")
    planned = len(config.models) * len(config.tasks) * len(config.encoders) * len(config.seeds) * len(config.shifts)
    done = costs["job_id"].nunique()
    if done < planned:
        told.append(f"{planned - done} of {planned} networks and tasks are missing.")
    bad = int(costs["n_not_finite"].sum()) if len(costs) else 0
    told.append(f"{bad:,} values of 1/sigma are not finite" + (", and left out." if bad else "."))
    if len(costs):
        told.append(f"{costs['layer_passes'].sum():,} layer passes in {costs['encoder_seconds'].sum():,.0f} seconds.")
    return told
