"""Private memory of this process."""

import re
import threading
from pathlib import Path

_STATUS = Path("/proc/self/status")


def private_megabytes():
    """Return the anonymous resident memory in MB (10^6 bytes), or NaN where Linux's /proc is not.

    Pages of a mapped file do not count: they are the system's cache, which gives them up to whoever
    needs memory.
    """
    if not _STATUS.exists():
        return float("nan")
    return int(re.search(r"^RssAnon:\s*(\d+) kB", _STATUS.read_text(), re.M)[1]) * 1024 / 1e6


class PeakMemory:
    """Watches the private memory while a block runs; `megabytes` is how far it rose."""

    def __enter__(self):
        """Take the level, and start to look."""
        self._before = self._peak = private_megabytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        """Stop looking."""
        self._ended.set()
        self._thread.join()
        self.megabytes = self._peak - self._before

    def _watch(self):
        while not self._ended.wait(0.002):
            self._peak = max(self._peak, private_megabytes())
