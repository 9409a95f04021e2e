"""The runner against backends that do just what a test says, and the plan that it works on."""

import collections
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from orchestrator import runner as runner_module
from orchestrator.backend import CannotRun, InlineBackend
from orchestrator.call import Outcome
from orchestrator.experiment import Job, Resources, Stage, TableSpec, column
from orchestrator.plan import count_stages, drifted, left_to_do, make_plan
from orchestrator.progress import Progress
from orchestrator.rows import rows_to_table
from orchestrator.runner import Runner
from orchestrator.runs import RunOptions, new_run_id
from orchestrator.store import Store

RUN = "20260101T000000-aaaa"


@dataclass(frozen=True, kw_only=True)
class Params:
    n: int = 0


ROWS = TableSpec(schema=pa.schema([column("value", pa.int64(), "value")]), key=())
PREPARE = Stage(name="prepare", function="x:y", params=Params, artifact=True)
WORK = Stage(name="work", function="x:y", params=Params, tables={"rows": ROWS})
USE = Stage(name="use", function="x:y", params=Params, tables={"rows": ROWS})


def good(n: int = 0) -> Outcome:
    return Outcome(status="done", tables={"rows": rows_to_table([{"value": n}], ROWS, "")}, seconds=2.0, code="now")


def bad(status: str = "failed", message: str = "bad") -> Outcome:
    return Outcome(status=status, error="ValueError", message=message)


@dataclass
class Scripted:
    """Answers each call with the next outcome of its job's script, else with a good one."""

    own_processes = True
    where = "scripted"
    script: dict[str, list[Outcome]] = field(default_factory=dict)
    window: int = 4
    slots: int = 2
    backwards: bool = False
    """Whether the call that was submitted last ends first."""
    queue: collections.deque = field(default_factory=collections.deque)
    submitted: list[str] = field(default_factory=list)
    most: int = 0
    withdrawn: bool = False

    def gpus(self, wants):
        return 0.0

    def check_nodes(self, mark, artifacts):
        return None

    def submit(self, key, call, wants, warm_key):
        self.queue.append((key, call))
        self.submitted.append(call.job_id)
        self.most = max(self.most, len(self.queue))

    def wait(self, seconds):
        if not self.queue:
            return []
        key, call = self.queue.pop() if self.backwards else self.queue.popleft()
        answers = self.script.get(call.job_id)
        outcome = answers.pop(0) if answers else good(call.params.n)
        if self.withdrawn:
            taken = [(key, Outcome(status="withdrawn")) for key, _ in self.queue]
            self.queue.clear()
            return [(key, outcome), *taken]
        return [(key, outcome)]

    def withdraw(self):
        self.withdrawn = True

    def waiting(self):
        return None

    def stalled(self):
        return None

    def watchers(self, experiment, left):
        return ()

    def close(self):
        pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "exp", {"rows": ROWS})


def run(store, jobs, backend, interrupted=lambda: False, **options):
    plan = make_plan(jobs)
    left = left_to_do(plan, store.snapshot(), store.artifacts)
    runner = Runner(
        plan, left, store, backend, Progress(Console(quiet=True)), new_run_id(), RunOptions(**options), interrupted
    )
    return runner.run()


def work(*numbers: int) -> list[Job]:
    return [Job(stage=WORK, params=Params(n=n)) for n in numbers]


def statuses(store) -> list[tuple[str, int]]:
    attempts = store.snapshot().attempts
    return list(zip(attempts["status"].to_pylist(), attempts["attempt"].to_pylist(), strict=True))


def test_all_jobs_run_in_a_bounded_window(store):
    backend = Scripted()
    report = run(store, work(*range(20)), backend)
    assert report.good
    assert report.done == 20
    assert backend.most == 4
    assert sorted(store.read("rows", store.snapshot())["value"].to_pylist()) == list(range(20))


def test_a_job_starts_after_all_that_it_needs(store):
    a, b = work(1, 2)
    c = Job(stage=USE, params=Params(), needs={"a": a, "b": b, "same": a})
    d = Job(stage=USE, params=Params(n=1), needs={"c": c})
    backend = Scripted(backwards=True)
    assert run(store, [d, c], backend).good
    assert backend.submitted[2:] == [c.id, d.id]


def test_the_two_budgets_are_not_mixed(store):
    raises, dies, both = work(1, 2, 3)
    script = {
        raises.id: [bad()] * 9,
        dies.id: [bad("lost")] * 9,
        both.id: [bad("lost"), bad(), bad("lost"), bad("lost"), good()],
    }
    report = run(store, [raises, dies, both], Scripted(script), attempts=2, max_worker_failures=3)
    assert report.failed == {raises.id: "failed", dies.id: "lost"}
    assert report.done == 1
    snapshot = store.snapshot()
    tries = collections.Counter(snapshot.attempts["job_id"].to_pylist())
    assert tries == {raises.id: 2, dies.id: 4, both.id: 5}
    assert snapshot.values("attempt")[both.id] == 5


def test_a_timeout_is_final(store):
    [job] = work(1)
    report = run(store, [job], Scripted({job.id: [bad("timeout")] * 3}), attempts=3)
    assert report.failed == {job.id: "timeout"}
    assert statuses(store) == [("timeout", 1)]


def test_blocked_jobs_name_the_culprit(store):
    a, b = work(1, 2)
    c = Job(stage=USE, params=Params(n=1), needs={"a": a, "b": b})
    d = Job(stage=USE, params=Params(n=2), needs={"c": c})
    e = Job(stage=USE, params=Params(n=3), needs={"b": b})
    backend = Scripted({a.id: [bad(), bad()]})
    report = run(store, [d, e], backend)
    assert report.blocked == {c.id: a.id, d.id: a.id}
    assert report.failed == {a.id: "failed"}
    assert report.done == 2
    assert c.id not in backend.submitted
    assert not report.good


def test_a_stage_whose_first_outcomes_all_fail_alike_is_stopped(store):
    jobs, other = work(*range(100)), Job(stage=USE, params=Params())
    script = {job.id: [bad(message=f"no file /tmp/{i}/x")] * 2 for i, job in enumerate(jobs)}
    user = Job(stage=USE, params=Params(n=1), needs={"x": jobs[99]})
    backend = Scripted(script)
    report = run(store, [*jobs, other, user], backend)
    assert report.done == 1  # other stages go on
    assert len(backend.submitted) <= 20 + backend.window + 1
    assert len(report.failed) + len(report.stopped) == 100
    assert set(report.failed) <= set(backend.submitted)  # those that were tried are reported with their cause
    assert len(report.failed) >= 10
    assert report.blocked == {user.id: jobs[99].id}
    assert report.left == 0


def test_a_stage_whose_failures_differ_goes_on(store):
    jobs = work(*range(40))
    script = {job.id: [bad(message="one" if i else "another")] * 2 for i, job in enumerate(jobs)}
    report = run(store, jobs, Scripted(script))
    assert len(report.failed) == 40
    assert report.stopped == []
    script = {job.id: [bad()] * 2 for job in jobs[1:]}  # one is good
    report = run(Store(store.storage.root + "2", "exp", {"rows": ROWS}), jobs, Scripted(script))
    assert (len(report.failed), report.done) == (39, 1)


def test_an_interrupt_lets_what_runs_finish(store):
    jobs, backend = work(*range(10)), Scripted()
    report = run(store, jobs, backend, interrupted=lambda: len(backend.submitted) >= 4)
    assert len(backend.submitted) == 4
    assert report.done == 2  # one was done, one ran; the others had not started, and were taken back
    assert report.left == 8
    assert not report.good
    assert run(store, jobs, Scripted()).done == 8  # the same again goes on from there


def test_the_second_interrupt_keeps_what_has_come(store):
    backend = Scripted()
    plan = make_plan(work(*range(10)))

    def wait(seconds):
        if len(backend.submitted) > 6:
            raise KeyboardInterrupt
        return Scripted.wait(backend, seconds)

    backend.wait = wait
    runner = Runner(plan, list(plan.jobs), store, backend, Progress(Console(quiet=True)), RUN, RunOptions())
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert runner.report.done == 3
    assert runner.report.left == 7
    assert len(store.snapshot().done) == 3


def test_order_does_not_matter(tmp_path):
    tables = []
    for name, backwards in (("a", False), ("b", True)):
        store = Store(tmp_path / name, "exp", {"rows": ROWS})
        assert run(store, work(*range(30)), Scripted(backwards=backwards)).good
        store.publish()
        tables.append(pq.read_table(f"{store.storage.root}/rows.parquet"))
    assert tables[0].equals(tables[1])


def test_a_full_disk_keeps_the_rows_and_tries_again(store, monkeypatch):
    monkeypatch.setattr("orchestrator.journal.FLUSH_JOBS", 1)
    monkeypatch.setattr(runner_module, "RETRY_SECONDS", 0.0)
    write, failures = type(store.storage).write, [5]

    def full(self, name, data):
        if failures[0] and "/jobs/" in name:
            failures[0] -= 1
            raise OSError(28, "No space left on device")
        write(self, name, data)

    monkeypatch.setattr(type(store.storage), "write", full)
    said = []
    monkeypatch.setattr(Progress, "note", lambda self, text: said.append(text))
    report = run(store, work(*range(10)), Scripted())
    assert report.good
    assert len(store.snapshot().done) == 10
    assert len([s for s in said if "No space left" in s]) == 1


def test_a_disk_that_stays_full_is_said(store, monkeypatch):
    monkeypatch.setattr(runner_module, "RETRY_SECONDS", 0.0)

    def full(self, name, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store.storage), "write", full)
    report = run(store, work(1, 2, 3), Scripted())
    assert report.unwritten == 3
    assert not report.good


def test_a_publication_that_fails_stops_nothing(store, monkeypatch):
    monkeypatch.setattr(runner_module, "PUBLISH_SECONDS", -1.0)
    published = []

    def full():
        published.append(True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "publish", full)
    monkeypatch.setattr(runner_module, "RETRY_SECONDS", 0.0)
    assert run(store, work(*range(5)), Scripted()).good
    assert published


def test_a_slow_publication_waits_for_twenty_times_its_length(store, monkeypatch):
    clock, published, backend = [0.0], [], Scripted()

    def wait(seconds):
        clock[0] += 10
        return Scripted.wait(backend, seconds)

    def publish():
        published.append(clock[0])
        clock[0] += 30.0 if len(published) == 1 else 1.0

    monkeypatch.setattr(runner_module, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=None))
    monkeypatch.setattr(backend, "wait", wait, raising=False)
    monkeypatch.setattr(store, "publish", publish)
    assert run(store, work(*range(100)), backend).good
    assert published[0] == 70  # the first event after a minute
    pauses = [b - a for a, b in pairwise(published)]
    assert pauses[0] == 30 + 20 * 30 + 10  # it took 30 seconds
    assert set(pauses[1:]) == {1 + 60 + 10}  # those that are quick come every minute


def test_it_says_once_in_a_while_why_nothing_starts(store, monkeypatch):
    monkeypatch.setattr(runner_module, "STALL_SECONDS", -1.0)
    said = []
    monkeypatch.setattr(Progress, "note", lambda self, text: said.append(text))
    backend = Scripted()
    answers = iter([[], None])

    def wait(seconds):
        nothing = next(answers, None)
        return nothing if nothing is not None else Scripted.wait(backend, seconds)

    monkeypatch.setattr(backend, "wait", wait, raising=False)
    monkeypatch.setattr(backend, "stalled", lambda: "3 jobs wait: no GPU", raising=False)
    assert run(store, work(1), backend).good
    assert [text for text in said if "GPU" in text] == ["3 jobs wait: no GPU"]


def test_jobs_of_one_warm_key_follow_each_other(store):
    stage = replace(WORK, warm=True)
    jobs = [Job(stage=stage, params=Params(n=n), warm_key="ab"[n % 2]) for n in range(8)]
    backend = Scripted(window=1)
    run(store, jobs, backend)
    keys = {job.id: job.warm_key for job in jobs}
    assert [keys[i] for i in backend.submitted] == list("aaaabbbb")


# The plan.


def test_equal_jobs_are_one(store):
    a, same = work(1)[0], work(1)[0]
    plan = make_plan([Job(stage=USE, params=Params(n=n), needs={"x": x}) for n, x in enumerate((a, same))])
    assert len(plan.jobs) == 3
    assert len(plan.dependents[a.id]) == 2
    assert next(iter(plan.jobs)) == a.id
    assert plan.table().num_rows == 3


def test_a_long_chain_of_needs(store):
    jobs = work(0)
    for n in range(1, 3000):  # longer than Python's stack
        jobs.append(Job(stage=USE, params=Params(n=n), needs={"before": jobs[-1]}))
    plan = make_plan(jobs[-1:])
    assert list(plan.jobs) == [job.id for job in jobs]
    assert plan.dependents[jobs[5].id] == [jobs[6].id]
    backend = Scripted()
    assert run(store, jobs[-1:], backend).done == 3000
    assert backend.submitted == [job.id for job in jobs]


def test_prepared_artifacts_are_made_only_where_they_are_needed(store):
    prepare = Job(stage=PREPARE, params=Params())
    first, second = (Job(stage=USE, params=Params(n=n), needs={"x": prepare}) for n in range(2))
    plan = make_plan([first])
    assert left_to_do(plan, store.snapshot(), store.artifacts) == [prepare.id, first.id]
    journal = store.journal(RUN)
    journal.add(prepare, Outcome(status="done"), 1)
    journal.add(first, good(), 1)
    journal.flush()
    assert left_to_do(plan, store.snapshot(), store.artifacts) == []  # its users are done: nothing is made again
    plan = make_plan([first, second])
    assert left_to_do(plan, store.snapshot(), store.artifacts) == [prepare.id, second.id]  # missing, and needed
    store.artifacts.publish(store.artifacts.workspace("prepare", prepare.id), "prepare", prepare.id)
    assert left_to_do(plan, store.snapshot(), store.artifacts) == [second.id]
    alone = make_plan([Job(stage=PREPARE, params=Params(n=5))])
    assert len(left_to_do(alone, store.snapshot(), store.artifacts)) == 1  # nobody uses it: it is wanted for itself


def test_counts_and_costs(store):
    a, b, c = (Job(stage=WORK, params=Params(n=n), passes=10.0 * n) for n in (1, 2, 3))
    d = Job(stage=USE, params=Params(), needs={"b": b})
    journal = store.journal(RUN)
    journal.add(a, good(), 1)
    journal.add(b, bad(), 1)
    journal.flush()
    plan, snapshot = make_plan([a, c, d]), store.snapshot()
    left = left_to_do(plan, snapshot, store.artifacts)
    work_count, use_count = count_stages(plan, snapshot, left)
    assert (work_count.done, work_count.failed, work_count.new, work_count.blocked) == (1, 1, 1, 0)
    assert (use_count.new, use_count.blocked) == (0, 1)
    assert work_count.passes == 50.0
    assert work_count.hours == pytest.approx(2.0 / 10 * 50 / 3600)  # 2 s for 10 passes, 50 passes left
    assert use_count.hours is None
    assert drifted(plan, snapshot, "now") == set()
    assert drifted(plan, snapshot, "later") == {a.id}


def test_the_inline_backend_refuses_what_needs_a_gpu():
    with pytest.raises(CannotRun, match="--backend ray"):
        InlineBackend().gpus(Resources(num_gpus=1, gpu_required=True))
    assert InlineBackend().gpus(Resources(num_gpus=1)) == 0
