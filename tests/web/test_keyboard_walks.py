"""Pages are walked by the keyboard from end to end and back. WCAG 2.2, 2.1.1, 2.1.2, 2.4.3, 2.4.7.

The tabulator follows the order in which a page is read, leaves nothing out of sight and is caught
nowhere; a key file, which needs a dialogue of the browser's, is brought without a pointer.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.browser import chromium, focus_is_visible, open_page, tab_to
from tests.web.tender_house import token_of
from tests.web.test_every_page import House, house
from tests.web.test_sign_in_gate_in_browser import NO_CLOCK, Gate, gate

__all__ = ["chromium", "gate", "house"]

pytestmark = pytest.mark.browser

PLACE = """() => [...document.querySelectorAll('*')].indexOf(document.activeElement)"""
ON_THE_PAGE = "document.hasFocus() && document.activeElement !== document.body"


async def walked(page: Page, key: str, *, presses: int = 150) -> list[int]:
    """Where the focus stood after each press, as places in the document, until it left the page."""
    places: list[int] = []
    for _ in range(presses):
        await page.keyboard.press(key)
        if not await page.evaluate(ON_THE_PAGE):
            return places
        assert await focus_is_visible(page), await page.evaluate("document.activeElement.outerHTML")
        places.append(await page.evaluate(PLACE))
    pytest.fail(f"the focus is caught at {page.url}")


@pytest.mark.parametrize(
    ("name", "primary"),
    [
        ("GET /sign-in", "[data-passkey-sign-in]"),
        ("GET /lots/{lot_id}/bid", "main a[download]"),
        ("GET /openings/{lot_id}", "main aside a.btn"),
    ],
)
async def test_the_focus_goes_through_a_page_as_it_is_read_and_back_again(
    house: House, chromium: Browser, name: str, primary: str
) -> None:
    who, path = house.pages()[name]
    token = "" if who is None else await token_of(house.room.store, who)
    async with open_page(chromium, house.address + path, token=token) as page:
        there = await walked(page, "Tab")
        assert there == sorted(set(there))
        back = await walked(page, "Shift+Tab")
        assert back == there[::-1]
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_attribute("href", "#main")
        await page.keyboard.press("Enter")
        await tab_to(page, primary)


async def test_a_key_file_is_brought_by_the_keyboard_alone(
    gate: Gate, chromium: Browser, tmp_path: Path
) -> None:
    pem = tmp_path / "staff.pem"
    pem.write_bytes(gate.staff_key.to_pem())
    address = f"{gate.address}/sign-in?to=/account"
    async with open_page(chromium, address, expected=NO_CLOCK) as page:
        # Somebody listens from the start: a chooser that opens before anybody does is lost.
        page.on("filechooser", lambda _: None)
        await tab_to(page, "[name=key_file]")
        async with page.expect_file_chooser(timeout=8000) as asked:
            await page.keyboard.press("Space")
        await (await asked.value).set_files(pem)
        await tab_to(page, "[name=organisation]")
        await page.keyboard.type(str(gate.staff.party))
        await tab_to(page, "[name=role]")
        role = page.locator("[name=role]")
        for _ in range(await role.locator("option").count()):
            if await role.input_value() == "centre_staff":
                break
            await page.keyboard.press("ArrowDown")
        await tab_to(page, "form[data-key-file] button")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("江城市公共资源交易中心")
