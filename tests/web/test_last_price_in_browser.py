"""A last price as the browser seals it (Government Procurement Law 38)."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from playwright.async_api import Browser

import web
from kernel.crypto.digests import b64u
from tests.trading.test_price_talks import VECTOR
from tests.web.browser import chromium, open_page, served

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

SEALED = """async (said) => {
  const { commitment, yuan } = await import("/static/last_price.js");
  const sealed = await commitment(said, said.salt, yuan(said.price));
  const hex = [...sealed].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex, yuan("0473000.5"), yuan("7")];
}"""


async def test_the_browser_seals_the_price_that_the_platform_opens(chromium: Browser) -> None:
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=Path(web.__path__[0]) / "static"))
    said = {
        "lot": str(UUID(int=1)),
        "bidder": str(UUID(int=2)),
        "salt": b64u(bytes(range(32))),
        "price": "473000",
    }
    async with (
        served(app) as address,
        open_page(chromium, f"{address}/static/mark.svg") as page,
    ):
        assert await page.evaluate(SEALED, said) == [VECTOR, "473000.50", "7.00"]
