"""The benchmarks run as they are typed, do the work they claim, and print what they promise."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = {"name", "value", "unit", "against", "ratio", "target", "met"}


@pytest.mark.timeout(900)
async def test_every_benchmark_prints_a_ratio_against_its_peer() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "bench", "--json"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    results = json.loads(printed)
    assert [one["name"] for one in results] == ["seal-open", "submits", "checkup", "notices"]
    for one in results:
        assert set(one) == MEMBERS
        assert one["against"]
        for figure in (one["value"], one["ratio"]):
            assert math.isfinite(figure)
            assert figure > 0
        assert one["met"] is (None if one["target"] is None else one["ratio"] >= one["target"])
