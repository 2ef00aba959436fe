"""The rehearsal as its own test, while the public watches it in a real browser.

One process plays the whole life of a tender; beside it a Chromium opens the hall when it comes
alive, sees everything without reloading, and reads the award when it is made.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from kernel.crypto.digests import unb64
from tests.web.browser import assert_axe_clean, assert_no_overflow, chromium, open_page

__all__ = ["chromium"]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 600


@asynccontextmanager
async def rehearsal(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A rehearsal that stays up afterwards; its process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SUNBID_")},
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "300",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "web", "rehearse", "--stay", "--json"),
        *("--data", str(folder / "data"), "--out", str(folder / "out"), "--port", str(port)),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        yield process, f"http://localhost:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        # Somebody may be reading what it says, and is left to: only its end is waited for.
        try:
            async with asyncio.timeout(60):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def line_with(stream: asyncio.StreamReader, pattern: str, heard: list[str]) -> re.Match[str]:
    """The first line that matches; what was said until then is kept for whoever asks why."""
    while line := await stream.readline():
        heard.append(line.decode(errors="replace"))
        if found := re.search(pattern, heard[-1]):
            return found
    raise AssertionError("the rehearsal ended:\n" + "".join(heard[-40:]))


async def keep_reading(stream: asyncio.StreamReader, heard: list[str]) -> None:
    while line := await stream.readline():
        heard.append(line.decode(errors="replace"))


@pytest.mark.browser
@pytest.mark.timeout(PATIENCE_S)
async def test_the_public_watches_the_rehearsals_opening_live_and_then_reads_the_award(
    tmp_path: Path, chromium: Browser
) -> None:
    heard: list[str] = []
    async with rehearsal(tmp_path) as (process, address):
        assert process.stderr is not None
        assert process.stdout is not None
        hall = await line_with(process.stderr, r"(/openings/[0-9a-f-]{36})", heard)
        reader = asyncio.create_task(keep_reading(process.stderr, heard))
        async with open_page(chromium, address + hall[1]) as page:
            await page.evaluate("window.unreloaded = true")
            await expect(page.locator("#board")).to_contain_text(
                "全部投标（响应）文件同时开启", timeout=240_000
            )
            await expect(page.locator("#board table").first).to_be_visible()
            assert await page.evaluate("window.unreloaded") is True
        said = await process.stdout.readline()
        assert said, "the rehearsal ended:\n" + "".join(heard[-40:])
        summary: dict[str, Any] = json.loads(said)
        unmet = [one for one in summary["expectations"] if not one["met"]]
        assert unmet == [], "".join(heard[-60:])
        assert summary["missing"] == []
        assert summary["broken_invariants"] == []
        assert summary["ok"]
        for width in (360, 1440):
            async with open_page(chromium, address + hall[1], width=width) as page:
                body = await page.inner_text("main")
                assert "119,766,000.00" in body, "the hall shows the prices"
                await assert_no_overflow(page)
                await assert_axe_clean(page)
        told = json.loads((tmp_path / "out" / "award.json").read_text())
        record = json.loads((tmp_path / "out" / "evaluation-record.json").read_text())
        report = json.loads(unb64(record["report"]))
        award = address + hall[1].replace("/openings/", "/awards/")
        for width in (360, 1440):
            async with open_page(chromium, award, width=width) as page:
                body = await page.inner_text("main")
                assert told["award"]["winner"] in body
                for one in report["parts"]["ranking"]:
                    assert one["name"] in body
                    assert one["total"] in body, "the award shows every total"
                (rejected,) = report["parts"]["rejections"]
                assert rejected["says"] in body, "and the ground of the rejection"
                await assert_no_overflow(page)
                await assert_axe_clean(page)
        async with open_page(chromium, award) as page:
            await page.click(
                f'a[href^="/api/v1/lots/{told["lot_id"]}/evaluation-record"]', trial=True
            )
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    assert process.returncode == 0
