"""Complaints for tests: filed, answered, decided; valid by default and changed by keyword."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kernel.crypto.digests import instant_text
from kernel.store.transaction import Store, transaction
from kernel.working_days import beijing_day
from tests.tenders import Player, signed
from trading import complaining
from trading.complaining import Filed, Handled


def a_complaint(lot_id: object, about: str, *, now: datetime, **changes: Any) -> dict[str, Any]:
    """What a complaint says."""
    said = {
        "v": "ebid-complaint/1",
        "lot": str(lot_id),
        "about": about,
        "known_on": beijing_day(now).isoformat(),
        "request": "请认定中标候选人业绩不实并责令改正。",
        "grounds": "第一中标候选人的业绩证明材料系伪造，招标人的答复没有核实。",
        "evidence": [{"title": "业绩业主单位的回函", "text": "载明该项目由他人承建"}],
        "contact": "江城市解放路3号 027-00000009",
        "signed_at": instant_text(now),
    }
    return {**said, **changes}


def a_case(lot: str, about: str, **changes: Any) -> dict[str, Any]:
    """What an objection says over HTTP; a complaint too, once it names its `objection`."""
    said = {
        "lot": lot,
        "about": about,
        "request": "请予核实并改正。",
        "grounds": "公开的内容与事实不一致。",
        "evidence": [{"title": "业绩业主单位的回函", "text": "载明该项目由他人承建"}],
    }
    if "objection" in changes:
        said["contact"] = "江城市解放路3号 027-00000009"
    return {**said, **changes}


async def complained(
    store: Store, who: Player, lot_id: Any, about: str, *, now: datetime, **changes: Any
) -> Filed:
    raw = signed(who, "complaint", a_complaint(lot_id, about, now=now, **changes))
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await complaining.file_complaint(tx, lot_id, raw)


def about_it(kind: str, lot_id: object, filed: Filed, now: datetime, **said: Any) -> dict[str, Any]:
    """A statement about a complaint."""
    return {
        "v": f"ebid-{kind}/1",
        "lot": str(lot_id),
        "complaint": str(filed.id),
        "signed_at": instant_text(now),
        **said,
    }


async def taken_up(
    store: Store, who: Player, lot_id: Any, filed: Filed, *, now: datetime, **changes: Any
) -> Handled:
    said = {"taken_up": True, "reason": "", **changes}
    raw = signed(who, "complaint-answer", about_it("complaint-answer", lot_id, filed, now, **said))
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await complaining.answer_complaint(tx, lot_id, filed.id, raw)


async def braked(
    store: Store, who: Player, lot_id: Any, filed: Filed, *, now: datetime, **changes: Any
) -> None:
    said = {"suspended": True, "reason": "涉嫌业绩造假，需要核查", **changes}
    raw = signed(who, "complaint-brake", about_it("complaint-brake", lot_id, filed, now, **said))
    async with transaction(store, actor=who.actor, now=now) as tx:
        await complaining.brake_lot(tx, lot_id, filed.id, raw)


def a_decision(verdict: str, **changes: Any) -> dict[str, Any]:
    """What a decision says besides what it is about."""
    said = {
        "verdict": verdict,
        "facts": "经调查，业绩证明材料与业主单位的档案不符。",
        "basis": "《中华人民共和国招标投标法》第五十四条",
        "evidence": "业主单位的复函",
        "order": "责令重新评审" if verdict == "upheld_correct" else "",
        "remedy": "六十日内申请行政复议，或者六个月内提起行政诉讼",
        "investigators": 2,
        "excluded_days": 0,
    }
    return {**said, **changes}


async def decided(
    store: Store,
    who: Player,
    lot_id: Any,
    filed: Filed,
    verdict: str,
    *,
    now: datetime,
    **changes: Any,
) -> Handled:
    said = a_decision(verdict, **changes)
    raw = signed(
        who, "complaint-decision", about_it("complaint-decision", lot_id, filed, now, **said)
    )
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await complaining.decide_complaint(tx, lot_id, filed.id, raw)


async def taken_back(
    store: Store, who: Player, lot_id: Any, filed: Filed, *, now: datetime
) -> None:
    said = about_it("complaint-withdrawal", lot_id, filed, now, reason="已与招标人沟通一致")
    raw = signed(who, "complaint-withdrawal", said)
    async with transaction(store, actor=who.actor, now=now) as tx:
        await complaining.withdraw_complaint(tx, lot_id, filed.id, raw)
