"""A headless Chromium for tests of pages, and the few things every page is asked.

A test module takes the fixture by importing it: `from tests.web.browser import chromium`. Its tests
carry the marker `browser`. Without a Chromium they are skipped, unless SUNBID_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Literal

import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is Chromium without the browser's own windows, which cost a third of the time."""
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every page here is ours: one process may hold them all.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
)
Theme = Literal["light", "dark"]


def executable() -> str | None:
    """Where the browser is: SUNBID_CHROMIUM, or the first one found on the path."""
    named = os.environ.get("SUNBID_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium(one_chromium: Browser) -> Browser:
    """The test process's one browser; each test opens contexts of its own in it."""
    return one_chromium


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser that runs until the block ends."""
    found = executable()
    if found is None:
        reason = f"no Chromium: set SUNBID_CHROMIUM, or install one of {', '.join(NAMES)}"
        if os.environ.get("SUNBID_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        await browser.close()


class _Server(uvicorn.Server):
    """A server that leaves the test process's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(
    app: FastAPI,
    *,
    lifespan: Literal["on", "off"] = "off",
    listener: socket.socket | None = None,
) -> AsyncIterator[str]:
    """The app under a free port of localhost, in this loop; its address.

    An app that must know its own address is given one by the `listener` bound beforehand.
    """
    if listener is None:
        listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_level="error",
        lifespan=lifespan,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        if running.done():
            running.result()
        await asyncio.sleep(0.01)
    try:
        yield f"http://localhost:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@asynccontextmanager
async def open_page(
    browser: Browser,
    address: str,
    *,
    width: int = 1440,
    height: int = 900,
    theme: Theme = "light",
    large: bool = False,
    javascript: bool = True,
    script: str = "",
    expected: str = "",
    token: str = "",
) -> AsyncIterator[Page]:
    """The page at that address, in a context of its own; `script` runs before its own scripts.

    With a `token`, somebody is signed in there.

    Whatever the console complained of, and whatever host but ours was asked for anything, fails the
    test at the end of the block, but for complaints that hold the `expected` words.
    """
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        java_script_enabled=javascript,
        locale="zh-CN",
    )
    origin = "/".join(address.split("/")[:3])
    if large:
        await context.add_cookies([{"name": "sunbid-display", "value": "large", "url": origin}])
    if token:
        # Such a cookie is set by a secure address alone; a browser then sends it to localhost too.
        secure = origin.replace("http://", "https://")
        await context.add_cookies([{"name": "__Host-sunbid", "value": token, "url": secure}])
    page = await context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((origin, "data:", "blob:"))
            else complaints.append(f"asked {request.url}")
        ),
    )
    if script:
        await page.add_init_script(script)
    try:
        await page.goto(address)
        yield page
    finally:
        await context.close()
    unexpected = [one for one in complaints if not expected or expected not in one]
    assert unexpected == [], unexpected


WIDTHS: Final = (320, 360, 1440)
AXE_LOOKS: Final[tuple[tuple[int, Theme], ...]] = ((320, "light"), (1440, "dark"))
"""How wide and in which scheme the page is when axe looks."""


async def assert_no_overflow(page: Page) -> None:
    """The page is no wider than the window."""
    over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if over > 0:
        wide = await page.evaluate(
            """() => [...document.querySelectorAll('body *')]
              .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
              .map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)}`)
              .slice(-5)"""
        )
        raise AssertionError(f"{page.url} is {over} px too wide: {wide}")


async def assert_axe_clean(page: Page) -> None:
    """Axe finds nothing against WCAG 2.2 AA, nor against its own best practices."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    # What passed is thousands of nodes, and nobody reads it.
    violations = await page.evaluate(
        "axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
    )
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:120]} ({len(one['nodes'])})" for one in violations
    ]
    assert found == [], f"{page.url}: {found}"


async def assert_targets_are_large_enough(page: Page) -> None:
    """Every control is at least 24 by 24 px (WCAG 2.2, 2.5.8); a box counts with its label."""
    small = await page.evaluate(
        """() => [...document.querySelectorAll('a.btn, button, input, select, textarea, .nav a')]
          .map((e) => (['checkbox', 'radio'].includes(e.type) && e.closest('label')) || e)
          .map((e) => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
          .map(([text]) => text)"""
    )
    assert small == [], f"{page.url}: {small}"


async def tab_to(page: Page, selector: str, *, presses: int = 60, back: bool = False) -> None:
    """Reach a control by the tabulator alone, with the focus in sight all the way."""
    for _ in range(presses):
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        where = await page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
        # Behind the last control and before the first, the browser has its own.
        assert where.startswith("<body") or await focus_is_visible(page), where
        if await page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"no tabulator leads to {selector}")


async def focus_is_visible(page: Page) -> bool:
    """Whether something has the focus, stands in the window, and has an outline around it."""
    seen: bool = await page.evaluate(
        """() => {
          const one = document.activeElement;
          if (!one || one === document.body) return false;
          const box = one.getBoundingClientRect(), look = getComputedStyle(one);
          const inside = box.bottom > 0 && box.top < innerHeight && box.width > 0;
          return inside && (look.outlineStyle !== 'none' || look.boxShadow !== 'none');
        }"""
    )
    return seen


async def assert_holds_everywhere(page: Page) -> None:
    """The page that is open holds at every width, and axe finds nothing, bright and dark.

    It is loaded once: widths and schemes are changed before its eyes, as a reader turns a phone or
    the light. Axe looks at the narrow page by day and at the wide one by night.
    """
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        await assert_no_overflow(page)
        await assert_targets_are_large_enough(page)
    for width, theme in AXE_LOOKS:
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(color_scheme=theme)
        await assert_axe_clean(page)
