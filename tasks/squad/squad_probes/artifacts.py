"""Trained probes on disk: `probes.safetensors` and `probes.json`, written by training, read by prediction.

Dimensions: L layers, G probes a level, H hidden.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

TENSORS, NAMES = "probes.safetensors", "probes.json"
KEY = ("solver", "learning_rate", "l2", "seed", "epoch")


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
        probes = [{name: probe[name] for name in KEY} for probe in found["probes"]]
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
