"""THE LIFE OF A LISTING (挂牌竞价): prices named in the open, each higher than the last.

A small procedure of its own: nothing is sealed but the reserve. Quotes are taken while the listing
runs, at least one step above the highest. At its end everybody who quoted is asked whether to go
on; who goes on bids in rounds, and each quote begins the countdown anew, so that the last second
never decides. The highest quote that reaches the reserve wins; of equal ones, the first. All of it
is a protocol without I/O: a state, what happens, and the state after it.

The provisions on land are known from memory, so that what they demand of dates and sums is warned
of. What refuses here is the listing's own published terms, under the law of contracts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.errors import NoCalendar
from kernel.identifiers import PartyId
from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    CIVIL_CODE,
    LAND_GRANT_PROVISIONS,
    LAND_SUPPLY_NOTICE,
    Severity,
    under,
)
from kernel.working_days import BEIJING, Calendar, beijing_day, end_of_day, last_working_day

NOTICE_DAYS: Final = 20
LISTING_DAYS: Final = 10
SECURITY_SHARE: Final = Decimal("0.20")
RETURN_WORKING_DAYS: Final = 5
RESULT_WORKING_DAYS: Final = 10
CONTRACT_WORKING_DAYS: Final = 10

TERMS: Final = CIVIL_CODE[509]
"""Everybody keeps to the terms that were published and agreed (全面履行约定的义务)."""


class Asset(StrEnum):
    """What is listed: a right to use state-owned land, or state-owned property."""

    LAND = "land"
    PROPERTY = "property"


ASSET_NAMES: Final[Mapping[Asset, str]] = MappingProxyType(
    {Asset.LAND: "国有建设用地使用权", Asset.PROPERTY: "国有产权（资产）"}
)


class Phase(StrEnum):
    """Where a listing stands."""

    ANNOUNCED = "announced"
    LISTED = "listed"
    ASKING = "asking"
    BIDDING = "bidding"
    SOLD = "sold"
    UNSOLD = "unsold"
    TERMINATED = "terminated"


class Undone(StrEnum):
    """How a deal came to nothing after the listing had ended with it."""

    FELL_THROUGH = "fell_through"
    VOID = "void"


ENDS: Final = frozenset({Phase.SOLD, Phase.UNSOLD, Phase.TERMINATED})


@dataclass(frozen=True, slots=True)
class ListingTerms:
    """What was published: times, starting price, step, and how long each countdown runs.

    `asking` is how long everybody is asked whether to go on, `countdown` how long a round of the
    bidding waits for a higher quote. Whoever wants to quote registers, and has its security there,
    before `register_until`; without one that is the end of the listing. Amounts are in yuan.
    """

    published_at: datetime
    starts_at: datetime
    ends_at: datetime
    starting_price: Decimal
    step: Decimal
    security: Decimal
    asking: timedelta = timedelta(minutes=4)
    countdown: timedelta = timedelta(minutes=4)
    register_until: datetime | None = None

    @property
    def registers_until(self) -> datetime:
        """When registration ends."""
        return self.register_until or self.ends_at


@dataclass(frozen=True, slots=True)
class Quote:
    """A price that a bidder named, and when it was received; `number` is its place in order."""

    number: int
    bidder: PartyId
    price: Decimal
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing as it stands: its quotes in order, who goes on, and when its phase ends."""

    phase: Phase
    quotes: tuple[Quote, ...] = ()
    goes_on: frozenset[PartyId] = frozenset()
    phase_ends_at: datetime | None = None

    @property
    def highest(self) -> Quote | None:
        """The leading quote: the highest price, and of equal ones the first."""
        return min(self.quotes, key=lambda one: (-one.price, one.number), default=None)

    def bidders(self) -> frozenset[PartyId]:
        """Everybody who named a price."""
        return frozenset(one.bidder for one in self.quotes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a listing ended: who won for how much, or why nobody did."""

    winner: PartyId | None
    price: Decimal | None
    why: str


def next_price(listing: Listing, terms: ListingTerms) -> Decimal:
    """The least price that would be taken now."""
    highest = listing.highest
    return terms.starting_price if highest is None else highest.price + terms.step


@under(CIVIL_CODE[509], rule="LA-07")
def quote_refusals(
    listing: Listing,
    terms: ListingTerms,
    *,
    bidder: PartyId,
    price: Decimal,
    received_at: datetime,
    admitted: bool,
) -> list[Refusal]:
    """Every ground on which a quote is not taken; `admitted` says its security arrived in time.

    A quote that arrives at the very end of a phase is late.
    """
    refusals = []
    if not admitted:
        reason = "竞买保证金未按时到账或者竞买资格未经确认，不能报价"
        refusals.append(Refusal("not_admitted", TERMS, reason))
    if listing.phase not in (Phase.LISTED, Phase.BIDDING):
        reason = "现在不接受报价"
        refusals.append(Refusal("not_listed", TERMS, reason, {"phase": str(listing.phase)}))
    elif listing.phase_ends_at is not None and received_at >= listing.phase_ends_at:
        reason = (
            f"报价期已于{_clock(listing.phase_ends_at)}截止，本次报价收到于{_clock(received_at)}"
        )
        facts = {
            "received_at": received_at.isoformat(),
            "ended_at": listing.phase_ends_at.isoformat(),
        }
        refusals.append(Refusal("late", TERMS, reason, facts))
    if listing.phase is Phase.BIDDING and bidder not in listing.goes_on:
        refusals.append(Refusal("gave_up", TERMS, "未表示继续竞价的，不能参加限时竞价"))
    least = next_price(listing, terms)
    if price < least:
        reason = f"报价不得低于{yuan_text(least)}元"
        refusals.append(Refusal("too_low", TERMS, reason, {"least": yuan_text(least)}))
    elif (price - terms.starting_price) % terms.step:
        reason = f"报价应当按照{yuan_text(terms.step)}元的增价幅度"
        refusals.append(Refusal("off_step", TERMS, reason, {"step": yuan_text(terms.step)}))
    return refusals


def quoted(
    listing: Listing, terms: ListingTerms, *, bidder: PartyId, price: Decimal, received_at: datetime
) -> Listing:
    """The listing after a quote that was not refused; in the bidding the countdown begins anew.

    Quotes stand in the order in which they were taken, which of two on their way at once need not
    be the order in which they arrived; a countdown that was shown is never shortened by that.
    """
    quote = Quote(len(listing.quotes) + 1, bidder, price, received_at)
    ends_at = listing.phase_ends_at
    if listing.phase is Phase.BIDDING:
        anew = received_at + terms.countdown
        ends_at = anew if ends_at is None else max(ends_at, anew)
    return replace(listing, quotes=(*listing.quotes, quote), phase_ends_at=ends_at)


@under(CIVIL_CODE[509], rule="LA-08")
def going_on_refusals(listing: Listing, *, bidder: PartyId, said_at: datetime) -> list[Refusal]:
    """Why a bidder's word that it goes on is not taken: it did not quote, or nobody asks now."""
    refusals = []
    if listing.phase is not Phase.ASKING or (
        listing.phase_ends_at is not None and said_at >= listing.phase_ends_at
    ):
        refusals.append(Refusal("not_asking", TERMS, "现在不询问是否继续竞价"))
    if bidder not in listing.bidders():
        refusals.append(Refusal("never_quoted", TERMS, "挂牌期间没有报价的，不能参加限时竞价"))
    return refusals


def goes_on(listing: Listing, *, bidder: PartyId) -> Listing:
    """The listing after a bidder said that it goes on."""
    return replace(listing, goes_on=listing.goes_on | {bidder})


def passed(listing: Listing, terms: ListingTerms, *, now: datetime) -> Listing:
    """The listing once time has done what it does: begin, ask, bid or end.

    Several phases may pass at once where nobody looked for long; the outcome is the same. Bidding
    begins only if somebody other than the leader goes on.
    """
    while True:
        after = _one_step(listing, terms, now=now)
        if after is listing:
            return listing
        listing = after


def _one_step(listing: Listing, terms: ListingTerms, *, now: datetime) -> Listing:
    if listing.phase is Phase.ANNOUNCED and now >= terms.starts_at:
        return replace(listing, phase=Phase.LISTED, phase_ends_at=terms.ends_at)
    ends_at = listing.phase_ends_at
    if ends_at is None or now < ends_at or listing.phase in ENDS:
        return listing
    if listing.phase is Phase.LISTED:
        if len(listing.bidders()) < 2:
            return _ended(listing)
        return replace(listing, phase=Phase.ASKING, phase_ends_at=ends_at + terms.asking)
    if listing.phase is Phase.ASKING:
        leader = listing.highest
        others = listing.goes_on - ({leader.bidder} if leader else set())
        if not others:
            return _ended(listing)
        on = listing.goes_on | ({leader.bidder} if leader else set())
        return replace(
            listing, phase=Phase.BIDDING, goes_on=on, phase_ends_at=ends_at + terms.countdown
        )
    if listing.phase is Phase.BIDDING:
        return _ended(listing)
    return listing


def opened_late(listing: Listing, *, by: timedelta) -> Listing:
    """The listing whose phase the platform opened late: it lasts as long as was published.

    Whoever is asked, or waits for a higher quote, is not to lose time by our fault.
    """
    if listing.phase not in (Phase.ASKING, Phase.BIDDING) or listing.phase_ends_at is None:
        return listing
    return replace(listing, phase_ends_at=listing.phase_ends_at + by)


def _ended(listing: Listing) -> Listing:
    return replace(listing, phase=Phase.SOLD if listing.quotes else Phase.UNSOLD)


@under(CIVIL_CODE[509], rule="LA-08")
def outcome(
    listing: Listing, *, reserve: Decimal | None, leader_barred: bool = False
) -> Outcome | None:
    """How the listing ended under a reserve that was secret until now; None while it runs.

    A leader who was barred meanwhile wins nothing, and nobody wins in its place: the others never
    named that price.
    """
    if listing.phase not in (Phase.SOLD, Phase.UNSOLD):
        return None
    highest = listing.highest
    if highest is None:
        return Outcome(None, None, "没有人报价")
    if reserve is not None and highest.price < reserve:
        return Outcome(None, None, "最高报价低于底价")
    if leader_barred:
        return Outcome(None, None, "最高报价人处于禁止期内，不能成交")
    return Outcome(highest.bidder, highest.price, "报价最高且不低于底价")


@under(
    LAND_GRANT_PROVISIONS[8],
    LAND_GRANT_PROVISIONS[18],
    LAND_SUPPLY_NOTICE[4],
    rule=("LA-02", "LA-07", "LA-12"),
    severity=Severity.WARN,
)
def listing_cautions(terms: ListingTerms) -> list[Caution]:
    """A notice, a listing or a security below what the provisions on land ask for."""
    cautions = []
    notice = beijing_day(terms.starts_at) - beijing_day(terms.published_at)
    if notice.days < NOTICE_DAYS:
        reason = f"应当至少在挂牌开始日前{NOTICE_DAYS}日发布公告"
        cautions.append(Caution("notice_too_short", LAND_GRANT_PROVISIONS[8], reason))
    if beijing_day(terms.ends_at) < beijing_day(terms.starts_at) + timedelta(days=LISTING_DAYS):
        reason = f"挂牌时间不得少于{LISTING_DAYS}日"
        cautions.append(Caution("listing_too_short", LAND_GRANT_PROVISIONS[18], reason))
    if terms.security < SECURITY_SHARE * terms.starting_price:
        reason = f"竞买保证金不得低于起始价的{SECURITY_SHARE:.0%}"
        cautions.append(Caution("security_too_low", LAND_SUPPLY_NOTICE[4], reason))
    return cautions


@under(CIVIL_CODE[509], rule="LA-07")
def terms_refusals(terms: ListingTerms) -> list[Refusal]:
    """Why a listing cannot be published with these terms at all."""
    refusals = []
    if not terms.published_at <= terms.starts_at < terms.ends_at:
        reason = "公告、挂牌开始与挂牌截止时间应当依次在后"
        refusals.append(Refusal("times_out_of_order", TERMS, reason))
    if not terms.published_at < terms.registers_until <= terms.ends_at:
        reason = "报名和缴纳保证金的截止时间应当在公告之后、挂牌截止之前"
        refusals.append(Refusal("registration_out_of_order", TERMS, reason))
    if terms.starting_price <= 0 or terms.step <= 0:
        refusals.append(Refusal("no_price", TERMS, "起始价和增价幅度应当大于零"))
    if terms.security < 0:
        refusals.append(Refusal("security_negative", TERMS, "竞买保证金不得为负"))
    if terms.asking <= timedelta(0) or terms.countdown <= timedelta(0):
        refusals.append(Refusal("no_countdown", TERMS, "询问和限时竞价的时间应当大于零"))
    return refusals


@under(CIVIL_CODE[509], rule="LA-03")
def reserve_refusals(
    asset: Asset, terms: ListingTerms, *, reserve: Decimal | None
) -> list[Refusal]:
    """Why this reserve cannot be set: property has none but its starting price, which is public.

    A reserve at or below the starting price would keep nothing back.
    """
    if reserve is None:
        return []
    if asset is Asset.PROPERTY:
        reason = "产权转让以公布的转让底价为起始价，不另设保密底价"
        return [Refusal("reserve_not_for_property", TERMS, reason)]
    if reserve <= terms.starting_price:
        return [Refusal("reserve_too_low", TERMS, "底价应当高于起始价，否则不必设定")]
    return []


@under(CIVIL_CODE[509], rule="LA-07")
def registration_refusals(
    listing: Listing, terms: ListingTerms, *, asked_at: datetime
) -> list[Refusal]:
    """Why nobody can register now; who registers at the very end of the time is late."""
    if listing.phase in (Phase.ANNOUNCED, Phase.LISTED) and asked_at < terms.registers_until:
        return []
    reason = f"竞买报名已于{_clock(terms.registers_until)}截止"
    facts = {"until": terms.registers_until.isoformat(), "asked_at": asked_at.isoformat()}
    return [Refusal("registration_over", TERMS, reason, facts)]


@under(CIVIL_CODE[509], rule="LA-12")
def admission_refusals(
    terms: ListingTerms, *, paid: Decimal, arrived_at: datetime, now: datetime
) -> list[Refusal]:
    """Why a registered bidder cannot be admitted: its security is short, late, or not there yet."""
    refusals = []
    if paid < terms.security:
        reason = f"竞买保证金应为{yuan_text(terms.security)}元，到账{yuan_text(paid)}元"
        refusals.append(Refusal("security_short", TERMS, reason))
    if arrived_at >= terms.registers_until:
        reason = (
            f"竞买保证金应于{_clock(terms.registers_until)}前到账，"
            f"实际到账时间为{_clock(arrived_at)}"
        )
        refusals.append(Refusal("security_late", TERMS, reason))
    if arrived_at > now:
        refusals.append(Refusal("security_to_come", TERMS, "到账时间不能晚于现在"))
    return refusals


@under(CIVIL_CODE[509], rule="LA-08")
def deal_refusals(
    listing: Listing, *, winner: PartyId | None, signer: PartyId, seller: PartyId
) -> list[Refusal]:
    """Why somebody cannot sign the deal: there is none, or it is between two others."""
    if listing.phase is not Phase.SOLD or winner is None:
        return [Refusal("no_deal", TERMS, "本次挂牌没有成交")]
    if signer not in (winner, seller):
        return [Refusal("not_of_the_deal", TERMS, "成交确认书由出让人（转让人）和竞得人签订")]
    return []


@under(CIVIL_CODE[509], rule="LA-08")
def undone_refusals(undone: Undone | None) -> list[Refusal]:
    """Why a deal is signed no more: it came to nothing."""
    if undone is None:
        return []
    reasons = {
        Undone.FELL_THROUGH: "竞得人逾期未签，出让人（转让人）已不再与其成交",
        Undone.VOID: "竞得结果已经依法宣布无效",
    }
    return [Refusal(str(undone), TERMS, reasons[undone])]


@dataclass(frozen=True, slots=True)
class AfterDays:
    """By when securities go back, the result is public and the contract is signed."""

    returned: datetime
    published: datetime
    contract: datetime


@under(
    LAND_GRANT_PROVISIONS[21],
    LAND_GRANT_PROVISIONS[22],
    LAND_SUPPLY_NOTICE[4],
    rule=("LA-09", "LA-10", "LA-12"),
    severity=Severity.WARN,
)
def days_after(ended_on: date, *, calendar: Calendar) -> AfterDays | None:
    """The days that follow a listing; None for a year whose calendar is not known."""

    def after(days: int) -> datetime:
        return end_of_day(last_working_day(ended_on, days, calendar=calendar))

    try:
        return AfterDays(
            after(RETURN_WORKING_DAYS), after(RESULT_WORKING_DAYS), after(CONTRACT_WORKING_DAYS)
        )
    except NoCalendar:
        return None


@under(LAND_GRANT_PROVISIONS[10], rule="LA-03", severity=Severity.WARN)
def reserve_may_be_shown(listing: Listing) -> bool:
    """Whether the reserve is secret no longer: once the listing has run to its end.

    One that was ended early did not come to be judged by it, and may be listed again under it.
    """
    return listing.phase in (Phase.SOLD, Phase.UNSOLD)


@under(LAND_GRANT_PROVISIONS[4], rule="LA-01", severity=Severity.WARN)
def openness_cautions(*, for_business: bool, interested: int, listed: bool) -> list[Caution]:
    """Land for business, or that several want, which is to go by agreement."""
    if listed or not (for_business or interested > 1):
        return []
    reason = "经营性用地以及有两个以上意向用地者的，应当以招标、拍卖或者挂牌方式出让"
    return [Caution("must_be_open", LAND_GRANT_PROVISIONS[4], reason)]


def standing_of_quotes(quotes: Iterable[Quote]) -> list[Quote]:
    """The quotes from the leading one down: by price, and of equal ones the first received."""
    return sorted(quotes, key=lambda one: (-one.price, one.number))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S.%f}"[:-3]
