"""Who applied is seen by the pool's keeper, an application by its expert: Bidding Law 37."""

from __future__ import annotations

import pytest

from expert_pool import enrolling, pool_views
from kernel.access import Role
from kernel.errors import NotFound, NotPermitted
from kernel.store.transaction import Store, transaction
from tests.draw_cast import an_expert
from tests.tenders import Player, a_player


@pytest.fixture
async def pool(store: Store) -> Player:
    return await a_player(store, Role.CENTRE_STAFF)


async def test_a_keeper_sees_who_waits_in_its_own_pool_the_longest_first(
    store: Store, pool: Player
) -> None:
    first = await an_expert(store, pool, verified=False, person="先申请者")
    second = await an_expert(store, pool, verified=False)
    ready = await an_expert(store, pool)
    gone = await an_expert(store, pool, verified=False)
    async with transaction(store, actor=gone.player.actor) as tx:
        await enrolling.leave(tx)
    other = await a_player(store, Role.CENTRE_STAFF)
    await an_expert(store, other, verified=False)

    async with transaction(store, actor=pool.actor) as tx:
        waiting = await pool_views.applicants(tx)
        lately = await pool_views.lately_verified(tx)

    assert [one.expert_id for one in waiting] == [first.expert_id, second.expert_id]
    assert waiting[0].name == "先申请者"
    assert [one.expert_id for one in lately] == [ready.expert_id]
    assert lately[0].verified_at is not None


async def test_an_expert_sees_his_own_application_and_nobody_elses(
    store: Store, pool: Player
) -> None:
    expert = await an_expert(store, pool, verified=False)
    async with transaction(store, actor=expert.player.actor) as tx:
        told = await pool_views.own_application(tx)
    assert (told.expert_id, told.verified_at, told.left_at) == (expert.expert_id, None, None)
    stranger = await a_player(store, Role.EXPERT)
    with pytest.raises(NotFound):
        async with transaction(store, actor=stranger.actor) as tx:
            await pool_views.own_application(tx)
    for who in (expert.player, await a_player(store, Role.SUPERVISOR)):
        with pytest.raises(NotPermitted):
            async with transaction(store, actor=who.actor) as tx:
                await pool_views.applicants(tx)
