"""Examples run as they stand, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.slow  # measured: 10 to 20 s each


def run(name, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_search_on_two_workers(tmp_path):
    pytest.importorskip("distributed")
    assert "2 workers chose alpha=1.0: 0.9" in run("search_on_a_cluster.py", tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("plot_*.py")))
def test_the_gallery(name, tmp_path):
    pytest.importorskip("matplotlib")
    run(name, tmp_path)
