"""The command with the studies of this distribution."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="pipes there break otherwise")
def test_a_reader_that_has_read_enough_ends_it_quietly():
    code = "import sys; from skexplain._cli import main; sys.exit(main(['study', 'list']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1) as process:
        process.stdout.close()  # as head does
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGINT for a group of processes")
def test_ctrl_c_in_a_shell_ends_the_workers_too(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys; from skexplain._cli import main; sys.exit(main())",
    ]
    command += ["study", "run", "annotation-budget", "--folder", str(tmp_path), "--n-jobs", "2"]
    process = subprocess.Popen(command, start_new_session=True, stdout=-1, stderr=-1, text=True)
    store = tmp_path / "annotation-budget.jsonl"
    deadline = time.monotonic() + 300
    while not store.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert text.endswith("The same command goes on from there.\ninterrupted\n")
    assert "Traceback" not in text
    deadline = time.monotonic() + 30
    while has_members(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def has_members(process_group):
    try:
        os.killpg(process_group, 0)
    except ProcessLookupError:
        return False
    return True
