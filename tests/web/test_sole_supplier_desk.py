"""A purchase from the only supplier, from its publicity to the award: Government Procurement Law
31, 39; Government Procurement Regulation 38.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.errors import Refused
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.awards import a_sheet, a_zip, handed_over, objection_statement, record_signed
from tests.opened_lots import a_hall, an_entry, everything_opened, released, window_ended
from tests.purchases import LOWEST
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, a_cast, a_draft, a_plan, a_player, a_project, published, signed
from tests.web.award_house import open_award_house
from tests.web.browser import assert_holds_everywhere, chromium
from tests.web.careless_senders import SIGNED_FOR_ONE_SUPPLIER, CarelessSenders
from tests.web.tender_house import client_of, page, signed_in
from trading import agreeing, awarding, notice_board, objecting
from trading.cataloguing import CatalogueFacts
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure
from trading.rules.procurement_methods import MethodGround
from trading.sound_agreements import agreement_faults
from trading.tables import LotRow
from web.app import create_app
from web.client import Problem

__all__ = ["chromium"]


class TurnedBackError(Exception):
    """What was done is undone, and the story goes on as if it had not been."""


OFFER, AGREED = "500000.00", "468000.00"
GROUNDS = "设备的控制软件为该单位专有，其他单位不能维护。"
RECORD = "公示期间没有异议；供应商说明了成本和同类合同价格，双方商定上述价格。"
OPINION = {
    "name": "钱一",
    "employer": "某研究院",
    "title": "高级工程师",
    "words": "同意采用单一来源方式。",
}


@pytest.mark.browser
async def test_a_price_is_agreed_with_the_only_supplier_and_awarded_to_it(
    store: Store,
    settings: Settings,
    chromium: Browser,
    clock_to: Callable[[Any], Awaitable[None]],
    tick: Callable[[], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    cast = await a_cast(store)
    facts = CatalogueFacts(
        method_ground=MethodGround.ONLY_SUPPLIER, method_document="江财采批〔2026〕3号"
    )
    booked: dict[str, Any] = {"procedure": Procedure.SINGLE_SOURCE, "category": WorkKind.GOODS}
    larger = CatalogueFacts(
        estimate=Decimal("600000.00"),
        method_ground=MethodGround.ADDITION,
        method_document="原合同",
        first_contract=Decimal("5999999.00"),
    )
    with pytest.raises(Refused, match="10%"):
        await a_project(store, cast, **booked, facts=larger)
    project_id = await a_project(store, cast, **booked, facts=facts)
    _, lot_id = await a_draft(
        store,
        cast,
        project_id,
        estimate=Decimal("600000.00"),
        ceiling_price=Decimal("600000.00"),
        bid_security=Decimal(0),
        scheme=LOWEST,
        plan=a_plan(publicity_days=0),
    )
    supplier, other = await a_bidder(store), await a_bidder(store)
    lot, desks = f"/api/v1/lots/{lot_id}", create_app(store, settings)
    agency = await client_of(desks, cast.agency)
    assert (await agency.get(f"{lot}/sole-supplier"))["sole_supplier"] is None
    with pytest.raises(Problem) as unknown:
        await agency.post(f"{lot}/sole-supplier", {"supplier": str(project_id)})
    assert unknown.value.status == 404
    said = {"supplier": str(supplier.party), "grounds": GROUNDS, "opinions": [OPINION]}
    await agency.post(f"{lot}/sole-supplier", said)
    told = (await agency.get(f"{lot}/sole-supplier"))["sole_supplier"]
    assert (told["name"], told["opinions"]) == (supplier.organisation, [OPINION])
    with pytest.raises(Problem) as refused:
        await agency.post(f"{lot}/invited", {"source": "chosen", "listed": [str(other.party)]})
    assert refused.value.codes == {"not_the_only_supplier"}
    assert "few_opinions" in str(await agency.get(f"{lot}/publication"))
    tender = Tender(cast, await published(store, cast, project_id, lot_id))

    notice = await page(desks, f"/notices/{lot_id}")
    for words in (supplier.organisation, GROUNDS, OPINION["words"], "单一来源采购公示"):
        assert words in notice
    with pytest.raises(Problem) as refused:
        await (await client_of(desks, other)).get(f"{lot}/documents")
    assert refused.value.codes == {"not_invited"}
    raised_at = NOW + timedelta(days=2)
    raw = objection_statement(other, lot_id, "documents", now=raised_at)
    async with transaction(store, actor=other.actor, now=raised_at) as tx:
        assert not (await objecting.raise_objection(tx, lot_id, raw)).waits

    entry = await an_entry(
        store, tender, OFFER, sheet=a_sheet(OFFER), bid=a_zip({"方案.txt": b"x"}), player=supplier
    )
    hall = await a_hall(store, tender, [entry])
    await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)
    await handed_over(hall)
    await clock_to(await hall.window_ends_at() + timedelta(hours=1))
    group = [
        cast.agency,
        await a_player(store, Role.AGENCY, party=cast.agency.party),
        await a_player(store, Role.TENDEREE, party=cast.tenderee.party),
    ]
    house = create_app(store, settings)
    for who in (other, cast.supervisor):
        with pytest.raises(Problem) as hidden:
            await (await client_of(house, who)).get(f"{lot}/price-agreement")
        assert hidden.value.status == 404

    failure = {
        "v": "ebid-notice/1",
        "kind": "no_agreement",
        "project": str(project_id),
        "lot": str(lot_id),
        "ground": "no_price",
        "reason": "供应商不接受预算内的价格。",
    }

    async def failed(**changes: str) -> None:
        raw = signed(cast.agency, "notice", {**failure, **changes})
        async with transaction(store, actor=cast.agency.actor) as tx:
            await agreeing.end_without_price(tx, lot_id, raw)
            await agreeing.end_without_price(tx, lot_id, raw)
            ended = await tx.session.get_one(LotRow, lot_id)
            told = await notice_board.notice(tx, lot_id)
            assert (ended.state, told.papers[-1].kind) == ("failed", "no_agreement")
            raise TurnedBackError

    with pytest.raises(TurnedBackError):
        await failed()
    with pytest.raises(Refused, match="应当说明终止采购活动的原因"):
        await failed(reason="")
    for spoilt in ({"ground": "no_luck"}, {"kind": "cancellation"}):
        with pytest.raises(Malformed):
            await failed(**spoilt)

    async with open_award_house(store, settings) as address:
        async with signed_in(
            store, chromium, address, cast.agency, expected="409 (Conflict)"
        ) as shown:
            await shown.goto(f"{address}/awards/{lot_id}")
            await shown.get_by_role("link", name="商定价格").click()
            for one in group[1:]:
                await shown.get_by_role("checkbox", name=one.name).check()
            await shown.get_by_label("协商情况").fill(RECORD)
            await shown.get_by_label("商定的成交价格").fill("500000.01")
            await assert_holds_everywhere(shown)
            await shown.get_by_role("button", name="签字并提出").click()
            await expect(shown.get_by_text("不得高于供应商响应文件的报价")).to_be_visible()
            await shown.get_by_label("商定的成交价格").fill(AGREED)
            await shown.get_by_role("button", name="签字并提出").click()
            await expect(shown.get_by_text("尚有1件对公示的异议未答复")).to_be_visible()
        async with signed_in(store, chromium, address, supplier) as shown:
            await shown.goto(f"{address}/lots/{lot_id}/price-agreement")
            await shown.get_by_role("button", name="签字确认").click()
            await expect(shown.get_by_role("button", name="签字确认")).to_have_count(0)
    careless = CarelessSenders(house, store)
    careless.known(*group)
    watched_house: Any = careless
    for one in group[1:]:
        client = await client_of(watched_house, one)
        record = await client.get(f"{lot}/price-agreement")
        assert record["agreement"]["supplier_signed"]
        body = record["agreement"]["body"]
        done = await client.post_statement(f"{lot}/price-agreement", "price-agreement", body)
        assert done["concluded"] is (one is group[-1])
    assert set(careless.spoilt) == SIGNED_FOR_ONE_SUPPLIER
    with pytest.raises(Problem) as refused:
        told = {name: words for name, words in failure.items() if name != "v"}
        agent = await client_of(house, cast.agency)
        await agent.post_statement(f"{lot}/price-agreement/failure", "notice", told)
    assert refused.value.codes == {"no_such_move", "already_agreed"}

    agent, tenderee = await client_of(house, cast.agency), await client_of(house, cast.tenderee)
    proposed = await agent.get(f"{lot}/candidates/draft")
    (only,) = proposed["candidates"]
    assert (only["bidder"], only["price"]) == (str(supplier.party), AGREED)
    assert "商定" in only["evaluation"]
    await agent.post_statement(f"{lot}/candidates", "candidates", proposed)
    await clock_to(await hall.window_ends_at() + timedelta(days=1))
    await awarding.end_standstill(store, lot_id)
    award = {"lot": str(lot_id), "winner": str(supplier.party)}
    await tenderee.post_statement(f"{lot}/award", "award", award)
    stranger = await client_of(house)
    result = await stranger.get(f"{lot}/award")
    assert (result["award"]["price"], result["negotiated"]) == (AGREED, True)
    read = (await stranger.read(f"/awards/{lot_id}")).decode()
    assert "成交供应商" in read
    assert "evaluation-record" not in read
    watched = await page(house, f"/lots/{lot_id}/price-agreement", cast.supervisor)
    assert RECORD in watched
    await tick()
    archives = {
        who: (await (await client_of(house, one)).read(f"{lot}/archive"))
        for who, one in (("supervisor", cast.supervisor), ("centre", cast.staff))
    }
    names = {
        who: zipfile.ZipFile(io.BytesIO(content)).namelist() for who, content in archives.items()
    }
    assert any("evaluation/report-1" in one for one in names["supervisor"])
    assert not any("evaluation/report-1" in one for one in names["centre"])
    signatures = {f"agreement/1/signature-{number}.dsse" for number in range(1, 5)}
    assert signatures <= set(names["supervisor"])
    assert not signatures & set(names["centre"])
    await sound()

    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE trading.sole_supplier SET supplier_id = :other"), {"other": other.party}
        )
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        found = " ".join(await agreement_faults(connection))
    assert "another supplier than its notice names" in found
    assert "somebody else than its only supplier bid" in found
    assert "is not the price that was agreed" in found
