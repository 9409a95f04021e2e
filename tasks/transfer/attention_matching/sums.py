"""What is kept of one layer while the proteins go by, and the rows made of it: a few matrices, whatever their number.

Dimensions: B proteins, a heads of the second encoder, b of the first, m = min(a, b) pairs.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metrics.head_matching import Matching, bug_totals, cross_fitted, match_heads, shuffled_heads, total_of

Rows = list[dict[str, Any]]
OVER_PROTEINS = ("matched", "unmatched", "variance", "z")


@dataclass(kw_only=True)
class Moments:
    """Mean and population sd of values that come one after another."""

    count: int = 0
    mean: float = math.nan
    squares: float = 0.0
    """Sum of squared deviations from the mean."""

    def add(self, value: float) -> None:
        """Welford's update."""
        self.count += 1
        if self.count == 1:
            self.mean = value
            return
        step = value - self.mean
        self.mean += step / self.count
        self.squares += step * (value - self.mean)

    @property
    def sd(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else math.nan


@dataclass(kw_only=True)
class PublishedTotals:
    """Totals with the published missing index. They look at the costs of the first h proteins alone (h heads), so
    those are kept, and of the proteins before them the matchings."""

    heads: int
    costs: list[np.ndarray] = field(default_factory=list)
    """[a, b] for each of the first h proteins."""
    matchings: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    """(second, first) of every protein."""

    def update(self, cost_Bab: np.ndarray, matching: Matching) -> None:
        """Take some proteins."""
        self.costs += list(cost_Bab[: self.heads - len(self.costs)])
        self.matchings += list(zip(matching.second, matching.first, strict=True))

    def totals(self) -> np.ndarray:
        """[N] totals of all proteins.

        Raises:
            ValueError: fewer proteins than heads, or encoders with different numbers of heads.
        """
        second, first = (np.stack(part) for part in zip(*self.matchings, strict=True))
        return bug_totals(np.stack(self.costs), Matching(second, first, np.zeros(len(first))))


@dataclass(kw_only=True)
class LayerSums:
    """One layer and choice of tokens. Proteins whose costs are not finite are counted and left out."""

    heads_first: int
    heads_second: int
    published: PublishedTotals | None = None
    not_finite: int = 0
    over: dict[str, Moments] = field(default_factory=lambda: {name: Moments() for name in OVER_PROTEINS})
    """The values of proteins by metric; `variance` is the square of `shuffled_sd`."""
    counts_2: np.ndarray = field(init=False)
    """Proteins of each half."""
    sums_2ab: np.ndarray = field(init=False)
    """Sums of their costs."""
    pairs_ab: np.ndarray = field(init=False)
    """In how many proteins' matchings two heads are a pair."""

    def __post_init__(self):
        shape = (self.heads_second, self.heads_first)
        self.counts_2, self.sums_2ab = np.zeros(2, dtype=np.int64), np.zeros((2, *shape))
        self.pairs_ab = np.zeros(shape, dtype=np.int64)

    @property
    def m(self) -> int:
        """Pairs of a matching."""
        return min(self.heads_first, self.heads_second)

    @property
    def sum_bytes(self) -> int:
        return self.counts_2.nbytes + self.sums_2ab.nbytes + self.pairs_ab.nbytes

    def update(self, cost_Bab: np.ndarray, folds_B: np.ndarray) -> list[dict[str, float]]:
        """Take the costs of some proteins, each of the half 0 or 1.

        Returns:
            The values of each protein by metric, means over the pairs of heads.
        """
        matching = match_heads(cost_Bab)
        mean_B, sd_B = shuffled_heads(cost_Bab)
        found: list[dict[str, float]] = []
        for i, fold in enumerate(folds_B):
            matched, unmatched, sd = (float(x) / self.m for x in (matching.total[i], mean_B[i], sd_B[i]))
            z = (matched - unmatched) / sd if sd > 0 else math.nan
            values = {"matched": matched, "unmatched": unmatched, "shuffled_sd": sd, "z": z}
            found.append(values)
            if not math.isfinite(matched):
                self.not_finite += 1
                continue
            self.counts_2[fold] += 1
            self.sums_2ab[fold] += cost_Bab[i]
            self.pairs_ab[matching.second[i], matching.first[i]] += 1
            values = values | {"variance": sd * sd}
            for name, moments in self.over.items():
                if math.isfinite(values[name]):
                    moments.add(values[name])
        if self.published is not None:
            self.published.update(cost_Bab, matching)
        return found

    def metrics(self) -> dict[str, float]:
        """The metrics of the table `layers` over all proteins taken; NaN where there were none."""
        n = int(self.counts_2.sum())
        cost, unmatched = self.mean_cost, self.over["unmatched"].mean
        best, (_, one_sd) = match_heads(cost), shuffled_heads(cost)
        crossfit, one_sd = cross_fitted(self.sums_2ab, self.counts_2) / self.m, float(one_sd) / self.m
        agreed = self.pairs_ab[best.second, best.first].sum() if n else math.nan
        values = {
            "matched_mean": self.over["matched"].mean,
            "matched_sd": self.over["matched"].sd,
            "unmatched_mean": unmatched,
            "shuffled_sd": math.sqrt(self.over["variance"].mean),
            "z_mean": self.over["z"].mean,
            "one_matching": float(total_of(cost, best)) / self.m,
            "one_shuffled_sd": one_sd,
            "crossfit": crossfit,
            "crossfit_z": (crossfit - unmatched) / one_sd if one_sd > 0 else math.nan,
            "agreement": float(agreed) / (n * self.m) if n else math.nan,
        }
        if self.published is not None:
            totals = self.published.totals()
            values |= {"bug_mean": float(totals.mean()), "bug_sd": float(totals.std())}
        return values

    def pair_rows(self) -> Rows:
        """One row for every two heads."""
        n, cost = int(self.counts_2.sum()), self.mean_cost
        best = match_heads(cost)
        chosen = set(zip(best.second.tolist(), best.first.tolist(), strict=True))
        rows: Rows = []
        for a, b in np.ndindex(cost.shape):
            share = float(self.pairs_ab[a, b]) / n if n else math.nan
            values = {"share": share, "in_matching": (a, b) in chosen, "cost": float(cost[a, b])}
            rows.append({"head_second": a, "head_first": b, **values})
        return rows

    @property
    def mean_cost(self) -> np.ndarray:
        """[a, b]; NaN if no protein was taken."""
        n = int(self.counts_2.sum())
        return self.sums_2ab.sum(0) / n if n else np.full_like(self.sums_2ab[0], np.nan)
