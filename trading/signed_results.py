"""The signed papers of a result: what a stranger needs to check an award without the platform.

Each paper is known by the name of its file in the folder that `sunbid verify award` reads, and so
is each entry of the log that has to be proven. The newest award is `award`; those before it, which
all fell away, bear their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.identifiers import EntryId, LotId
from kernel.store.transaction import Transaction
from trading import lots
from trading.award_views import TOLD
from trading.awarding import Report, report_in_force
from trading.bound_bids import bound_bids
from trading.contract_views import signing_keys
from trading.made_awards import MadeAward, awards_of
from trading.rechecking import rechecks_of
from trading.tables import AwardVoteRow, CandidatesRow, LotRow


@dataclass(frozen=True, slots=True)
class SignedResult:
    """The signed papers of a result, the entries that tell of its steps, and the signers' keys."""

    papers: dict[str, bytes]
    entries: dict[str, EntryId]
    signers: dict[str, bytes]


@by(*Role)
async def signed_result(tx: Transaction, lot_id: LotId) -> SignedResult:
    """The statements as they were signed, once they are public; `NotFound` before."""
    lot = await tx.session.get(LotRow, lot_id)
    report = await report_in_force(tx, lot_id)
    made = await awards_of(tx, lot_id)
    if lot is None or report is None or (lot.state not in TOLD and not made):
        raise NotFound("no result yet")
    published = await tx.session.get(CandidatesRow, (lot_id, report.row.round))
    papers, entries = {}, {"close": await lots.entry_of(tx, lot_id, "LotClosed")}
    if published is not None:
        papers["candidates"] = published.statement
        entries["candidates"] = await lots.entry_of(tx, lot_id, "CandidatesPublished")
    for one in made:
        last = one is made[-1]
        papers |= _papers_of(one, last=last) | await _votes(tx, one)
        entries |= await _entries_of(tx, one, last=last)
    if made:
        refusals, asked = await _lapses(tx, lot, report, made[-1])
        findings, concluded = await _findings(tx, report, made[-1])
        papers, entries = papers | refusals | findings, entries | asked | concluded
    return SignedResult(papers, entries, await signing_keys(tx, papers.values()))


def _named(kind: str, one: MadeAward, *, last: bool) -> str:
    return kind if last else f"{kind}-{one.row.number}"


def _papers_of(one: MadeAward, *, last: bool) -> dict[str, bytes]:
    papers = {_named("award", one, last=last): one.row.statement}
    if one.annulment is not None:
        papers[_named("annulment", one, last=last)] = one.annulment.statement
        if one.renunciation is not None:
            papers[_named("renunciation", one, last=last)] = one.renunciation.statement
    return papers


async def _entries_of(tx: Transaction, one: MadeAward, *, last: bool) -> dict[str, EntryId]:
    at = one.row.awarded_at
    found = {
        _named("award", one, last=last): await lots.entry_of(
            tx, one.row.lot_id, "AwardPublished", at=at
        )
    }
    if one.annulment is not None:
        found[_named("annulment", one, last=last)] = EntryId(one.annulment.entry_id)
    return found


async def _votes(tx: Transaction, one: MadeAward) -> dict[str, bytes]:
    """The members' own votes, in the order of the minutes that name them."""
    votes: Sequence[Any] = [] if one.row.minutes is None else one.row.minutes["votes"]
    rows = {
        row.member: row.statement
        for row in await tx.session.scalars(
            select(AwardVoteRow).where(
                col(AwardVoteRow.lot_id) == one.row.lot_id,
                col(AwardVoteRow.round) == one.row.round,
                col(AwardVoteRow.award_number) == one.row.number,
            )
        )
    }
    return {
        f"vote-{one.row.number}-{place}": rows[vote["member"]]
        for place, vote in enumerate(votes, 1)
        if "signed" in vote
    }


async def _lapses(
    tx: Transaction, lot: LotRow, report: Report, newest: MadeAward
) -> tuple[dict[str, bytes], dict[str, EntryId]]:
    """What shows that candidates were bound no longer when the newest award was made.

    By rank the refusals that they signed; and of those who never answered, what they were asked.
    """
    bound = await bound_bids(tx, lot)
    refusals, asked = {}, {}
    for one in report.candidates:
        lapse = bound.lapse_of(one.bidder_id)
        if lapse is None or lapse.at > newest.row.awarded_at:
            continue
        if lapse.refusal is not None:
            refusals[f"refusal-{one.rank}"] = lapse.refusal.statement
            continue
        request = next(each for each in bound.requests if each.number == lapse.request)
        asked[f"asked-{request.number}"] = await lots.entry_of(
            tx, lot.id, "ValidityExtensionAsked", at=request.asked_at
        )
    return refusals, asked


async def _findings(
    tx: Transaction, report: Report, newest: MadeAward
) -> tuple[dict[str, bytes], dict[str, EntryId]]:
    """What shows that candidates were found unfit before the newest award: what was asked, and what
    each member of the committee signed.
    """
    papers, concluded = {}, {}
    for one in await rechecks_of(tx, report.row.lot_id, round=newest.row.round):
        if one.conclusion is None or not one.unfit:
            continue
        if one.conclusion.concluded_at > newest.row.awarded_at:
            continue
        number = one.row.number
        papers[f"recheck-{number}"] = one.row.statement
        papers |= {f"opinion-{number}-{each.member}": each.statement for each in one.opinions}
        concluded[f"recheck-{number}"] = EntryId(one.conclusion.entry_id)
    return papers, concluded
