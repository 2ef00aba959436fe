"""The course of a bidder's security (竞买保证金) in a listing: due, held, back, kept or paid over.

Where it stands is never stored: it follows from what was asked, what the bank told, how the listing
ended and who signed the deal. Until the end nobody but its bidder learns of it. A winner's becomes
a deposit (定金): paid towards the price once the deal is signed, kept where the winner does not
sign it, but of the deal's price no more than the fifth that the Civil Code lets a deposit be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import half_up
from kernel.refusals import Caution, Refusal
from kernel.statute import CIVIL_CODE, LAND_GRANT_PROVISIONS, Severity, under
from kernel.working_days import Calendar, beijing_day, end_of_day
from trading.rules.listing_protocol import TERMS, days_after

DEPOSIT_SHARE_MAX: Final = Decimal("0.20")
"""No more of a price than this can be a deposit (民法典 586)."""

WEEK: Final = timedelta(days=7)

DEPOSIT: Final = CIVIL_CODE[587]
"""Who gave a deposit and does not perform has no claim to it; else it is paid towards the price."""


class ListingSecurityState(StrEnum):
    """Where a bidder's security in a listing stands."""

    NOT_ASKED = "not_asked"
    DUE = "due"
    SHORT = "short"
    LATE = "late"
    PAID = "paid"
    HELD = "held"
    APPLIED = "applied"
    TO_RETURN = "to_return"
    RETURNED = "returned"
    FORFEITED = "forfeited"


class ListingReturnCause(StrEnum):
    """Why a security goes back."""

    LOST = "listing_lost"
    UNSOLD = "listing_unsold"
    TERMINATED = "listing_terminated"
    SELLER_SILENT = "listing_seller_silent"
    REST = "listing_rest"
    VOID = "listing_void"


LISTING_CAUSE_NAMES: Final[Mapping[ListingReturnCause, str]] = MappingProxyType(
    {
        ListingReturnCause.LOST: "挂牌结束，未竞得",
        ListingReturnCause.UNSOLD: "挂牌结束，未成交",
        ListingReturnCause.TERMINATED: "挂牌终止",
        ListingReturnCause.SELLER_SILENT: "出让人（转让人）逾期未签订成交确认书",
        ListingReturnCause.VOID: "竞得结果无效",
        ListingReturnCause.REST: "超过成交价20%、不产生定金效力的部分",
    }
)


@dataclass(frozen=True, slots=True)
class ListingSecurityFacts:
    """One bidder's security as far as it has come; every instant None where it did not happen.

    `paid_in_time` arrived before registration ended. `sold` and `terminated` say how the listing
    ended; `signing_due_at` is by when the deal is to be signed, None where no calendar tells.
    `kept` is what the seller keeps. `paid_at` is when the last payment came, `void_at` when a
    winner's result was declared void.
    """

    asked: Decimal
    paid: Decimal = Decimal(0)
    paid_in_time: Decimal = Decimal(0)
    given_back: Decimal = Decimal(0)
    kept: Decimal = Decimal(0)
    kept_at: datetime | None = None
    paid_at: datetime | None = None
    void_at: datetime | None = None
    ended_at: datetime | None = None
    sold: bool = False
    terminated: bool = False
    won: bool = False
    price: Decimal = Decimal(0)
    seller_signed: bool = False
    buyer_signed: bool = False
    signing_due_at: datetime | None = None

    @property
    def dealt(self) -> bool:
        """Whether both sides have signed."""
        return self.seller_signed and self.buyer_signed

    @property
    def applied(self) -> bool:
        """Whether it is paid towards the price."""
        return self.won and self.dealt and self.void_at is None

    @property
    def held(self) -> Decimal:
        """The money that is still there and is its bidder's."""
        return Decimal(0) if self.applied else self.paid - self.given_back - self.kept

    def signing_is_over(self, now: datetime) -> bool:
        """Whether the time to sign the deal is over."""
        return self.signing_due_at is not None and now >= self.signing_due_at


@dataclass(frozen=True, slots=True)
class ListingReturnDue:
    """That a security goes back: why, and by when.

    `ours` says that no calendar of working days reaches so far, and that we ring after a week.
    """

    cause: ListingReturnCause
    due_at: datetime
    ours: bool = False


@under(LAND_GRANT_PROVISIONS[21], rule="LA-09", severity=Severity.WARN)
def listing_return_due(
    facts: ListingSecurityFacts, *, now: datetime, calendar: Calendar
) -> ListingReturnDue | None:
    """Why and by when a security goes back; None while it must stay, or nothing is there."""
    if facts.ended_at is None or facts.held <= 0:
        return None
    # What arrives when all is over has its days from then.
    since = max(facts.ended_at, facts.paid_at or facts.ended_at)
    if facts.terminated:
        cause = ListingReturnCause.TERMINATED
    elif not facts.sold:
        cause = ListingReturnCause.UNSOLD
    elif not facts.won:
        cause = ListingReturnCause.LOST
    elif facts.void_at is not None:
        cause, since = ListingReturnCause.VOID, facts.void_at
    elif facts.kept_at is not None:
        cause, since = ListingReturnCause.REST, facts.kept_at
    elif facts.buyer_signed and not facts.seller_signed and facts.signing_is_over(now):
        assert facts.signing_due_at is not None
        cause, since = ListingReturnCause.SELLER_SILENT, facts.signing_due_at
    else:
        return None
    days = days_after(beijing_day(since), calendar=calendar)
    if days is None:
        return ListingReturnDue(cause, end_of_day(beijing_day(since) + WEEK), ours=True)
    return ListingReturnDue(cause, days.returned)


def listing_security_state(
    facts: ListingSecurityFacts, *, due: ListingReturnDue | None
) -> ListingSecurityState:
    """Where the security stands, given what `listing_return_due` says of it."""
    if due is not None:
        return ListingSecurityState.TO_RETURN
    if facts.kept > 0:
        return ListingSecurityState.FORFEITED
    if facts.applied and facts.paid > 0:
        return ListingSecurityState.APPLIED
    if facts.held <= 0:
        if facts.given_back > 0:
            return ListingSecurityState.RETURNED
        return ListingSecurityState.DUE if facts.asked > 0 else ListingSecurityState.NOT_ASKED
    if facts.paid_in_time < facts.asked:
        whole = facts.paid >= facts.asked
        return ListingSecurityState.LATE if whole else ListingSecurityState.SHORT
    return ListingSecurityState.HELD if facts.ended_at is not None else ListingSecurityState.PAID


@under(CIVIL_CODE[509], CIVIL_CODE[587], rule="LA-09")
def listing_return_refusals(
    facts: ListingSecurityFacts, due: ListingReturnDue | None
) -> list[Refusal]:
    """Why a security may not be recorded as given back: nothing is there, or it still binds."""
    if facts.held <= 0:
        return [Refusal("nothing_held", TERMS, "没有尚未退还的竞买保证金")]
    if due is None:
        return [Refusal("still_needed", DEPOSIT, "竞得人的竞买保证金转作定金，尚不能退还")]
    return []


@under(LAND_GRANT_PROVISIONS[21], rule="LA-09", severity=Severity.WARN)
def listing_return_cautions(due: ListingReturnDue, *, returned_at: datetime) -> list[Caution]:
    """A return after its last day, which no refusal would put right."""
    if returned_at < due.due_at:
        return []
    facts = {"until": due.due_at.isoformat()}
    return [Caution("returned_late", LAND_GRANT_PROVISIONS[21], "竞买保证金逾期退还", facts)]


@under(CIVIL_CODE[586], CIVIL_CODE[587], rule="LA-09")
def keeping_refusals(facts: ListingSecurityFacts, *, now: datetime) -> list[Refusal]:
    """Why a seller may not keep a security: its winner is not the one who does not sign.

    A seller who has not signed the deal itself cannot say that the other side failed it.
    """
    if not facts.won:
        return [Refusal("not_the_winner", DEPOSIT, "该竞买人没有竞得")]
    refusals = []
    if facts.void_at is not None:
        refusals.append(Refusal("void", DEPOSIT, "竞得结果已经宣布无效"))
    if facts.buyer_signed:
        refusals.append(Refusal("signed_already", DEPOSIT, "竞得人已经签署成交确认书"))
    if not facts.seller_signed:
        reason = "出让人（转让人）自己尚未签署成交确认书"
        refusals.append(Refusal("seller_has_not_signed", DEPOSIT, reason))
    if not facts.signing_is_over(now):
        due = facts.signing_due_at
        told = {} if due is None else {"until": due.isoformat()}
        reason = "竞得人签署成交确认书的期限尚未届满"
        refusals.append(Refusal("signing_open", DEPOSIT, reason, told))
    return refusals


@under(CIVIL_CODE[586], rule="LA-09")
def kept_of(held: Decimal, *, price: Decimal) -> Decimal:
    """How much of a security is kept: as much of it as can be a deposit under that price."""
    return min(held, half_up(price * DEPOSIT_SHARE_MAX))
