"""Head matching streamed against stored maps, at two numbers of proteins. Part of `benchmarks/diagnostics.py`.

The published way stores the attention maps of all proteins and both encoders, then makes every difference of two heads'
maps and matches (tasks/transfer/README.md 6); here with the right totals, on valid positions. As built a batch's maps
are reduced to costs at once. Built in addition: a second cost without special tokens, the null of shuffled heads, and
halves that match for each other, none of which the plain way computes. Each way is a process of its own, which takes
the smaller number first, so that its peaks of memory are its own (with the rows, some 30 KB a protein, and what the
allocator does not give back); seconds are of the processor. Totals must be equal.

Letters: N proteins, L layers, T tokens, h heads.
"""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Row = tuple[str, float, float, float]
Measured = tuple[float, float, np.ndarray]
"""Seconds, MiB at the peak, totals [L, N]."""
LAYERS, HEADS, WIDTH, LONGEST, BATCH = 6, 6, 96, 128, 4
NUMBERS = (32, 128)


def measure() -> list[Row]:
    """What (with both peaks), plain seconds, seconds as built, largest difference of the totals of two heads' maps."""
    rows: list[Row] = []
    for number, plain, built in zip(NUMBERS, _alone(stored), _alone(streamed), strict=True):
        what = (
            f"heads of {LAYERS} layers on {number} proteins; peak beyond the encoders {plain[1]:,.0f} MiB, "
            f"as built {built[1]:,.0f} MiB"
        )
        rows.append((what, plain[0], built[0], float(np.abs(plain[2] - built[2]).max())))
    return rows


def stored() -> list[Measured]:
    """With all maps stored and all differences made, for each of `NUMBERS`."""
    import torch

    from metrics.head_matching import match_heads

    def run(first, second, batches, number: int) -> np.ndarray:
        maps = [torch.zeros(number, LAYERS, HEADS, LONGEST, LONGEST) for _ in range(2)]
        lengths = np.zeros(number, dtype=int)
        for batch in batches:
            lengths[batch.proteins] = batch.lengths
            T = batch.tokens.shape[1]
            for side, kept in zip((first, second), maps, strict=True):
                kept[batch.proteins, ..., :T, :T] = torch.stack(side.maps(batch), dim=1)
        costs = np.zeros((LAYERS, number, HEADS, HEADS))
        for layer in range(LAYERS):
            for i, n in enumerate(lengths):
                one, other = (kept[i, layer, :, :n, :n] for kept in maps)
                costs[layer, i] = (other[:, None] - one[None]).abs().sum(dim=(-2, -1)).double().numpy() / n
        return match_heads(costs).total

    return _measured(run)


def streamed() -> list[Measured]:
    """The matching as built."""

    from tasks.transfer.attention_matching.matching import Work
    from tasks.transfer.attention_matching.stages import MatchingParams

    given = {"protein_task": "made", "split": "made", "model": "scratch", "tokenizer": "made"}
    sizes = {"architecture": "bert", "layers": LAYERS, "width": WIDTH, "heads": HEADS, "intermediate": 4 * WIDTH}
    params = MatchingParams(
        first="random", second="plus", plus="random", tokenizer_revision="", encoder_seed=0, **given, **sizes
    )

    def run(first, second, batches, number: int) -> np.ndarray:
        work = Work(params=params, first=first, second=second)
        rows = [row for row in work.run(batches)["matches"] if row["tokens"] == "all" and row["metric"] == "matched"]
        totals = np.zeros((LAYERS, number))
        for row in rows:
            totals[row["layer"] - 1, row["protein"]] = HEADS * row["value"]
        return totals

    return _measured(run)


def _inputs(number: int):
    """Two random encoders as the sides of a pair, and proteins of 60 to 126 made residues in batches."""
    import torch

    from models.any_encoder import attention_maps, random_any
    from models.transformer import scratch_transformer_config
    from tasks.transfer.comparison.sides import ProteinBatch, Side
    from tasks.transfer.proteins.tokens import frame_batch

    torch.set_num_threads(1)
    config = scratch_transformer_config(
        "bert", layers=LAYERS, width=WIDTH, heads=HEADS, vocab_size=25, positions=LONGEST, pad_token_id=0
    )

    def side(seed: int) -> Side:
        model = random_any(config, seed, attention="eager")
        return Side(
            role="random",
            layers=LAYERS,
            width=WIDTH,
            heads=HEADS,
            model=model,
            states=lambda batch: (),
            maps=lambda batch: attention_maps(model, batch.tokens, None, batch.mask),
        )

    rng = np.random.default_rng(0)
    lengths = [LONGEST - 2] * BATCH + rng.integers(60, LONGEST - 1, number - BATCH).tolist()
    proteins = [rng.integers(1, 21, n) for n in lengths]
    batches = []
    for start in range(0, number, BATCH):
        framed = frame_batch(proteins[start : start + BATCH], LONGEST)
        batches.append(
            ProteinBatch(
                tokens=torch.from_numpy(framed.tokens),
                mask=torch.from_numpy(framed.mask.astype(np.int64)),
                lengths=framed.mask.sum(axis=1),
                proteins=np.arange(start, start + len(framed.tokens)),
            )
        )
    return side(0), side(1), batches


def _measured(run: Callable[..., np.ndarray]) -> list[Measured]:
    import torch

    inputs = [_inputs(number) for number in NUMBERS]
    found, before = [], _memory("VmRSS")
    for number, given in zip(NUMBERS, inputs, strict=True):
        clock = time.process_time()
        with torch.inference_mode():
            totals = run(*given, number)
        found.append((time.process_time() - clock, _memory("VmHWM") - before, totals))
    return found


def _memory(name: str) -> float:
    """A line of this process's status, in MiB: VmRSS is what it holds, VmHWM the most that it has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _alone(way: Callable[[], list[Measured]]) -> list[Measured]:
    """The result of a call in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(way)
