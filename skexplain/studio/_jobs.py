"""Tasks in processes of their own, one after the other; the server never waits for them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from ._project import Project


class Jobs:
    """A queue of tasks of a project.

    Parameters
    ----------
    project : Project
    on_done : callable
        ``on_done(task)`` is called after a task that ended well.

    Attributes
    ----------
    version : int
        Rises with each change of what `state` returns.
    """

    def __init__(self, project: Project, on_done: Callable[[str], None]) -> None:
        self._project, self._on_done = project, on_done
        self._waiting: deque[str] = deque()
        self._condition = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._running: dict[str, Any] | None = None
        self._error: dict[str, str] | None = None
        self._closed = False
        self.version = 0
        self._thread = threading.Thread(target=self._work, name="skexplain-jobs", daemon=True)
        self._thread.start()

    def add(self, *tasks: str) -> None:
        """Put tasks at the end of the queue, unless they wait there already."""
        with self._condition:
            self._waiting.extend(task for task in tasks if task not in self._waiting)
            self._error = None
            self._changed()

    def cancel(self) -> None:
        """End the task that runs, and forget those that wait."""
        with self._condition:
            self._waiting.clear()
            if self._process is not None:
                self._process.kill()
            if self._running is not None:
                self._running["cancelled"] = True
            self._changed()

    def close(self) -> None:
        """Cancel, and end the thread."""
        with self._condition:
            self._closed = True
        self.cancel()
        self._thread.join(timeout=10)

    def state(self) -> dict[str, Any]:
        """Return what runs, how far it is, what waits, and why the last task failed."""
        with self._condition:
            running = None
            if self._running is not None:
                share, seconds = self._running["share"], monotonic() - self._running["start"]
                # Steps that are reported one by one take equal times; others say nothing of it.
                steady = self._running.get("reports", 0) > 2 and 0.05 < share < 1
                left = seconds / share * (1 - share) if steady else None
                running = {
                    "task": self._running["task"],
                    "share": share,
                    "text": self._running["text"],
                    "seconds_left": left,
                }
            return {"running": running, "waiting": list(self._waiting), "error": self._error}

    def _changed(self) -> None:
        self.version += 1
        self._condition.notify_all()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                task = self._waiting.popleft()
                running = {"task": task, "share": 0.0, "text": "starting", "start": monotonic()}
                self._running = running
                self._changed()
            try:
                error = self._run(task, running)
            except Exception as failure:  # shown on the page; the next task must run
                error = str(failure) or type(failure).__name__
            with self._condition:
                self._process = self._running = None
                if error is not None and "cancelled" not in running:
                    self._error = {"task": task, "text": error}
                    self._waiting.clear()  # later tasks build on it
                self._changed()

    def _run(self, task: str, running: dict[str, Any]) -> str | None:
        """Run a task, and store its results; returns why it failed, or None."""
        command = [sys.executable, "-m", f"{__package__}._worker"]
        command += [str(self._project.folder), task]
        with self._condition:
            if "cancelled" in running:
                return None
            self._process = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        error = self._follow(process, running)
        if error is None:
            self._on_done(task)
        return error

    def _follow(self, process: subprocess.Popen[str], running: dict[str, Any]) -> str | None:
        """Read what a task reports until it ends; returns why it failed, or None."""
        error = None
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                if not isinstance(record, dict):  # some library has printed a line
                    continue
                with self._condition:
                    error = record.pop("error", None)
                    running.update(record)
                    running["reports"] = running.get("reports", 0) + 1
                    self._changed()
        process.wait()
        if error is None and process.returncode < 0:
            error = f"The process was killed by signal {-process.returncode}: is the memory full?"
        elif error is None and process.returncode:
            error = f"The process ended with status {process.returncode}."
        return error
