"""A Dask scheduler and its workers, as processes of their own that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


class Cluster:
    """Processes on this machine.

    Attributes:
        address: of the scheduler.
        workers: that were started, each the only process of its group but for its own child.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.folder, self._port = f"tcp://127.0.0.1:{port}", folder, port
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_scheduler(self) -> None:
        self.scheduler = self._start("scheduler", "--port", str(self._port), "--host", "127.0.0.1")

    def start_worker(self) -> None:
        options = ("--nthreads", "1", "--memory-limit", "0", "--local-directory", str(self.folder))
        self.workers.append(self._start("worker", self.address, *options))

    def kill_worker(self) -> None:
        """Kill the first worker and the nanny that would start it again, as when a machine goes."""
        self._kill(self.workers.pop(0))

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self._kill(self.scheduler)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        here = str(Path(__file__).parent)
        with open(self.folder / f"{what}.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options],
                env=os.environ | {"PYTHONPATH": os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])},
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A cluster that is killed at the end, whatever is left of it."""
    started = Cluster(folder)
    try:
        started.start_scheduler()
        for _ in range(workers):
            started.start_worker()
        yield started
    finally:
        started.kill_scheduler()
        while started.workers:
            started.kill_worker()
