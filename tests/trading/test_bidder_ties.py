"""Bidding Regulation 34; Procurement Regulation 18; Electronic Bidding Measures 23: who holds
and manages a bidder, as its library says and the centre verified.
"""

from __future__ import annotations

import pytest

from kernel.access import PLATFORM, Role
from kernel.errors import Refused
from kernel.store.transaction import Store, transaction
from kernel.working_days import beijing_day
from tests.libraries import (
    a_verified_licence,
    entered,
    judged,
    licence_said,
    the_head,
    uscc_of,
)
from tests.newcomers import codes
from tests.sealed_bids import a_bidder
from tests.tenders import NOW, a_player
from trading.bidder_ties import ties_of
from trading.rules.bidder_independence import BidderTies


async def test_a_tie_counts_once_the_centre_has_verified_it(store: Store) -> None:
    held, holder = await a_bidder(store), await a_bidder(store)
    staff, code = await a_player(store, Role.CENTRE_STAFF), await uscc_of(store, holder)
    said = licence_said(held, kind="direct_holder", title=holder.organisation, number=code)
    made = await entered(store, held, said)

    async def known() -> BidderTies:
        async with transaction(store, actor=PLATFORM, now=NOW) as tx:
            [one] = await ties_of(tx, [held.party], on=beijing_day(NOW))
            return one

    assert (await known()).holders == {}
    await judged(store, staff, made.id)
    await a_verified_licence(store, held, staff, **await the_head(store, held, "孙立"))
    assert (await known()).holders == {code: "direct"}
    assert (await known()).head == "孙立"


async def test_a_tie_names_another_unit_by_a_code_that_many_may_name(store: Store) -> None:
    one, other = await a_bidder(store), await a_bidder(store)
    staff, holder = await a_player(store, Role.CENTRE_STAFF), await a_bidder(store)
    code = await uscc_of(store, holder)
    for who in (one, other):
        said = licence_said(who, kind="managing_unit", title=holder.organisation, number=code)
        await judged(store, staff, (await entered(store, who, said)).id)
    for number, code_of_ground in (
        (await uscc_of(store, one), "own_code"),
        ("D242012345", "uscc_malformed"),
    ):
        with pytest.raises(Refused) as refused:
            said = licence_said(one, kind="indirect_holder", title="某集团", number=number)
            await entered(store, one, said)
        assert codes(refused) == {code_of_ground}
