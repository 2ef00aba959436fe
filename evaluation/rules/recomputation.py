"""An evaluation reckoned again from its record, without database, keys or anyone's word.

The record holds what the result follows from: the scheme, the bids' prices, the votes on rejections
and every sheet with its nonce and commitment. What is reckoned again either equals what was
published or it does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from evaluation.rules.ranking import (
    CANDIDATES_MAX,
    Allowance,
    EvaluatedBid,
    EvaluationResult,
    Totalling,
    ranked,
    totalling_refusals,
)
from evaluation.rules.rejection_grounds import (
    RejectionGround,
    RejectionMotion,
    motion_refusals,
    rejected_bids,
)
from evaluation.rules.scheme_document import parse_scheme, scheme_document
from evaluation.rules.score_arithmetic import decimal_of, decimal_text
from evaluation.rules.score_commitment import (
    NONCE_SIZE,
    ScoreSheet,
    changed_marks,
    check_reveal,
    parse_sheet,
    sheet_document,
    sheet_refusals,
)
from kernel.crypto.digests import Malformed, b64u, count_of, list_of, members, text_of, unb64u
from kernel.errors import Refused
from kernel.statute import Regime

VERSION: Final = "ebid-evaluation/1"
COMMITTEE_MAX: Final = 99
BIDS_MAX: Final = 1000


def evaluation_document(
    totalling: Totalling,
    *,
    committee: UUID,
    committee_members: Sequence[UUID],
    motions: Sequence[RejectionMotion],
    sheets: Sequence[tuple[ScoreSheet, bytes, bytes, str]],
) -> dict[str, object]:
    """The record of an evaluation as JSON.

    `sheets` are all that were ever committed to, as (sheet, nonce, commitment, reason of change).
    """
    return {
        "v": VERSION,
        "committee": str(committee),
        "regime": totalling.regime,
        "members": sorted(str(one) for one in committee_members),
        "scheme": scheme_document(totalling.scheme),
        "k": None if totalling.k is None else decimal_text(totalling.k),
        "ceiling": None if totalling.ceiling is None else decimal_text(totalling.ceiling),
        "bids": [
            {
                "bid": one.bid,
                "price": decimal_text(one.price),
                "allowance": one.allowance,
                "brand": one.brand,
                **({"received": one.received} if one.received else {}),
            }
            for one in sorted(totalling.bids, key=lambda one: one.bid)
        ],
        "motions": [
            {
                "bid": one.bid,
                "ground": one.ground,
                "page": one.page,
                "words": one.words,
                "below_cost": one.below_cost,
                "asked": one.asked,
                "in_favour": sorted(map(str, one.in_favour)),
                "against": sorted(map(str, one.against)),
            }
            for one in motions
        ],
        "sheets": [
            {
                "sheet": sheet_document(sheet),
                "nonce": b64u(nonce),
                "commitment": b64u(committed),
                "reason": reason,
            }
            for sheet, nonce, committed, reason in sorted(
                sheets, key=lambda one: (str(one[0].expert), one[0].round)
            )
        ],
        "drawn": list(totalling.drawn),
    }


def recompute(record: Mapping[str, object]) -> EvaluationResult:
    """The result that follows from a record.

    `Malformed` where it is not written as `evaluation_document` writes it, `BrokenSeal` where a
    sheet is not the one committed to, `Refused` where the law does not allow what it records.
    """
    told = members(
        dict(record),
        {
            "v",
            "committee",
            "regime",
            "members",
            "scheme",
            "k",
            "ceiling",
            "bids",
            "motions",
            "sheets",
            "drawn",
        },
    )
    if told["v"] != VERSION:
        raise Malformed(f"an evaluation is recorded as {VERSION}")
    regime = _regime(told["regime"])
    people = _people(told["members"])
    bids = _bids(told["bids"])
    motions = [_motion(one, people, bids) for one in list_of(told["motions"], at_most=10_000)]
    sheets = _standing_sheets(told["sheets"], _uuid(told["committee"]), people)
    totalling = Totalling(
        scheme=parse_scheme(told["scheme"]),
        regime=regime,
        bids=tuple(bids.values()),
        rejected=rejected_bids(motions, people),
        sheets=sheets,
        k=_decimal_or_none(told["k"]),
        ceiling=_decimal_or_none(told["ceiling"]),
        drawn=_drawn(told["drawn"], bids),
        candidates_max=CANDIDATES_MAX,
    )

    refusals = [found for one in motions for found in motion_refusals(one, regime=regime)]
    if totalling.valid():
        refusals += totalling_refusals(totalling, committee_members=people)
    for sheet in sheets:
        marked = {one.bid for one in sheet.marks}
        due = {one.bid for one in totalling.valid()} | (marked & bids.keys())
        refusals += sheet_refusals(sheet, totalling.scheme, bids=due, regime=regime)
    if refusals:
        raise Refused(refusals)
    try:
        return ranked(totalling)
    except ValueError as fault:
        raise Malformed(str(fault)) from None


def _standing_sheets(
    value: object, committee: UUID, people: Sequence[UUID]
) -> tuple[ScoreSheet, ...]:
    """Each member's last sheet; every earlier one must open its commitment too."""
    rounds: defaultdict[UUID, list[ScoreSheet]] = defaultdict(list)
    for one in list_of(value, at_most=COMMITTEE_MAX * 100):
        told = members(one, {"sheet", "nonce", "commitment", "reason"})
        sheet = parse_sheet(told["sheet"])
        check_reveal(sheet, unb64u(told["nonce"], NONCE_SIZE), unb64u(told["commitment"], 32))
        reason = text_of(told["reason"])
        mine = rounds[sheet.expert]
        if sheet.committee != committee or sheet.expert not in people:
            raise Malformed("a sheet of another committee or of nobody in it")
        if sheet.round != len(mine) + 1:
            raise Malformed("the rounds of a member's sheets count from one without a gap")
        if bool(mine) != bool(reason.strip()):
            raise Malformed("a change has a reason, and a first sheet has none")
        if mine and not changed_marks(mine[-1], sheet):
            raise Malformed("a change changes something")
        mine.append(sheet)
    return tuple(rounds[one][-1] for one in people if rounds[one])


def _motion(
    value: object, people: Sequence[UUID], bids: Mapping[str, EvaluatedBid]
) -> RejectionMotion:
    told = members(
        value,
        {"bid", "ground", "page", "words", "below_cost", "asked", "in_favour", "against"},
    )
    in_favour, against = _people(told["in_favour"]), _people(told["against"])
    if not {*in_favour, *against} <= set(people) or set(in_favour) & set(against):
        raise Malformed("a vote that is not a member's, or one cast twice")
    if text_of(told["bid"]) not in bids:
        raise Malformed("a motion on an unknown bid")
    flags = told["below_cost"], told["asked"]
    if not all(isinstance(one, bool) for one in flags):
        raise Malformed("true or false was expected")
    try:
        ground = RejectionGround(text_of(told["ground"]))
    except ValueError:
        raise Malformed("an unknown ground of rejection") from None
    return RejectionMotion(
        bid=text_of(told["bid"]),
        ground=ground,
        page=text_of(told["page"]),
        words=text_of(told["words"]),
        in_favour=frozenset(in_favour),
        against=frozenset(against),
        below_cost=flags[0] is True,
        asked=flags[1] is True,
    )


def _bids(value: object) -> dict[str, EvaluatedBid]:
    found: dict[str, EvaluatedBid] = {}
    for one in list_of(value, at_most=BIDS_MAX):
        told = members(one, {"bid", "price", "allowance", "brand"}, optional={"received"})
        try:
            bid = EvaluatedBid(
                text_of(told["bid"]),
                decimal_of(told["price"]),
                Allowance(text_of(told["allowance"])),
                text_of(told["brand"]),
                count_of(told.get("received", 0)),
            )
        except ValueError as fault:
            raise Malformed(str(fault)) from None
        if bid.bid in found:
            raise Malformed("a bid stands twice")
        found[bid.bid] = bid
    return found


def _people(value: object) -> tuple[UUID, ...]:
    found = tuple(_uuid(one) for one in list_of(value, at_most=COMMITTEE_MAX))
    if list(found) != sorted(set(found), key=str):
        raise Malformed("members stand in order, each once")
    return found


def _uuid(value: object) -> UUID:
    try:
        found = UUID(text_of(value))
    except ValueError:
        raise Malformed("not an id") from None
    if str(found) != value:
        raise Malformed("an id is written in its usual form")
    return found


def _regime(value: object) -> Regime:
    if value not in (Regime.TENDERING, Regime.PROCUREMENT):
        raise Malformed("an evaluation is held under one family of law")
    return Regime(text_of(value))


def _drawn(value: object, bids: Mapping[str, EvaluatedBid]) -> tuple[str, ...]:
    found = tuple(text_of(one) for one in list_of(value, at_most=BIDS_MAX))
    if len(set(found)) != len(found) or not set(found) <= bids.keys():
        raise Malformed("the draw among equals names bids, each once")
    return found


def _decimal_or_none(value: object) -> Decimal | None:
    return None if value is None else decimal_of(value)
