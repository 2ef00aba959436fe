"""The rehearsal, with the machine to itself, meets everything it lists in under four minutes."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 240


@pytest.mark.timeout(600)
async def test_a_whole_tender_is_rehearsed_in_under_four_minutes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "rehearse", "--json", "--port", port),
        *("--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    printed, said = await process.communicate()
    assert process.returncode == 0, said.decode()[-4000:]
    summary = json.loads(printed)
    assert summary["ok"]
    assert summary["seconds"] < SECONDS_MAX
