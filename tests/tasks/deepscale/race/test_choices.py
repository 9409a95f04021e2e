"""The builtin questions, and the tokens of questions with their passages."""

import itertools
from collections import Counter

import numpy as np
import pytest

from orchestrator.experiment import Context
from tasks.data.builtin import split_sentences
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.deepscale.race import builtin
from tasks.deepscale.race.plan import ChoiceTokensParams, choice_tokens_job
from tasks.deepscale.race.questions import Passage, Question, asked, n_questions
from tasks.deepscale.race.tokenised import limited, open_choices


def test_builtin_answers_follow_their_passage_and_nothing_else_tells_them():
    sentences = [(topic, sentence) for topic, _, sentence in split_sentences("dev")]
    topic_of = {sentence: topic for topic, sentence in sentences}
    before = {after[1]: first[1] for first, after in itertools.pairwise(sentences)}
    used: Counter[str] = Counter()
    for passage in builtin.passages("dev"):
        (question,) = passage.questions
        right = question.options[question.answer]
        assert passage.text.endswith(before[right])
        assert len(set(question.options)) == 4
        wrong = [option for option in question.options if option != right]
        assert all(topic_of[option] != topic_of[right] for option in wrong)
        used.update(wrong)
    assert set(used.values()) == {3}  # once right and three times wrong: an option alone tells nothing


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    job = choice_tokens_job("continuation", None, "builtin", 64, 20, 15, 10)
    directory = tmp_path_factory.mktemp("choices")
    job.stage.load()(job.params, Context(artifact=directory, paths=job.paths))
    return directory


def test_a_row_is_question_with_option_then_the_passage_up_to_the_length(tokens):
    split = open_choices(tokens, "train")
    passages = limited(builtin.passages("train"), 15, "continuation", "train")
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    assert len(split) == n_questions(passages) == 15
    at = [3, 14, 0]
    ids, types, mask = split.batch(at)
    assert ids.shape == (12, int(split.lengths[at].max()))
    for b, index in enumerate(at):
        (question,) = passages[index].questions
        assert split.labels[index] == question.answer
        for c, text in enumerate(asked(question)):
            first = tokenizer(text, add_special_tokens=False)["input_ids"][:20]
            second = tokenizer(passages[index].text, add_special_tokens=False)["input_ids"][: 64 - 3 - len(first)]
            row = [tokenizer.cls_token_id, *first, tokenizer.sep_token_id, *second, tokenizer.sep_token_id]
            r, padding = 4 * b + c, ids.shape[1] - len(row)
            assert ids[r].tolist() == row + [tokenizer.pad_token_id] * padding
            assert int(mask[r].sum()) == len(row) <= split.lengths[index]
            assert types[r].tolist() == [0] * (len(first) + 2) + [1] * (len(second) + 1) + [0] * padding
    assert split.lengths.max() == 64  # some are cut


def test_limits_keep_questions_at_random_and_a_smaller_ones_are_among_a_larger_ones():
    four = ("a", "b", "c", "d")
    passages = [Passage(str(i), "text", tuple(Question(f"{i}-{k}", four, 0) for k in range(3))) for i in range(20)]
    few, more = ({q.text for p in limited(passages, n, "RACE", "train") for q in p.questions} for n in (5, 17))
    assert (len(few), len(more)) == (5, 17)
    assert few < more
    assert limited(passages, 60, "RACE", "train") is passages


def test_bad_indices_and_lengths_are_refused(tokens):
    split = open_choices(tokens, "dev")
    with pytest.raises(IndexError, match="expected 0 to 9"):
        split.batch(np.array([10]))
    with pytest.raises(ValueError, match="at least one index"):
        split.batch([])
    with pytest.raises(ValueError, match="question-length is 60: give at most 53, or longer sequences"):
        ChoiceTokensParams(task="RACE", tokenizer="x", tokenizer_revision="y", max_length=64, question_length=60)
    with pytest.raises(ValueError, match="no task of choices"):
        choice_tokens_job("SWAG", None, "builtin", 64, 20, None, None)
