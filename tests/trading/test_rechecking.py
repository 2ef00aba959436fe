"""A candidate's examination that comes to nothing: Bidding Regulation 55, 56."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel.crypto.digests import b64u, instant_text
from kernel.errors import Refused
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, answered, candidates_published, objected
from tests.newcomers import codes
from tests.tenders import signed
from trading import rechecking, tendering
from trading.rules.lot_lifecycle import LotState
from trading.sound_awards import award_faults


async def test_whoever_tenders_may_end_a_lot_that_waits_for_an_examination_and_nothing_else(
    store: Store, evaluated: Evaluated
) -> None:
    """A committee that never concludes holds nobody for ever."""
    lot_id, tenderee = evaluated.hall.lot_id, evaluated.tenderee
    await candidates_published(evaluated)
    now = evaluated.reported_at + timedelta(hours=2)
    said = {
        "v": "ebid-candidate-recheck/1",
        "lot": str(lot_id),
        "report": b64u(evaluated.report.report_digest),
        "candidate": str(evaluated.ranked[0].player.party),
        "ground": "illegal_act",
        "words": "被行政处罚。",
        "evidence": [{"title": "行政处罚决定书", "text": "某市监罚〔2026〕3号"}],
        "signed_at": instant_text(now),
    }
    asked = signed(tenderee, "candidate-recheck", said)
    async with transaction(store, actor=tenderee.actor, now=now) as tx:
        assert (await rechecking.ask_recheck(tx, lot_id, asked)).open
    loser = evaluated.ranked[1].player
    raised = await objected(store, loser, lot_id, "result", now=now)
    ending = {
        "v": "ebid-notice/1",
        "kind": "cancellation",
        "project": str(evaluated.hall.tender.lot.project_id),
        "lot": str(lot_id),
        "reason": "候选人均不符合中标条件，重新招标。",
        "promises": ["interest", "return"],
    }

    async def ended() -> None:
        raw = signed(tenderee, "notice", ending)
        async with transaction(store, actor=tenderee.actor, now=now) as tx:
            await tendering.cancel_lot(tx, lot_id, raw)

    with pytest.raises(Refused) as refused:
        await ended()
    assert codes(refused) == {"lot_suspended"}
    await answered(store, evaluated.agency, lot_id, raised, now=now)
    await ended()
    lot = await evaluated.hall.lot()
    assert (lot.state, lot.suspended, lot.brakes) == (LotState.CANCELLED, False, {})
    async with transaction(store, actor=tenderee.actor, now=now) as tx:
        (told,) = await rechecking.rechecks_told(tx, lot_id)
        assert (told.open, told.concluded_at) == (False, None)
        assert await award_faults(await tx.session.connection()) == []
