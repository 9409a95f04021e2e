"""What the stages hand to each other on disk: trained probes, predictions of all probes, dev losses.

`probes.safetensors` and `probes.json` are written by training; `predictions.parquet`, with a row group for each level,
probe and decoder, and `losses.json` by prediction.

Dimensions: L layers, G probes a level, H hidden.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.squad.decoding import Predictions
from tasks.squad.squad_probes.stages import PROBE_KEY

TENSORS, NAMES = "probes.safetensors", "probes.json"
PREDICTIONS = "predictions.parquet"
LOSSES = "losses.json"
DECODERS = ("proper", "legacy")
SCHEMA = pa.schema(
    [
        ("level", pa.int32()),
        ("solver", pa.string()),
        ("learning_rate", pa.float64()),
        ("l2", pa.float64()),
        ("seed", pa.int64()),
        ("epoch", pa.int32()),
        ("decoder", pa.string()),
        ("question_id", pa.string()),
        ("text", pa.string()),  # the prediction; "" for no answer
        ("best_text", pa.string()),  # what it would be if every question had an answer; null with legacy
        ("null_odds", pa.float64()),  # null score minus the best span's; null with legacy
    ]
)


def write_probes(directory: Path, weights: Tensor, probes: Sequence[dict[str, Any]], settings: dict[str, Any]) -> None:
    """Write weights [L+1, G, 2, H] as float32 and what the G probes are."""
    save_file({"weights": weights.detach().float().cpu().contiguous()}, directory / TENSORS)
    (directory / NAMES).write_text(json.dumps({"settings": settings, "probes": list(probes)}, indent=1) + "\n", "utf-8")


def read_probes(directory: Path) -> tuple[Tensor, list[dict[str, Any]]]:
    """Weights float32 [L+1, G, 2, H] (0 start, 1 end), and solver, learning_rate, l2, seed and epoch of the G probes.

    Raises:
        ValueError: files are missing or broken, do not belong together, or a weight is not finite.
    """
    again = "run the job that trains the probes again"
    try:
        weights = load_file(directory / TENSORS)["weights"]
        found = json.loads((directory / NAMES).read_text("utf-8"))
        probes = [{name: probe[name] for name in PROBE_KEY[1:]} for probe in found["probes"]]
        settings = {name: int(found["settings"][name]) for name in ("n_levels", "width")}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{directory}: no readable probes ({type(problem).__name__}: {problem}); {again}") from problem
    wanted = (settings["n_levels"], len(probes), 2, settings["width"])
    if tuple(weights.shape) != wanted:
        raise ValueError(f"{directory}: weights of the shape {tuple(weights.shape)}, not {wanted}; {again}")
    if not weights.isfinite().all():
        level, probe = (~weights.isfinite()).nonzero()[0][:2].tolist()
        raise ValueError(f"{directory}: the weights at level {level} of {probes[probe]} are not finite; {again}")
    return weights.to(torch.float32), probes


def predictions_table(constants: dict[str, Any], ids: pa.Array, found: Predictions) -> pa.Table:
    """One level, probe and decoder (`constants`): a row a question."""
    Q = len(ids)
    columns: dict[str, Any] = {
        name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), Q) for name, value in constants.items()
    }
    columns |= {"question_id": ids, "text": pa.array(found.text, pa.string())}
    columns["best_text"] = pa.nulls(Q, pa.string()) if found.best_text is None else pa.array(found.best_text)
    columns["null_odds"] = pa.nulls(Q, pa.float64()) if found.null_odds is None else pa.array(found.null_odds)
    return pa.table(columns, schema=SCHEMA)


def read_predictions(directory: Path) -> Iterator[tuple[dict[str, Any], list[str], Predictions]]:
    """For each level, probe and decoder of an artifact: what it is, the questions' ids, their predictions.

    Raises:
        ValueError: the directory holds no predictions.
    """
    path = _written(directory, PREDICTIONS)
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            lead = {name: table.column(name)[0].as_py() for name in ("level", *PROBE_KEY[1:], "decoder")}
            legacy = lead["decoder"] == "legacy"
            found = Predictions(
                text=table.column("text").to_pylist(),
                best_text=None if legacy else table.column("best_text").to_pylist(),
                null_odds=None if legacy else table.column("null_odds").to_numpy(),
            )
            yield lead, table.column("question_id").to_pylist(), found


def write_losses(directory: Path, losses_VG: np.ndarray, probes: Sequence[dict[str, Any]]) -> None:
    """Dev losses of G probes at V levels, nats."""
    rows = [
        {"level": level, **probe, "loss": float(loss)}
        for level, losses_G in enumerate(losses_VG)
        for probe, loss in zip(probes, losses_G, strict=True)
    ]
    (directory / LOSSES).write_text(json.dumps(rows), encoding="utf-8")


def read_losses(directory: Path) -> dict[tuple[Any, ...], float]:
    """The losses by level, solver, learning rate, l2, seed and epoch.

    Raises:
        ValueError: the directory holds none.
    """
    rows = json.loads(_written(directory, LOSSES).read_text(encoding="utf-8"))
    return {tuple(row[name] for name in PROBE_KEY): row["loss"] for row in rows}


def _written(directory: Path, name: str) -> Path:
    path = Path(directory) / name
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected an artifact of probe_predict, run its job again")
    return path
