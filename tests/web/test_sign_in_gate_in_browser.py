"""The gate in a browser: a key made here, a passkey, role cards. W3C WebAuthn and WebCrypto."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select
from sqlmodel import col

from kernel.access import Actor, Role
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store.parties import verified_statement
from kernel.store.registering import Registered
from kernel.store.tables import CredentialRow
from kernel.store.transaction import Store, transaction
from tests.newcomers import acting, the_centre, verified
from tests.sign_ins import token_for
from tests.tenders import a_uscc
from tests.web.browser import (
    assert_axe_clean,
    assert_holds_everywhere,
    assert_no_overflow,
    chromium,
    focus_is_visible,
    open_page,
    tab_to,
)
from web.app import create_app

__all__ = ["chromium"]
NO_CLOCK = "status of 404"
"""Pages ask for the platform's time, which is told in another place than the gate."""

pytestmark = pytest.mark.browser


@dataclass
class Gate:
    """A running gate and what stands behind it."""

    address: str
    store: Store
    expert: Registered
    bidder: Registered
    staff: Actor
    staff_key: PrivateKey


@pytest.fixture
async def gate(store: Store, settings: Settings) -> AsyncIterator[Gate]:
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://localhost:{listening.getsockname()[1]}"
    settings = settings.model_copy(update={"origin": address})
    store = replace(store, settings=settings)
    app = create_app(store, settings)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    staff_key = PrivateKey.generate()
    staff = await the_centre(store, staff_key)
    expert = await verified(
        store,
        staff,
        PrivateKey.generate(),
        uscc="91330106673959654P",
        name="江城大学",
        roles=["expert"],
    )
    bidder = await verified(
        store,
        staff,
        PrivateKey.generate(),
        uscc=a_uscc(),
        name="东湖建设工程有限公司",
        identity_document="420103199001010099",
        roles=["bidder"],
    )
    yield Gate(address, store, expert, bidder, staff, staff_key)
    server.should_exit = True
    await serving


async def with_authenticator(page: Page) -> None:
    """Plug a passkey authenticator of the browser's own into the page."""
    line = await page.context.new_cdp_session(page)
    await line.send("WebAuthn.enable")
    await line.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


NEWCOMER = {
    "uscc": "91350100M000100Y43",
    "name": "江城建设工程有限公司",
    "region": "420100",
    "responsible_person": "王伟",
    "person": "李娜",
    "identity_document": "420103199001010012",
}


async def register(page: Page) -> None:
    for name, value in NEWCOMER.items():
        await page.fill(f"[name={name}]", value)
    await page.check("[name=roles][value=bidder]")
    await page.click("form[data-register] button")
    await expect(page.locator("[data-says]")).to_contain_text("已注册")


async def add_passkey(page: Page) -> None:
    await page.click("[data-passkey-register]")
    await expect(page.locator("tbody").first).to_contain_text("通行密钥")


async def test_a_newcomer_registers_signs_in_and_returns_by_passkey(
    chromium: Browser, gate: Gate
) -> None:
    async with open_page(chromium, f"{gate.address}/register", expected=NO_CLOCK) as page:
        await register(page)
        await page.goto(f"{gate.address}/sign-in?to=/account")
        await page.click("[data-keys-here] button")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("江城建设工程有限公司")
        await expect(page.locator("main")).to_contain_text("投标人")

        await with_authenticator(page)
        await add_passkey(page)

        cookies = await page.context.cookies()
        (cookie,) = [one for one in cookies if one.get("name") == "__Host-sunbid"]
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        assert await page.evaluate("document.cookie") == ""
        await page.context.clear_cookies()

        await page.goto(f"{gate.address}/sign-in?to=/account")
        await page.click("[data-passkey-sign-in]")
        await page.click("[data-choices] button")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("李娜")


async def test_a_role_card_gives_a_key_that_signs(chromium: Browser, gate: Gate) -> None:
    address = f"{gate.address}/demo/sign-in?to=/account"
    async with open_page(chromium, address, expected=NO_CLOCK) as page:
        await page.click("form[data-demo-card]:has([value=expert]) button")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("江城大学")
        text = await page.evaluate(
            "async () => (await import('/static/passkey.js')).signed('fallback', {lot: '甲'})"
        )
    async with transaction(gate.store, actor=acting(gate.expert, Role.EXPERT)) as tx:
        statement = await verified_statement(tx, text.encode(), "fallback")
    assert statement.payload["lot"] == "甲"


async def test_a_passkey_signs_where_no_other_key_is(chromium: Browser, gate: Gate) -> None:
    address = f"{gate.address}/demo/sign-in?to=/account"
    async with open_page(chromium, address, expected=NO_CLOCK) as page:
        await page.click("form[data-demo-card]:has([value=expert]) button")
        await page.wait_for_url(f"{gate.address}/account")
        await with_authenticator(page)
        await add_passkey(page)
        await page.evaluate("localStorage.clear()")
        text = await page.evaluate(
            "async () => (await import('/static/passkey.js')).signed('fallback', {lot: '乙'})"
        )
    async with transaction(gate.store, actor=acting(gate.expert, Role.EXPERT)) as tx:
        statement = await verified_statement(tx, text.encode(), "fallback")
    assert statement.keyid.startswith("webauthn:")


async def test_a_key_file_that_a_program_made_is_brought_into_the_browser(
    chromium: Browser, gate: Gate, tmp_path: Path
) -> None:
    pem = tmp_path / "staff.pem"
    pem.write_bytes(gate.staff_key.to_pem())
    (tmp_path / "other.pem").write_text("no key at all")
    address = f"{gate.address}/sign-in?to=/account"
    async with open_page(chromium, address, expected=NO_CLOCK) as page:
        await page.fill("[name=organisation]", str(gate.staff.party))
        await page.select_option("[name=role]", "centre_staff")
        await page.set_input_files("[name=key_file]", tmp_path / "other.pem")
        await page.click("form[data-key-file] button")
        await expect(page.locator("[data-says]")).to_contain_text("不是")
        await page.set_input_files("[name=key_file]", pem)
        await page.click("form[data-key-file] button")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("江城市公共资源交易中心")

        await page.context.clear_cookies()
        await page.goto(address)
        await page.click("[data-keys-here] button")
        await page.wait_for_url(f"{gate.address}/account")
        kept = await page.evaluate(
            "async () => (await (await import('/static/passkey.js')).keysHere())"
            ".map((key) => key.privateKey.extractable)"
        )
    assert kept == [False]


async def test_a_colleague_signs_a_request_and_a_member_lets_him_in_and_out_again(
    chromium: Browser, gate: Gate, tmp_path: Path
) -> None:
    """E-Bidding Measures 13: each person acts by a key of his own."""
    token = await token_for(gate.store, gate.bidder, Role.BIDDER)
    join = f"{gate.address}/join?organisation={gate.bidder.organisation_id}"
    async with open_page(chromium, join, expected="status of 40") as page:
        await assert_holds_everywhere(page)
        await page.get_by_label("您的姓名").fill("赵敏")
        await page.get_by_label("您的身份证件号码").fill("420103198505050022")
        await page.get_by_role("button").last.click()
        await expect(page.get_by_role("alert")).to_contain_text("请至少选择一种身份")
        await page.get_by_label("投标人", exact=True).check()
        async with page.expect_download() as handed:
            await page.get_by_role("button", name="生成密钥并签署申请").click()
        await expect(page.get_by_text("申请已签署并下载")).to_be_visible()
        await (await handed.value).save_as(tmp_path / "request.json")
        async with open_page(
            chromium, f"{gate.address}/account", token=token, expected=NO_CLOCK
        ) as account:
            await account.get_by_text("增加人员", exact=True).click()
            await account.get_by_label("对方签署的文件").set_input_files(tmp_path / "request.json")
            await account.get_by_role("button", name="提交并增加人员").click()
            await expect(account.get_by_role("row", name="赵敏")).to_be_visible()
            await account.get_by_text("增加人员", exact=True).click()
            await account.get_by_text("注销密钥", exact=True).click()
            await assert_holds_everywhere(account)
        await page.goto(f"{gate.address}/sign-in?to=/account")
        await page.click("[data-keys-here] button")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("赵敏")
        async with open_page(
            chromium, f"{gate.address}/account", token=token, expected=NO_CLOCK
        ) as account:
            await account.get_by_role("button", name="结束赵敏的投标人身份").click()
            await expect(account.get_by_role("row", name="赵敏")).to_have_count(0)
        await page.reload()
        await expect(page.locator("main")).to_contain_text("请先登录")


async def test_a_lost_key_is_revoked_and_every_session_ended_from_the_account(
    chromium: Browser, gate: Gate
) -> None:
    token = await token_for(gate.store, gate.bidder, Role.BIDDER)
    address = f"{gate.address}/account"
    async with open_page(chromium, address, token=token, expected="status of 40") as page:
        await page.get_by_role("button", name="在所有地方退出").click()
        await page.wait_for_url(lambda url: not url.endswith("/account"))
    token = await token_for(gate.store, gate.bidder, Role.BIDDER)
    async with open_page(chromium, address, token=token, expected="status of 40") as page:
        await page.get_by_text("注销密钥", exact=True).click()
        await page.get_by_label("注销的理由").fill("遗失")
        await page.get_by_label("我已知道注销后不能恢复").check()
        await page.get_by_role("button", name="注销这把密钥").click()
        await expect(page.locator("main")).to_contain_text(re.compile("已注销|请先登录"))
    async with gate.store.sessions() as session:
        rows = await session.scalars(
            select(CredentialRow).where(col(CredentialRow.person_id) == gate.bidder.person_id)
        )
        assert [row.revoked_at is not None for row in rows] == [True]


async def test_what_the_platform_refuses_is_said_in_words(chromium: Browser, gate: Gate) -> None:
    async with open_page(chromium, f"{gate.address}/register", expected="status of 4") as page:
        await register(page)
        await page.fill("[name=uscc]", "91350100M000100Y43")
        for name, value in {
            "name": "另一家",
            "region": "420100",
            "responsible_person": "王伟",
            "person": "某人",
            "identity_document": "AAAAAA9",
        }.items():
            await page.fill(f"[name={name}]", value)
        await page.check("[name=roles][value=bidder]")
        await page.click("form[data-register] button")
        says = page.locator("[data-says]")
        await expect(says).to_contain_text("该单位已注册")
        await expect(says).to_contain_text("第14条")
        await expect(says).to_be_focused()


@pytest.mark.parametrize("path", ["/sign-in", "/register", "/demo/sign-in", "/en/sign-in"])
@pytest.mark.parametrize("width", [320, 1440])
async def test_the_gate_is_open_to_everybody(
    chromium: Browser, gate: Gate, path: str, width: int
) -> None:
    async with open_page(chromium, gate.address + path, width=width, expected=NO_CLOCK) as page:
        await assert_no_overflow(page)
        await assert_axe_clean(page)


async def test_a_role_card_works_without_scripts(chromium: Browser, gate: Gate) -> None:
    address = f"{gate.address}/demo/sign-in?to=/account"
    async with open_page(chromium, address, javascript=False) as page:
        await page.click("form[data-demo-card]:has([value=expert]) button")
        await page.wait_for_url(f"{gate.address}/account")
        assert "江城大学" in await page.content()


async def test_a_role_card_is_taken_and_the_session_ended_by_the_keyboard_alone(
    chromium: Browser, gate: Gate
) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.7."""
    address = f"{gate.address}/demo/sign-in?to=/account"
    async with open_page(chromium, address, expected=NO_CLOCK) as page:
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_have_attribute("href", "#main")
        await tab_to(page, "form[data-demo-card]:has([value=expert]) button")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text("江城大学")
        await tab_to(page, "form[action='/sign-out'] button")
        await page.keyboard.press("Space")
        await page.wait_for_url(lambda url: not url.endswith("/account"))
        assert await page.context.cookies() == []


async def test_a_newcomer_registers_and_signs_in_by_the_keyboard_alone(
    chromium: Browser, gate: Gate
) -> None:
    """WCAG 2.2, 2.1.1 and 2.4.7."""
    async with open_page(chromium, f"{gate.address}/register", expected=NO_CLOCK) as page:
        for name, value in NEWCOMER.items():
            await tab_to(page, f"[name={name}]")
            await page.keyboard.type(value)
        await page.keyboard.press("Shift+Tab")
        assert await focus_is_visible(page)
        await tab_to(page, "[name=roles][value=bidder]", back=True)
        await page.keyboard.press("Space")
        await tab_to(page, "form[data-register] button")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-says]")).to_contain_text("已注册")
        await page.goto(f"{gate.address}/sign-in?to=/account")
        await expect(page.locator("[data-keys-here] button").first).to_be_visible()
        await tab_to(page, "[data-keys-here] button")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{gate.address}/account")
        await expect(page.locator("main")).to_contain_text(NEWCOMER["name"])
