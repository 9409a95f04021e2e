"""The jobs of `multihead_copying`: blocks of candidates that know of those before, then blocks of combinations."""

from collections.abc import Iterator

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.attention.multihead_copying.config import Config
from tasks.attention.multihead_copying.stages import COMBINE_HEADS, SCREEN_HEADS, CombineHeadsParams, ScreenHeadsParams


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config. Candidates are planned up to the most that there may be; blocks that turn out not to be
    needed take no time. `passes` is therefore the most that the sweep can cost.

    Raises:
        ValueError: a setting that has no sequences of this length.
    """
    setting = shared(config.parsed, ScreenHeadsParams)
    screened: list[Job] = []
    if set(config.combined) != {"random"}:
        options = {**setting, **shared(config, ScreenHeadsParams), "wanted": config.wanted}
        for block in _blocks(config.candidates, config.heads_together):
            params = ScreenHeadsParams(heads=block, **options)
            # Of the blocks that may run at the same time none waits for another.
            known = screened[: max(len(screened) - config.lanes + 1, 0)]
            passes = params.passes(params.last_step, len(block) * len(config.data_seeds))
            screened.append(Job(stage=SCREEN_HEADS, params=params, needs=_named(known), passes=passes))
        yield from screened
    options = {**setting, **shared(config, CombineHeadsParams)}
    for combined in config.combined:
        for block in _blocks(config.combinations, config.combinations_together):
            params = CombineHeadsParams(combined=combined, combinations=block, **options)
            yield Job(
                stage=COMBINE_HEADS,
                params=params,
                needs={} if combined == "random" else _named(screened),
                passes=params.passes(params.last_step, len(block)),
            )


def _blocks(count: int, size: int) -> Iterator[tuple[int, ...]]:
    return (tuple(range(first, min(first + size, count))) for first in range(0, count, size))


def _named(jobs: list[Job]) -> dict[str, Job]:
    return {f"block-{number:04d}": job for number, job in enumerate(jobs)}
