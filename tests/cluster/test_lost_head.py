"""The head of a cluster dies under a driver that has joined it: the driver keeps what it has, and says so."""

import pytest

from tests.cluster.conftest import attempts, begun, check_whole, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.mark.parametrize("dies", ["all", "raylet"])
def test_a_head_that_dies(drive, nodes, tmp_path, marks, undisturbed, dies):
    cluster, out = nodes(2), tmp_path / "out"
    arguments = ("--numbers", "1-300", "--marks", marks, "--out", out)
    driver = drive(*arguments, "--seconds", "0.3", address=cluster.address)
    until(lambda: begun(marks).total() >= 20, "jobs to run")
    head, address = cluster.head_node, cluster.address
    if dies == "raylet":
        head.kill_raylet(check_alive=False)
    else:
        cluster.remove_node(head, allow_graceful=False)
    assert driver.wait() == 1, driver.text()
    text, ran = driver.text(), begun(marks).total()
    if dies == "raylet":
        assert f"the Ray cluster at {address} is lost: " in text
        assert "local raylet died" in text
    else:
        assert f"the head of the Ray cluster at {address} has not answered for 25 s: " in text
    assert "jobs are left; the same command goes on from here" in text
    assert "Traceback" not in text
    jobs = attempts(out)  # published, with all that had come back
    assert len(jobs.query("status == 'done'")) >= ran - 5
    assert set(jobs["attempt"]) == {1}  # no job is charged with more than one loss for it
    again = drive(*arguments, address=nodes(2).address)
    assert again.wait() == 0, again.text()
    check_whole(out, undisturbed("1-300"))
    assert begun(marks).total() <= 300 + 5
