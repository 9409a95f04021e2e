"""From moments to rows: every pair of levels by every metric, beside independent data and shuffled positions.

What a level's features need is prepared once and serves all its pairs; a draw of independent data with one level of the
second encoder serves all levels of the first that have the same rank.
"""

from typing import Any

import numpy as np

from metrics.moments import CrossMoments
from metrics.similarity import Level, prepare, similarities
from metrics.similarity_null import IndependentDraw, draw_independent
from tasks.training.seeds import numpy_stream
from tasks.transfer.representation_similarity.params import METRICS, SimilarityParams

Rows = list[dict[str, Any]]


class Comparison:
    """The comparisons of one pair of encoders, whose levels come in groups."""

    def __init__(self, params: SimilarityParams):
        self.params = params
        self._how = {"ridge": params.ridge, "legacy_uncentred": params.legacy_uncentred}
        self._prepared: dict[tuple[int, int], Level] = {}

    def rows(self, moments: CrossMoments, levels_first: list[int], levels_second: list[int]) -> Rows:
        """Rows of the table `similarity` for all pairs of these levels."""
        found: Rows = []
        for j, second in enumerate(levels_second):
            y = self._level(moments, 1, j, second)
            pairs = [(i, first, self._level(moments, 0, i, first)) for i, first in enumerate(levels_first)]
            nulls = self._nulls(second, y, {first: x for _, first, x in pairs})
            for i, first, x in pairs:
                values = similarities(x, y, moments.cross(i, j))
                shuffled = similarities(x, y, moments.cross(i, j, shuffled=True))
                size = {
                    "n_rows": moments.count,
                    "dim_first": moments.sum_first.shape[1],
                    "dim_second": moments.sum_second.shape[1],
                    "rank_first": len(x.centred.values_K),
                    "rank_second": len(y.centred.values_K),
                }
                for metric in METRICS:
                    null = np.array([draw[metric] for draw in nulls[first]])
                    found.append(
                        {
                            "level_first": first,
                            "level_second": second,
                            "metric": metric,
                            "value": values[metric],
                            "null_mean": float(null.mean()) if len(null) else float("nan"),
                            "null_sd": float(null.std(ddof=1)) if len(null) > 1 else float("nan"),
                            "null_max": float(null.max()) if len(null) else float("nan"),
                            "shuffled": shuffled[metric],
                            **size,
                        }
                    )
        return found

    def _level(self, moments: CrossMoments, side: int, index: int, level: int) -> Level:
        """Prepared once: the moments of a level are the same in all groups that it is in."""
        if (side, level) not in self._prepared:
            scatter, mean = moments.scatter(side, index), moments.mean(side, index)
            self._prepared[side, level] = prepare(scatter, mean, moments.count, **self._how)
        return self._prepared[side, level]

    def _nulls(self, second: int, y: Level, xs: dict[int, Level]) -> dict[int, list[dict[str, float]]]:
        """Of each level of the first encoder the metrics of every draw; none where a side is constant or not finite."""
        found: dict[int, list[dict[str, float]]] = {level: [] for level in xs}
        if not y.finite:
            return found
        for draw in range(self.params.null_draws):
            drawn: dict[int, IndependentDraw] = {}
            for level, x in xs.items():
                if not x.finite:
                    continue
                rank = len(x.centred.values_K)
                if rank not in drawn:
                    random = numpy_stream(self.params.seed, "null", second, draw, rank)
                    drawn[rank] = draw_independent(rank, y, random, **self._how)
                found[level].append(similarities(x, drawn[rank].level, drawn[rank].cross(x)))
        return found
