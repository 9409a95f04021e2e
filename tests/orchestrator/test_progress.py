import io
from collections import Counter

from rich.console import Console

from orchestrator import progress as progress_module
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from tests import toy


def start(console: Console, monkeypatch, **options) -> tuple[Progress, list[float]]:
    clock = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: clock[0])
    plan = make_plan(toy.plan(toy.Config(numbers=tuple(range(1, 11)))))
    progress = Progress(console, **options)
    progress.start(plan, list(plan.jobs)[3:])
    return progress, clock


def test_without_a_terminal_there_is_a_plain_line_now_and_then(monkeypatch):
    text = io.StringIO()
    progress, clock = start(Console(file=text, width=40), monkeypatch, seconds_left={"toy_square": 160.0}, slots=2)
    for second in range(1, 25):
        clock[0] = float(second)
        if second % 6 == 0:
            progress.done("toy_square", 1.0)
        progress.running(Counter(toy_square=2))
    progress.failed("toy_square")
    progress.note("[lib] something is [wrong]")
    progress.stop()
    lines = text.getvalue().splitlines()
    assert len(lines) == 5  # the start, two on the way, the note, the end; none is wrapped
    assert lines[0] == "[0 s] toy_square: 0/8 done, 0 in flight, 2 already there; about 80 s left"
    assert lines[1].startswith("[10 s] toy_square: 1/8 done, 2 in flight, 6 a minute, 2 already there; about 70 s left")
    assert lines[3] == "[lib] something is [wrong]"  # brackets are no markup
    assert "4/8 done" in lines[4]
    assert "1 failed or blocked" in lines[4]


def test_on_a_terminal_there_is_a_bar_a_stage(monkeypatch):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=140)
    plan = make_plan(toy.plan(toy.Config()))
    progress = Progress(console)
    progress.start(plan, list(plan.jobs))
    for _ in range(3):
        progress.done("toy_square", 1.0)
    progress.note("a note above the bars")
    progress.stop()
    shown = text.getvalue()
    assert "toy_prepare" in shown
    assert "3/3 done" in shown
    assert "a note above the bars" in shown


def test_a_rate_is_a_plain_number(monkeypatch):
    text = io.StringIO()
    progress, clock = start(Console(file=text, width=140), monkeypatch)
    clock[0] = 0.02
    for _ in range(4):
        progress.done("toy_square", 0.0)
    progress.stop()
    assert "200 a second" in text.getvalue().splitlines()[-1]
