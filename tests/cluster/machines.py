"""Machines for tests of the cluster launcher, made of Linux namespaces: a laptop, a head node and a worker node.

Each has its own network address, host name, processes, home, /tmp and /dev/shm, so real ssh goes between them, `ray
stop` on one hurts nobody else, and pulling a cable is a command. They share one folder, as a cluster shares a network
file system. Nothing has a name outside (no `ip netns`), so any number of such groups live beside each other, and all
of it is gone when the processes are, also when the tests' own process is killed.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

HOME = "/mnt/home"
SHARED = "/mnt/shared"
LAPTOP, HEAD, WORKER = "10.77.0.1", "10.77.0.2", "10.77.0.3"
_NODES = {"head": HEAD, "worker": WORKER}
_NEEDED = ("ip", "unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", "rsync", "tmux")
_INSIDE = Path(__file__).with_suffix(".sh")
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Machines:
    """The machines' processes, and where their files are seen from outside."""

    folder: Path
    pids: Mapping[str, int]
    """Process id of each machine's first process, as seen from outside."""

    @property
    def shared(self) -> Path:
        """The folder that all machines see as `SHARED`."""
        return self.folder / "shared"

    def home(self, name: str) -> Path:
        """A machine's `HOME`, from outside."""
        return self.folder / name / "mnt" / "home"

    def run(self, command: str, on: str = "laptop", seconds: float = 300.0, check: bool = True) -> str:
        """Run a shell command in the home of a machine; returns what it printed, errors among it.

        Raises:
            AssertionError: when it fails and `check` is set; with its output.
            subprocess.TimeoutExpired: when it takes longer than `seconds`.
        """
        done = subprocess.run(
            self.command(command, on), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        assert done.returncode == 0 or not check, f"{command!r} on the {on}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def command(self, command: str, on: str = "laptop") -> list[str]:
        """The arguments that run a shell command in the home of a machine, as its user would in a terminal."""
        enter = ["nsenter", "--target", str(self.pids[on]), "--mount", "--uts", "--net", "--pid", f"--wdns={HOME}"]
        clean = ["env", "-i", f"HOME={HOME}", "USER=root", "LANG=C.UTF-8", "TERM=dumb"]
        return [*enter, *clean, "bash", "-c", f"source ~/.bashrc; {command}"]

    def cut(self, name: str) -> None:
        """Pull a node's cable: no packet goes or comes, and nobody is told."""
        _net(self.pids["laptop"], f"ip link set to-{name} down")

    def mend(self, name: str) -> None:
        """Put the cable back."""
        _net(self.pids["laptop"], f"ip link set to-{name} up")


def why_not() -> str | None:
    """What is missing here for machines, in words; None: nothing."""
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    if not Path("/usr/sbin/sshd").exists():
        missing.append("sshd")
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: openssh-server rsync iproute2 tmux)"
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    tried = subprocess.run(["unshare", "-n", "-m", "-p", "-u", "-f", "true"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"this machine allows no namespaces: {tried.stderr.strip()}"


@contextlib.contextmanager
def machines() -> Iterator[Machines]:
    """A laptop, a head and a worker that reach one another, for the time of the block; skips where it is impossible."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="machines-", dir="/tmp"))
    processes: list[subprocess.Popen] = []
    try:
        (folder / "shared").mkdir()
        for name in ("key", "hostkey"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        pids = {}
        for name, address in {"laptop": "", **_NODES}.items():
            processes.append(_start(folder, name, address))
            pids[name] = _first_process(processes[-1], folder, name)
        _connect(pids)
        group = Machines(folder, pids)
        for address in _NODES.values():
            group.run(f"until (exec 3<>/dev/tcp/{address}/22) 2>/dev/null; do sleep 0.1; done", seconds=_START_SECONDS)
        yield group
    finally:
        for process in processes:
            process.kill()  # its child, the first process of the namespace, goes with it, and then all others in it
            process.wait()
        _remove(folder)


def _start(folder: Path, name: str, address: str) -> subprocess.Popen:
    environment = Path(sys.prefix).resolve()
    prefixes = dict.fromkeys([environment, Path(sys.base_prefix).resolve()])
    namespaces = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    inside = [str(_INSIDE), name, str(folder), address, *map(str, prefixes)]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "bash", *inside],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _first_process(process: subprocess.Popen, folder: Path, name: str) -> int:
    end = time.monotonic() + _START_SECONDS
    while not (folder / name / "mnt" / "ready").exists():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the machine {name} did not start:\n{(folder / f'{name}.log').read_text()}")
        time.sleep(0.05)
    [child] = psutil.Process(process.pid).children()
    return child.pid


def _connect(pids: Mapping[str, int]) -> None:
    """Cables from both nodes to a switch in the laptop, and addresses."""
    laptop = pids["laptop"]
    _net(laptop, "ip link add switch type bridge", f"ip addr add {LAPTOP}/24 dev switch", "ip link set switch up")
    for name, address in _NODES.items():
        _net(laptop, f"ip link add to-{name} type veth peer name eth0 netns {pids[name]}")
        _net(laptop, f"ip link set to-{name} master switch up")
        _net(
            pids[name],
            f"ip addr add {address}/24 dev eth0",
            "ip link set eth0 up",
            f"ip route add default via {LAPTOP}",
        )


def _net(pid: int, *commands: str) -> None:
    for command in commands:
        subprocess.run(["nsenter", "--target", str(pid), "--net", *shlex.split(command)], check=True)


def _remove(folder: Path) -> None:
    """Delete the folder, once the last processes in it have gone."""
    end = time.monotonic() + _START_SECONDS
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)
