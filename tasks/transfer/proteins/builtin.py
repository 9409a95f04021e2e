"""Builtin protein families, so that a sweep on proteins runs on any machine without a download.

Eight ancestors, drawn with the frequencies of residues in natural proteins, have motifs that hardly change. Each
evolves down a binary tree: on every branch sites mutate, and short stretches come and go. The label, a stability in
arbitrary units, is a smooth function of the ancestor's sites that were lost: 4 / (1 + exp(sum of their weights - 2)),
where motif sites weigh most. It is 3.5 for the ancestor itself, and near 0 where a motif is gone. Train and test are
leaves of the same trees, no sequence twice.
"""

import functools
import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np

from tasks.data.builtin import Draw
from tasks.transfer.proteins.tokens import RESIDUES, encode

SIZES = {"train": 600, "test": 200}
SHORTEST, LONGEST = 20, 60
FAMILIES = 8
GENERATIONS = 7  # 128 leaves a family, 1024 in all
MOTIFS, MOTIF_LENGTH = 2, 5
MUTATION, MOTIF_MUTATION, INDEL = 0.05, 0.006, 0.2  # a site, a motif's site, and a branch
# Per thousand, as in Swiss-Prot; in the order of the alphabet.
FREQUENCIES = (83, 55, 41, 55, 14, 39, 67, 71, 23, 59, 97, 58, 24, 39, 47, 66, 54, 11, 29, 68)


@dataclass(frozen=True)
class Site:
    """A residue, and the ancestor's site that it descends from (None for an insertion)."""

    letter: str
    origin: int | None


@dataclass(frozen=True)
class Ancestor:
    """A family's first sequence."""

    letters: str
    motif: tuple[bool, ...]
    """Whether a site hardly changes."""
    weights: tuple[float, ...]
    """What losing a site costs."""


@functools.cache
def proteins(split: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Sequences and labels of a split, the same on every machine; lengths 20 to 60, labels rounded to 4 digits.

    Raises:
        ValueError: another split than train and test.
    """
    if split not in SIZES:
        raise ValueError(f"builtin has no split {split!r}; choose one of {', '.join(SIZES)}")
    draw = Draw("proteins", "families")
    leaves: dict[str, float] = {}
    for _ in range(FAMILIES):
        ancestor = _ancestor(draw)
        for sites in _leaves(ancestor, draw):
            leaves.setdefault("".join(site.letter for site in sites), _label(ancestor, sites))
    found = list(leaves.items())
    order = draw.order(len(found))
    start = 0 if split == "test" else SIZES["test"]
    chosen = [found[at] for at in order[start : start + SIZES[split]]]
    assert len(chosen) == SIZES[split]
    return tuple(text for text, _ in chosen), tuple(label for _, label in chosen)


def arrays(split: str) -> tuple[list[np.ndarray], list[float]]:
    """Sequences of a split as ids (uint8), and their labels."""
    texts, labels = proteins(split)
    return [encode(text).astype(np.uint8) for text in texts], list(labels)


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of a SHA-256 over all proteins and labels."""
    content = json.dumps([[split, *proteins(split)] for split in SIZES])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _unit(draw: Draw) -> float:
    """Uniform on [0, 1)."""
    return draw.below(1 << 53) / (1 << 53)


def _residue(draw: Draw) -> str:
    at = draw.below(sum(FREQUENCIES))
    for letter, frequency in zip(RESIDUES, FREQUENCIES, strict=False):  # X is not among them
        at -= frequency
        if at < 0:
            return letter
    raise AssertionError("the draw is below the sum of the frequencies")


def _ancestor(draw: Draw) -> Ancestor:
    length = 28 + draw.below(25)
    letters = "".join(_residue(draw) for _ in range(length))
    half = length // MOTIFS
    motif = [False] * length
    for part in range(MOTIFS):  # one in each half
        start = part * half + draw.below(half - MOTIF_LENGTH)
        motif[start : start + MOTIF_LENGTH] = [True] * MOTIF_LENGTH
    weights = tuple(2.0 + _unit(draw) if is_motif else 0.4 * _unit(draw) for is_motif in motif)
    return Ancestor(letters, tuple(motif), weights)


def _leaves(ancestor: Ancestor, draw: Draw) -> list[list[Site]]:
    generation = [[Site(letter, at) for at, letter in enumerate(ancestor.letters)]]
    for _ in range(GENERATIONS):
        generation = [_child(sites, ancestor, draw) for sites in generation for _ in range(2)]
    return generation


def _child(sites: list[Site], ancestor: Ancestor, draw: Draw) -> list[Site]:
    """One branch: substitutions, then perhaps an insertion or a deletion of one or two residues."""
    child = []
    for site in sites:
        kept = site.origin is not None and ancestor.motif[site.origin]
        changes = _unit(draw) < (MOTIF_MUTATION if kept else MUTATION)
        child.append(Site(_residue(draw), site.origin) if changes else site)
    if _unit(draw) < INDEL:
        n, at, inserts = 1 + draw.below(2), draw.below(len(child)), bool(draw.below(2))
        if inserts and len(child) + n <= LONGEST:
            child[at:at] = [Site(_residue(draw), None) for _ in range(n)]
        elif not inserts and len(child) - n >= SHORTEST and not _in_motif(child[at : at + n], ancestor):
            del child[at : at + n]
    return child


def _in_motif(sites: list[Site], ancestor: Ancestor) -> bool:
    return any(site.origin is not None and ancestor.motif[site.origin] for site in sites)


def _label(ancestor: Ancestor, sites: list[Site]) -> float:
    kept = {site.origin for site in sites if site.origin is not None and site.letter == ancestor.letters[site.origin]}
    cost = math.fsum(weight for at, weight in enumerate(ancestor.weights) if at not in kept)
    return round(4 / (1 + math.exp(cost - 2)), 4)  # rounded: the last digit of exp may differ between machines
