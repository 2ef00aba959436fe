"""What the tenderee's side may know of its committee: Bidding Law 37; Bidding Regulation 48."""

from __future__ import annotations

import pytest

from evaluation import attending, committee_views
from evaluation.rules.session_protocol import Phase
from kernel.access import Role
from kernel.errors import NotFound, NotPermitted
from tests.committees_at_work import WorkRoom
from tests.tenders import a_player


async def test_the_owners_see_empty_places_and_nobody_in_them(room: WorkRoom) -> None:
    await room.sit()
    told = await room.do(room.agency, committee_views.own_committee, room.lot_id)
    assert (told.committee_id, told.phase, told.members) == (room.committee_id, Phase.WORKING, 5)
    assert (told.vacant_experts, told.vacant_representatives) == (0, 0)
    await room.do(room.representative, attending.withdraw, room.committee_id, "突发疾病")
    leaver = room.drawn[0].player
    await room.do(leaver, attending.withdraw, room.committee_id, "与投标人有利害关系")
    told = await room.do(room.agency, committee_views.own_committee, room.lot_id)
    assert (told.members, told.vacant_experts, told.vacant_representatives) == (5, 1, 1)
    for secret in (leaver.name, str(leaver.person), "利害关系"):
        assert secret not in str(told)


async def test_others_learn_nothing_of_it(room: WorkRoom) -> None:
    stranger = await a_player(room.store, Role.AGENCY)
    with pytest.raises(NotFound):
        await room.do(stranger, committee_views.own_committee, room.lot_id)
    with pytest.raises(NotPermitted):
        await room.do(room.supervisor, committee_views.own_committee, room.lot_id)
