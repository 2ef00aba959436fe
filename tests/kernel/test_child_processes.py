"""What a process started ends with it, also when it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTER = """
import signal, subprocess, sys
from kernel.store.child_processes import ending_with_us
child = subprocess.Popen(
    [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"],
    stdout=subprocess.PIPE, preexec_fn=ending_with_us(signal.SIGTERM),
)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asked of Linux alone")
def test_a_child_ends_with_the_process_that_started_it_and_was_killed() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    with starter.stdout:
        child = int(starter.stdout.readline())
        os.kill(child, 0)
        starter.kill()
        starter.wait()
    until = time.monotonic() + 30
    while is_running(child):
        assert time.monotonic() < until, "the child outlived its parent"
        time.sleep(0.01)


def is_running(process: int) -> bool:
    """Whether it runs; one that ended and whom nobody has asked about is a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
