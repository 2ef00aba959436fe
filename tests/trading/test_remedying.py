"""An objection to the result that stands is put right: Bidding Regulation 54, 55, 56."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel.crypto.digests import b64u, instant_text
from kernel.errors import Refused
from kernel.identifiers import ObjectionId
from kernel.store.transaction import Store, transaction
from tests.awards import Evaluated, answered, candidates_published, objected
from tests.newcomers import codes
from tests.tenders import signed
from trading import award_views, lots, rechecking, remedying
from trading.sound_awards import award_faults


async def test_a_result_goes_back_to_its_committee_once_nothing_else_holds_the_lot(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, agency = evaluated.hall.lot_id, evaluated.agency
    published = await candidates_published(evaluated)
    now = published.until - timedelta(hours=3)
    second, third = (one.player for one in evaluated.ranked[1:3])
    first = await objected(store, second, lot_id, "result", now=now)
    other = await objected(store, third, lot_id, "result", now=now)
    upheld = {"outcome": "upheld", "remedy": "return", "words": "业绩得分计算有误。"}
    with pytest.raises(Refused) as refused:
        await answered(store, agency, lot_id, first, now=now, **upheld, candidate=str(second.party))
    assert codes(refused) == {"candidate_idle"}
    await answered(store, agency, lot_id, first, now=now, **upheld)

    async def returned(objection_id: ObjectionId, words: str) -> None:
        said = {
            "v": "ebid-objection-return/1",
            "lot": str(lot_id),
            "objection": str(objection_id),
            "words": words,
            "signed_at": instant_text(now),
        }
        async with transaction(store, actor=agency.actor, now=now) as tx:
            raw = signed(agency, "objection-return", said)
            await remedying.return_result(tx, lot_id, objection_id, raw)

    with pytest.raises(Refused) as refused:
        await returned(first.id, " ")
    assert codes(refused) == {"lot_suspended", "no_order"}
    await answered(store, agency, lot_id, other, now=now, **upheld)
    async with transaction(store, actor=second.actor, now=now) as tx:
        told = {one.id: one for one in await award_views.objections_to(tx, lot_id)}
        assert told[first.id].awaited
        assert (await lots.hold(tx, lot_id)).brakes[str(first.id)] == (
            "对评标结果的异议成立，退回原评标委员会纠正前暂停"
        )

    await returned(first.id, "请依据业绩证明复核第一中标候选人的业绩得分。")

    with pytest.raises(Refused) as refused:
        await returned(other.id, "请复核。")
    assert codes(refused) == {"carried_out", "no_such_move"}
    async with transaction(store, actor=second.actor, now=now) as tx:
        lot = await lots.hold(tx, lot_id)
        assert (lot.state, lot.suspended) == ("in_evaluation", False)
        assert not any(one.awaited for one in await award_views.objections_to(tx, lot_id))
        assert await award_faults(await tx.session.connection()) == []


async def test_the_candidate_whom_an_answer_names_is_examined_and_no_other(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id, tenderee = evaluated.hall.lot_id, evaluated.tenderee
    published = await candidates_published(evaluated)
    now = published.until - timedelta(hours=3)
    doubted, objector = (one.player for one in evaluated.ranked[:2])
    raised = await objected(store, objector, lot_id, "result", now=now)
    upheld = {"outcome": "partly", "remedy": "examine", "words": "业绩证明存疑。"}
    named = str(doubted.party)
    await answered(store, tenderee, lot_id, raised, now=now, **upheld, candidate=named)

    async def examined(candidate: object) -> set[str]:
        said = {
            "v": "ebid-candidate-recheck/1",
            "lot": str(lot_id),
            "report": b64u(evaluated.report.report_digest),
            "candidate": str(candidate),
            "ground": "illegal_act",
            "words": "业绩证明材料涉嫌虚假。",
            "evidence": [{"title": "业绩查询结果", "text": "住建部门网站"}],
            "signed_at": instant_text(now),
        }
        async with transaction(store, actor=tenderee.actor, now=now) as tx:
            await rechecking.ask_recheck(tx, lot_id, signed(tenderee, "candidate-recheck", said))
            brakes = set((await lots.hold(tx, lot_id)).brakes)
            assert await award_faults(await tx.session.connection()) == []
        return brakes

    assert str(raised.id) in await examined(objector.party)
    assert str(raised.id) not in await examined(doubted.party)
