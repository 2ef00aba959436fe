"""The invitation desk over HTTP and in a browser: Bidding Law 17, 22; Procurement Tender Measures
14.
"""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.sealed_bids import a_bidder
from tests.tenders import a_cast, a_draft, a_project
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.tender_house import client_of, open_tender_house, page, signed_in
from tests.web.test_tender_desk import sign_and_publish
from trading.rules.procedures import Procedure
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]


@pytest.fixture
async def house(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


async def test_the_invited_are_listed_told_alone_and_kept_from_everybody_else(
    store: Store, house: FastAPI
) -> None:
    cast = await a_cast(store)
    booked = Procedure.INVITED_TENDER_VOLUNTARY
    project_id = await a_project(store, cast, procedure=booked, state_funded=False)
    _, lot_id = await a_draft(store, cast, project_id)
    guests = [await a_bidder(store) for _ in range(3)]
    stranger = await a_bidder(store)
    agency = await client_of(house, cast.agency)
    path = f"/api/v1/lots/{lot_id}/invited"

    listed = [str(one.party) for one in guests]
    told = await agency.post(path, {"source": "chosen", "listed": listed})
    assert told == {"invited": listed}
    with pytest.raises(Problem) as refused:
        await agency.post(path, {"source": "chosen", "listed": listed[:2]})
    assert "第17条" in refused.value.refusals[0]["article"]
    await sign_and_publish(agency, str(lot_id))

    names = [one.organisation for one in guests]
    desk = await page(house, f"/desk/lots/{lot_id}/invited", cast.agency)
    assert all(one in desk for one in names)
    for who in (None, stranger, cast.staff, cast.supervisor, guests[0]):
        told_to_all = await page(house, f"/notices/{lot_id}", who)
        seen = await (await client_of(house, who)).get(f"/api/v1/lots/{lot_id}")
        for one in names:
            own = who is guests[0] and one == names[0]
            assert own or one not in told_to_all
            assert one not in str(seen)
        assert not any(one in str(seen["notices"]) for one in listed)
        if who is not cast.supervisor:
            assert ("本单位已受邀请" in told_to_all) is (who is guests[0])
            assert (seen["documents"] == []) is (who is not guests[0])
    for who, status in ((cast.supervisor, 404), (stranger, 403), (cast.staff, 403)):
        with pytest.raises(Problem) as hidden:
            await (await client_of(house, who)).get(path)
        assert hidden.value.status == status
    assert (await (await client_of(house, stranger)).get("/api/v1/invitations")) == {
        "invitations": []
    }
    (own,) = (await (await client_of(house, guests[0])).get("/api/v1/invitations"))["invitations"]
    assert own["lot"] == str(lot_id)
    with pytest.raises(Problem) as refused:
        await (await client_of(house, stranger)).get(f"/api/v1/lots/{lot_id}/documents")
    assert refused.value.codes == {"not_invited"}


@pytest.mark.browser
async def test_suppliers_are_listed_and_drawn_in_the_browser(
    store: Store, settings: Settings, chromium: Browser
) -> None:
    cast = await a_cast(store)
    booked = Procedure.PROCUREMENT_INVITED_TENDER
    _, lot_id = await a_draft(store, cast, await a_project(store, cast, procedure=booked))
    guests = [await a_bidder(store) for _ in range(6)]
    async with (
        open_tender_house(store, settings) as address,
        signed_in(store, chromium, address, cast.agency, expected="409 (Conflict)") as shown,
    ):
        await shown.goto(f"{address}/desk/lots/{lot_id}")
        await shown.get_by_role("link", name="邀请名单").click()
        for one in guests:
            await shown.get_by_label(one.organisation, exact=True).check()
        await shown.get_by_label("在场的采购人工作人员").fill("周处")
        await shown.get_by_label("抽取过程的书面记录").fill("从供应商库随机抽取三家。")
        await assert_holds_everywhere(shown)
        await shown.get_by_role("button", name="抽取").click()
        await expect(shown.get_by_text("应当有不少于2名采购人工作人员在场")).to_be_visible()
        await shown.get_by_label("在场的采购人工作人员").fill("周处、吴科")
        await shown.get_by_role("button", name="抽取").click()
        await expect(shown.get_by_text("未抽中")).to_have_count(3)
        await expect(shown.get_by_role("button", name="抽取")).to_have_count(0)
