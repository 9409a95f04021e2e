"""The `tokens` stage as the plan sees it: its parameters, its Stage and the job of a task. Imports no torch.

A tokenised data set is an artifact that all jobs of the same task, tokenizer, length and limits share.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from orchestrator.experiment import Job, Stage
from orchestrator.limits import Limited, Positive
from tasks.data.places import places
from tasks.data.sources import Source, locate
from tasks.data.tokenizers import locate_tokenizer

MIN_LENGTH = 8  # a pair's three special tokens, and room for two pieces of each text


@dataclass(frozen=True, kw_only=True)
class ExampleLimits(Limited):
    """How much of a data set is used."""

    train_limit: Positive | None = None
    """Maximum number of training examples, a fixed random part: a smaller limit's are among a larger one's."""
    dev_limit: Positive | None = None
    """Maximum number of examples of each evaluation split, likewise."""

    def limit(self, split: str) -> int | None:
        """The limit of a split."""
        return self.train_limit if split == "train" else self.dev_limit


@dataclass(frozen=True, kw_only=True)
class _Tokenised(Limited):
    task: str
    tokenizer: str
    """Name of the tokenizer; the directory's own name for a local one."""
    tokenizer_revision: str
    """Hash of the tokenizer's content, or the hub's commit."""
    max_length: Annotated[int, Ge(MIN_LENGTH)]
    """Maximum length in tokens, special tokens included; of a pair the longer text is cut first."""


@dataclass(frozen=True, kw_only=True)
class TokensParams(ExampleLimits, _Tokenised):
    """Everything that shapes the bytes of a tokenised task, beside the data's fingerprint."""


TOKENS = Stage(name="tokens", function="tasks.data.tokenised:tokens", params=TokensParams, artifact=True)


def tokens_job(
    task: str,
    data_dir: str | None,
    tokenizer: str,
    max_length: int,
    train_limit: int | None,
    dev_limit: int | None,
) -> Job:
    """The job that tokenises a task. Where data and tokenizer lie is no part of its identity; what is in them is.

    Raises:
        ValueError: for an unknown task, length or limit.
        DataError: when data or tokenizer are missing.
    """
    source, ref = locate(task, data_dir), locate_tokenizer(tokenizer)
    params = TokensParams(
        task=task,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        max_length=max_length,
        train_limit=train_limit,
        dev_limit=dev_limit,
    )
    return Job(stage=TOKENS, params=params, fingerprints={task: source.fingerprint}, paths=places(source, ref))


def planned_sizes(source: Source, train_limit: int | None, dev_limit: int | None) -> dict[str, int]:
    """Examples of each split after the limits, for the cost of a plan."""

    def cut(split: str, size: int) -> int:
        limit = train_limit if split == "train" else dev_limit
        return size if limit is None else min(size, limit)

    return {split: cut(split, size) for split, size in source.sizes.items()}
