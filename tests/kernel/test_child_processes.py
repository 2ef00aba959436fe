"""What a process started ends with it, also when it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = "import sys; print('up', flush=True); sys.stdin.read()"
STARTER = f"""
import signal, subprocess, sys
from kernel.store.child_processes import ending_with_us
waits, tells = map(int, sys.argv[1:])
subprocess.run(
    [sys.executable, "-c", {CHILD!r}],
    stdin=waits, stdout=tells, preexec_fn=ending_with_us(signal.SIGTERM),
)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asked of Linux alone")
def test_a_child_ends_with_the_process_that_started_it_and_was_killed() -> None:
    """The child waits for this test alone, and the end of its words is its own end."""
    waits, never_told = os.pipe()
    heard, tells = os.pipe()
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(waits), str(tells)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=(waits, tells),
    )
    os.close(waits)
    os.close(tells)
    try:
        with open(heard, encoding="ascii") as words:
            assert words.readline() == "up\n"
            starter.kill()
            starter.wait()
            assert words.read() == "", "it ended, for nobody holds its words open any more"
    finally:
        os.close(never_told)
