"""No secret of the environment leaves a process; and what is none stays as it is."""

import json

import pytest

from orchestrator.printable import printable
from orchestrator.secrets import redact, redactor

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "HF_TOKEN": "hf_QwErTy1234567890abcdEFGH",
    "MLFLOW_TRACKING_TOKEN": "eyJhbGciOi.JIUzI1NiJ9-x_y",
    "PGPASSWORD": "correct horse 'battery' \\ staple",
    "GOOGLE_CREDENTIALS": '{"private_key": "line1\\nline2", "id": 7}',
    "DEPLOY_KEY": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----",
    "some_apikey": "0123abcd4567efgh",
    "MYSQL_PWD": "hunterhunter",
    "API_TOKENS": "tok1-aaaa,tok2-bbbb",
}


def written(value: str) -> list[str]:
    """The ways in which a value shows up in messages."""
    return [value, repr(value), json.dumps(value), repr({"x": value}), repr([value.encode()])]


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_go(name):
    value = SECRETS[name]
    for text in written(value):
        shown = redactor({name: value})(f"before {text} after")
        assert "***" in shown
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        for piece in value.replace("'", "\n").replace("\\", "\n").replace('"', "\n").splitlines():
            assert len(piece.strip()) < 8 or piece.strip() not in shown, (piece, shown)


def test_the_lines_of_a_private_key_go_one_by_one():
    assert redactor(SECRETS)("> MIIEvQIBADANBgkqhkiG9w0BAQEF <") == "> *** <"


def test_one_secret_inside_another_goes_whole():
    hide = redactor({"A_TOKEN": "abcdefgh1", "B_TOKEN": "abcdefgh1-and-more-2"})
    assert hide("x abcdefgh1-and-more-2 y abcdefgh1 z") == "x *** y *** z"


INNOCENT = {
    "TOKENIZERS_PARALLELISM": "enabled-for-all-1",
    "PATH": "/usr/bin:/bin:/home/someone1/bin",
    "SORT_KEY": "experiment",
    "CACHE_KEY": "glue-depth",
    "A_KEY": "short1",
    "RATE_TOKENS": "1000000000",
    "HOME": "/root/12345678",
    "KEYBOARD": "pc105-portuguese",
    "SSH_AUTH_SOCK": "/",
    "GOOGLE_APPLICATION_CREDENTIALS": __file__,
    "PWD": "/",
    "AUTHOR": "someone-with-1-name",
    "MONKEYS": "",
}


def test_innocent_values_stay():
    hide = redactor(INNOCENT)
    assert hide.values == ()
    text = " ".join([*INNOCENT.values(), *INNOCENT, "the experiment glue-depth took 1000000000 tokens"])
    assert hide(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:password@host/x", "https://***@host/x"),
        ("postgresql+psycopg://u:p@db:5432/x", "postgresql+psycopg://***@db:5432/x"),
        ("clone https://ghp_0123456789abcdef@github.com/x", "clone https://***@github.com/x"),
        ("no such file: 's3:/key:s3cr3t@bucket/x'", "no such file: 's3:/***@bucket/x'"),
        ("'s3://AKIAKEY:s3cr3t%2F@bucket/a'", "'s3://***@bucket/a'"),
        (
            "s3://b/x?endpoint_override=localhost:9000&secret_key=hunter2&scheme=http",
            "s3://b/x?endpoint_override=localhost:9000&secret_key=***&scheme=http",
        ),
        (
            "https://b.s3.amazonaws.com/o?X-Amz-Credential=AK%2F2026&X-Amz-Date=2026&X-Amz-Signature=0af1",
            "https://b.s3.amazonaws.com/o?X-Amz-Credential=***&X-Amz-Date=2026&X-Amz-Signature=***",
        ),
        ("https://a.blob.core.windows.net/c?sv=2026&sig=abc%3D", "https://a.blob.core.windows.net/c?sv=2026&sig=***"),
    ],
)
def test_addresses_lose_their_keys(text, shown):
    assert redactor({})(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ValueError: number 2 is bad",
        "s3://bucket/sweeps/toy/x?endpoint_override=localhost:9000&scheme=http",
        "https://huggingface.co/albert/albert-large-v2/resolve/main/config.json?download=true",
        "http://127.0.0.1:8265/a@b",
        "ssh://root@node1:22/x",
        "mail someone@example.org, or see https://example.org: it says a=b; c:d@e",
        "git+ssh://git@github.com:org/repo",
        "the key column 'seed' is not in the schema; tokens=128 max_token=3",
        "job 0123456789abcdef of toy_square done in 0.1 s on host-7",
        "KeyError: 'token_type_ids'",
        'File "/home/me/sweeps/secrets/keys.py", line 3, in key: password = ask()',
        "python sweep.py --experiment toy --numbers 1-4,8 --model albert/albert-large-v2",
        "",
    ],
)
def test_innocent_text_stays(text):
    assert redactor({})(text) == printable(text) == text


def test_redact_reads_the_environment_as_it_is_now(monkeypatch):
    monkeypatch.setenv("A_NEW_TOKEN", "n3w-t0ken-value")
    assert redact("see n3w-t0ken-value") == "see ***"
    monkeypatch.delenv("A_NEW_TOKEN")
    assert redact("see n3w-t0ken-value") == "see n3w-t0ken-value"


def test_trees():
    hide = redactor({"A_TOKEN": "n3w-t0ken-value"})
    assert hide.tree({"a": ["n3w-t0ken-value", 1, None, True], "b": {"c": "x"}}) == {
        "a": ["***", 1, None, True],
        "b": {"c": "x"},
    }


def test_control_characters_are_written_out():
    assert printable("a\x1b[2J\x07b\x00\r\nc\td\x9b31m\u202ee\rf") == "a\\x1b[2J\\x07b\\x00\nc\td\\x9b31m\\u202ee\\x0df"
    assert printable("\udcff") == "\\udcff"
    assert printable("Ångström – 日本 ± 🙂") == "Ångström – 日本 ± 🙂"
