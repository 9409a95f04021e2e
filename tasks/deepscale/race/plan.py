"""The stage `choice_tokens` as the plan sees it: its parameters, its Stage and the job of a task. Imports no torch."""

from dataclasses import dataclass

from orchestrator.experiment import Job, Stage
from orchestrator.limits import Limited, Positive, require
from tasks.data.places import places
from tasks.data.plan import ExampleLimits
from tasks.data.tokenizers import locate_tokenizer
from tasks.deepscale.race.sources import locate

LEAST = 8  # tokens of an article at least, beside the longest question
SPECIAL = 3  # [CLS] and two [SEP]


@dataclass(frozen=True, kw_only=True)
class QuestionLength(Limited):
    """How much of a question is used."""

    question_length: Positive = 128
    """Maximum length of a question with one of its options in tokens; cut at the end."""


@dataclass(frozen=True, kw_only=True)
class _Tokenised(Limited):
    task: str
    tokenizer: str
    """Name of the tokenizer; the own name of a directory."""
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    max_length: int
    """Tokens of question, option and article together, special ones included: the article is cut at its end."""


@dataclass(frozen=True, kw_only=True)
class ChoiceTokensParams(ExampleLimits, QuestionLength, _Tokenised):
    """Everything that shapes the bytes of tokenised questions, beside the data's fingerprint; limits are of
    questions."""

    def __post_init__(self):
        super().__post_init__()
        most = self.max_length - SPECIAL - LEAST
        remedy = f"at most {most}, or longer sequences: they have {self.max_length} tokens"
        require(self.question_length <= most, "question_length", self.question_length, remedy)


CHOICE_TOKENS = Stage(
    name="choice_tokens",
    function="tasks.deepscale.race.tokenised:choice_tokens",
    params=ChoiceTokensParams,
    artifact=True,
)


def choice_tokens_job(
    task: str,
    data_dir: str | None,
    tokenizer: str,
    max_length: int,
    question_length: int,
    train_limit: int | None,
    dev_limit: int | None,
) -> Job:
    """The job that tokenises a task of choices. Where data and tokenizer lie is no part of its identity.

    Raises:
        ValueError: for an unknown task, length or limit.
        DataError: when data or tokenizer are missing or bad.
    """
    source, ref = locate(task, data_dir), locate_tokenizer(tokenizer)
    params = ChoiceTokensParams(
        task=task,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        max_length=max_length,
        question_length=question_length,
        train_limit=train_limit,
        dev_limit=dev_limit,
    )
    return Job(stage=CHOICE_TOKENS, params=params, fingerprints={task: source.fingerprint}, paths=places(source, ref))
