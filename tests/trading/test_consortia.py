"""Consortia as they are found in opened bids: Bidding Law 22, 31; Bidding Regulation 37, 51."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel.access import PLATFORM, Role
from kernel.errors import Refused
from kernel.store.transaction import Store, transaction
from tests.libraries import a_verified_licence, the_head
from tests.opened_lots import Entry, a_hall, an_entry, everything_opened, released, window_ended
from tests.prequalifications import an_agreement, an_archive, with_agreement
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import Player, a_player
from trading import handover


@pytest.mark.accepts("BI-09", "BI-06")
@pytest.mark.refuses("BI-09", "BI-06")
async def test_the_agreement_is_found_once_the_bids_lie_open_and_not_before(
    store: Store, tender: Tender
) -> None:
    lead, second, third, fourth, silent = [await a_bidder(store) for _ in range(5)]
    terms = tender.lot.project_id, tender.lot.lot_id

    async def bids(who: Player, agreement: bytes | None, price: str) -> Entry:
        files = {"投标文件.pdf": b"%PDF"} if agreement is None else with_agreement(agreement)
        return await an_entry(store, tender, price, bid=an_archive(files), player=who)

    entries = [
        await bids(lead, an_agreement(*terms, [lead, second, silent]), "128460000.00"),
        await bids(second, None, "127900000.00"),
        await bids(third, an_agreement(*terms, [third, fourth], signers=[third]), "125300500.00"),
        await bids(fourth, b"{}", "125300000.00"),
    ]
    staff = await a_player(store, Role.CENTRE_STAFF)
    for who, head in ((third, "赵明"), (fourth, "赵明"), (lead, "钱进")):
        await a_verified_licence(store, who, staff, **await the_head(store, who, head))
    hall = await a_hall(store, tender, entries)
    async with transaction(store, actor=PLATFORM, now=hall.in_window) as tx:
        with pytest.raises(Refused):
            await handover.consortia_shown(tx, hall.lot_id)
        concerned = await handover.interested(tx, hall.lot_id)
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)

    now = await hall.window_ends_at() + timedelta(hours=1)
    async with transaction(store, actor=PLATFORM, now=now) as tx:
        found = {one.name: one for one in await handover.consortia_shown(tx, hall.lot_id)}
        known = await handover.interested(tx, hall.lot_id)
    codes = {name: [one.code for one in shown.findings] for name, shown in found.items()}
    assert codes == {
        lead.organisation: ["no_consortia", "second_part"],
        second.organisation: ["second_part"],
        third.organisation: ["no_consortia", "not_signed", "second_part", "bidders_tied"],
        fourth.organisation: ["no_agreement", "bidders_tied"],
    }
    pair = found[lead.organisation]
    assert [(one.name, one.leads, one.signed) for one in pair.members] == [
        (lead.organisation, True, True),
        (second.organisation, False, True),
        (silent.organisation, False, True),
    ]
    assert pair.grades == {"市政公用工程施工总承包": 3}
    # A member that does not bid itself is a party to recusal once it is known.
    known_ids = {one.organisation_id for one in known}
    assert known_ids - {one.organisation_id for one in concerned} == {silent.party}
