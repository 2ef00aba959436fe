"""The course of one bidder's security: due, paid or guaranteed, held, to be returned, returned.

Where a security stands is never stored: it follows from what was asked, what arrived when, and what
became of the bid. A security that is missing, short or late refuses no submission; it is laid
before the committee as a fact, because only the committee rejects a bid, and because a platform
that turned a bidder away at the door would have to know who paid before the opening.

The law sets the last day of most returns. Where it says only 及时 (without delay), or nothing, the
day after which the alarm rings is ours, and `ours` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import half_up
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    Severity,
    under,
)
from kernel.working_days import Calendar, beijing_day, end_of_day
from trading.rules.award_gates import VALIDITY_ARTICLE
from trading.rules.lot_lifecycle import LotState
from trading.rules.procedures import GUARANTEES, Period, SecurityForm, Switches

DAYS_OF_A_YEAR: Final = 360
"""As banks count when they turn a yearly rate into days."""

LATE_FACTOR: Final = Decimal("1.2")
"""What procurement adds to the loan rate for every day that a return comes late."""


class SecurityState(StrEnum):
    """Where a bidder's security stands."""

    NOT_ASKED = "not_asked"
    DUE = "due"
    SHORT = "short"
    PAID = "paid"
    GUARANTEED = "guaranteed"
    MISSING = "missing"
    LATE = "late"
    HELD = "held"
    TO_RETURN = "to_return"
    RETURNED = "returned"
    FORFEITED = "forfeited"


class ReturnCause(StrEnum):
    """Why a security goes back."""

    WITHDRAWN = "withdrawn"
    NO_BID = "no_bid"
    DEEMED_WITHDRAWN = "deemed_withdrawn"
    EXTENSION_REFUSED = "extension_refused"
    LEFT_TALKS = "left_talks"
    ENDED = "ended"
    LOST = "lost"
    CONTRACT = "contract"


class ForfeitureGround(StrEnum):
    """On what ground a security is not given back."""

    REVOKED = "revoked"
    AWARD_REFUSED = "award_refused"


CAUSE_NAMES: Final[Mapping[ReturnCause, str]] = MappingProxyType(
    {
        ReturnCause.WITHDRAWN: "投标截止前撤回投标文件",
        ReturnCause.NO_BID: "已缴款，未递交投标文件",
        ReturnCause.DEEMED_WITHDRAWN: "非因投标人原因未能解密，视为撤回",
        ReturnCause.EXTENSION_REFUSED: "未同意延长投标有效期",
        ReturnCause.LEFT_TALKS: "最后报价前退出谈判（磋商）",
        ReturnCause.ENDED: "招标终止、流标或者中标无效",
        ReturnCause.LOST: "未中标，中标通知书已发出",
        ReturnCause.CONTRACT: "合同已经签订",
    }
)

FORFEITURE_NAMES: Final[Mapping[ForfeitureGround, str]] = MappingProxyType(
    {
        ForfeitureGround.REVOKED: "投标截止后撤销投标文件",
        ForfeitureGround.AWARD_REFUSED: "中标人无正当理由不订立合同，或者提出附加条件，"
        "或者不提交履约保证金",
    }
)


@dataclass(frozen=True, slots=True)
class SecurityFacts:
    """One bidder's security as far as it has come; every instant None where it did not happen.

    `paid` is all that arrived, `paid_in_time` what arrived before the deadline, `given_back` the
    principal that went back. `guaranteed` says that a guarantee stands and was there in time;
    `guarantee_back` that it was handed back. `withdrawn_at` counts only while no later bid stands.
    `ended_at` is when the lot failed, was cancelled, or its award was declared void.
    """

    asked: Decimal
    bids_due_at: datetime
    paid: Decimal = Decimal(0)
    paid_in_time: Decimal = Decimal(0)
    given_back: Decimal = Decimal(0)
    guaranteed: bool = False
    guarantee_back: bool = False
    forfeited: bool = False
    closed: bool = False
    has_bid: bool = False
    withdrawn_at: datetime | None = None
    deemed_withdrawn_at: datetime | None = None
    extension_refused_at: datetime | None = None
    left_talks_at: datetime | None = None
    ended_at: datetime | None = None
    awarded_at: datetime | None = None
    contract_at: datetime | None = None
    won: bool = False
    award_refused: bool = False
    """That its award fell away because it would not sign, or owed the performance security."""

    @property
    def held(self) -> Decimal:
        """The money that is still there."""
        return self.paid - self.given_back

    @property
    def covered(self) -> bool:
        """Whether a guarantee is still there."""
        return self.guaranteed and not self.guarantee_back

    @property
    def anything_held(self) -> bool:
        """Whether there is anything to give back."""
        return not self.forfeited and (self.held > 0 or self.covered)

    @property
    def in_time(self) -> bool:
        """Whether the whole security was there before the deadline."""
        return self.guaranteed or self.paid_in_time >= self.asked


@dataclass(frozen=True, slots=True)
class ReturnDue:
    """That a security goes back: why, from which instant its days count, and by when.

    `due_at` is the end of the last day, which no longer belongs to it; `ours` says that no law sets
    it and we only ring by it.
    """

    cause: ReturnCause
    since: datetime
    due_at: datetime
    article: Article
    ours: bool = False


@under(
    BIDDING_REGULATION[31],
    BIDDING_REGULATION[35],
    BIDDING_REGULATION[57],
    PROCUREMENT_TENDER_MEASURES[29],
    PROCUREMENT_TENDER_MEASURES[38],
    E_BIDDING_MEASURES[31],
    BIDDING_REGULATION[74],
    rule=("BI-04", "AW-12", "AW-13", "AW-16", "NO-21"),
)
def return_due(facts: SecurityFacts, switches: Switches, *, calendar: Calendar) -> ReturnDue | None:
    """Why and by when a security goes back; None while it must stay, or nothing is there.

    What happens first to the bid alone comes before what ends the lot for everybody.
    """
    if not facts.anything_held or _is_lost(facts, switches):
        return None
    after_withdrawal = switches.security_return_after_withdrawal
    after_contract = switches.security_return_after_contract
    procurement = switches.regime is Regime.PROCUREMENT

    def due(
        cause: ReturnCause,
        since: datetime,
        period: Period,
        article: Article | None = None,
        *,
        ours: bool = False,
    ) -> ReturnDue:
        last = end_of_day(period.ends_on(beijing_day(since), calendar=calendar))
        return ReturnDue(cause, since, last, article or period.article, ours)

    if facts.withdrawn_at is not None:
        return due(ReturnCause.WITHDRAWN, facts.withdrawn_at, after_withdrawal)
    if facts.deemed_withdrawn_at is not None:
        since, article = facts.deemed_withdrawn_at, E_BIDDING_MEASURES[31]
        return due(ReturnCause.DEEMED_WITHDRAWN, since, after_withdrawal, article, ours=True)
    if facts.closed and not facts.has_bid:
        return due(ReturnCause.NO_BID, facts.bids_due_at, after_withdrawal, ours=True)
    if facts.extension_refused_at is not None:
        since = facts.extension_refused_at
        return due(
            ReturnCause.EXTENSION_REFUSED, since, after_withdrawal, VALIDITY_ARTICLE, ours=True
        )
    if facts.left_talks_at is not None:
        since, article = facts.left_talks_at, NON_TENDER_MEASURES[34]
        return due(ReturnCause.LEFT_TALKS, since, after_withdrawal, article, ours=True)
    if facts.ended_at is not None:
        article = PROCUREMENT_TENDER_MEASURES[29] if procurement else BIDDING_REGULATION[31]
        return due(ReturnCause.ENDED, facts.ended_at, after_contract, article, ours=not procurement)
    if procurement and facts.awarded_at is not None and not facts.won:
        return due(ReturnCause.LOST, facts.awarded_at, after_contract)
    if facts.contract_at is not None:
        return due(ReturnCause.CONTRACT, facts.contract_at, after_contract)
    return None


def state_of(facts: SecurityFacts, *, due: ReturnDue | None) -> SecurityState:
    """Where the security stands, given what `return_due` says of it."""
    if facts.forfeited:
        return SecurityState.FORFEITED
    if due is not None:
        return SecurityState.TO_RETURN
    if not facts.anything_held:
        if facts.given_back > 0 or facts.guarantee_back:
            return SecurityState.RETURNED
        if facts.asked == 0:
            return SecurityState.NOT_ASKED
        return SecurityState.MISSING if facts.closed else SecurityState.DUE
    if not facts.in_time:
        whole = facts.held >= facts.asked and facts.held > 0
        return SecurityState.LATE if whole and facts.closed else SecurityState.SHORT
    if facts.closed:
        return SecurityState.HELD
    return SecurityState.GUARANTEED if facts.covered else SecurityState.PAID


@under(
    BIDDING_REGULATION[26],
    BIDDING_REGULATION[51],
    PROCUREMENT_TENDER_MEASURES[63],
    severity=Severity.WARN,
)
def admission_cautions(facts: SecurityFacts, switches: Switches) -> list[Caution]:
    """What the committee is told of a security that was not whole and in time.

    It is no refusal: whether the bid is rejected for it, the committee decides.
    """
    if facts.asked == 0 or facts.in_time:
        return []
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_TENDER_MEASURES[63, 1] if procurement else BIDDING_REGULATION[51, 6]
    if facts.paid_in_time > 0:
        code, reason = "security_short", "投标截止时间前到账的投标保证金不足"
    elif facts.paid > 0:
        code, reason = "security_late", "投标保证金在投标截止时间之后到账"
    else:
        code, reason = "security_missing", "未按照招标文件要求提交投标保证金"
    return [Caution(code, article, reason)]


# ── guarantees ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class GuaranteeFacts:
    """A guarantee (保函) as its bidder files it, beside what the notice asks for.

    `valid_until` is its own last day; `validity_ends_on` the last day of the bids' validity.
    """

    form: SecurityForm
    amount: Decimal
    valid_until: date
    filed_at: datetime
    asked: Decimal
    forms: frozenset[SecurityForm]
    bids_due_at: datetime
    validity_ends_on: date
    extends: bool = False


@under(BIDDING_REGULATION[26], PROCUREMENT_REGULATION[33], rule=("NO-14", "NO-15"))
def guarantee_refusals(guarantee: GuaranteeFacts, switches: Switches) -> list[Refusal]:
    """Why a guarantee is not taken: its form, its amount, its last day, or the hour.

    One that only carries an agreed validity on may come after the deadline; nothing else may.
    """
    article = switches.security.article
    refusals = []
    if guarantee.asked == 0:
        refusals.append(Refusal("no_security_asked", article, "本标段不收取投标保证金"))
    if guarantee.form not in guarantee.forms & GUARANTEES:
        reason = "招标公告没有载明可以用这种形式提交投标保证金"
        refusals.append(Refusal("form_not_allowed", article, reason, {"form": str(guarantee.form)}))
    if guarantee.amount < guarantee.asked:
        reason = f"保函金额不得低于投标保证金数额{guarantee.asked:.2f}元"
        refusals.append(Refusal("amount_short", article, reason))
    if guarantee.valid_until < guarantee.validity_ends_on:
        reason = (
            f"投标保证金有效期应当与投标有效期一致，保函应当至少有效至{guarantee.validity_ends_on}"
        )
        facts = {"until": guarantee.validity_ends_on.isoformat()}
        refusals.append(Refusal("expires_early", BIDDING_REGULATION[26], reason, facts))
    if guarantee.filed_at >= guarantee.bids_due_at and not guarantee.extends:
        reason = "投标截止时间已过，不再接收投标保证金"
        refusals.append(Refusal("security_late", article, reason))
    return refusals


@under(BIDDING_REGULATION[26], PROCUREMENT_REGULATION[33], rule=("NO-14", "NO-15"))
def reference_refusals(
    *,
    asked: Decimal,
    forms: frozenset[SecurityForm],
    now: datetime,
    bids_due_at: datetime,
    lot_state: LotState,
    switches: Switches,
) -> list[Refusal]:
    """Why a bidder gets no number to pay under: no money is asked, or it would come too late."""
    article = switches.security.article
    if asked == 0:
        return [Refusal("no_security_asked", article, "本标段不收取投标保证金")]
    if not forms - GUARANTEES:
        reason = "招标公告没有载明可以用这种形式提交投标保证金"
        return [Refusal("form_not_allowed", article, reason)]
    if now >= bids_due_at:
        reason = "投标截止时间已过，此后到账的款项不作为投标保证金"
        return [Refusal("security_late", article, reason)]
    if lot_state is not LotState.OPEN:
        return [Refusal("not_open", article, "本标段现在不接收投标，无须提交投标保证金")]
    return []


# ── giving back, and keeping ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A security that the account's keeper is about to record as given back.

    `annual_rate` is the yearly rate in percent by which interest is reckoned; `sealed` says that
    the lot's bids are still sealed.
    """

    facts: SecurityFacts
    due: ReturnDue | None
    returned_at: datetime
    annual_rate: Decimal
    sealed: bool = False


@under(
    BIDDING_REGULATION[26],
    BIDDING_REGULATION[31],
    BIDDING_REGULATION[57],
    PROCUREMENT_TENDER_MEASURES[23],
    PROCUREMENT_TENDER_MEASURES[38],
    BIDDING_REGULATION[74],
    rule=("AW-12", "AW-13", "AW-16", "NO-21"),
)
def return_refusals(giving: GivingBack, switches: Switches) -> list[Refusal]:
    """Why a security may not be recorded as given back like this.

    Before it is due back it binds as long as the bid does; once the award is out a loser's may go
    back early, for the law names the last day and no first one.
    """
    facts, due = giving.facts, giving.due
    procurement = switches.regime is Regime.PROCUREMENT
    held = PROCUREMENT_TENDER_MEASURES[23] if procurement else BIDDING_REGULATION[26]
    last = switches.security_return_after_contract.article
    if not facts.anything_held:
        return [Refusal("nothing_held", last, "没有尚未退还的投标保证金")]
    if _is_lost(facts, switches):
        reason = "中标人因不订立合同等原因被取消中标资格，投标保证金不予退还"
        return [Refusal("award_refused", BIDDING_REGULATION[74], reason)]
    early = facts.awarded_at is not None and not facts.won
    if due is None and (giving.sealed or not early):
        reason = "投标保证金有效期与投标有效期一致，尚未到退还的时候"
        return [Refusal("still_needed", held, reason)]
    owed = due is None or due.cause in (ReturnCause.CONTRACT, ReturnCause.ENDED, ReturnCause.LOST)
    tendering_owes = not procurement and owed
    late = due is not None and giving.returned_at >= due.due_at
    if facts.held > 0 and giving.annual_rate <= 0 and (tendering_owes or (procurement and late)):
        reason = "退还投标保证金应当包括银行同期存款利息"
        article = BIDDING_REGULATION[57]
        if due is not None and due.cause is ReturnCause.ENDED:
            article = due.article
        if procurement:
            article, reason = last, "逾期退还的，应当支付超期资金占用费"
        return [Refusal("no_interest", article, reason)]
    return []


@under(
    BIDDING_REGULATION[35],
    BIDDING_REGULATION[57],
    PROCUREMENT_TENDER_MEASURES[38],
    rule=("BI-04", "AW-12", "AW-13"),
    severity=Severity.WARN,
)
def return_cautions(giving: GivingBack) -> list[Caution]:
    """A return after its last day, which no refusal would put right."""
    due = giving.due
    if due is None or giving.returned_at < due.due_at:
        return []
    reason = "投标保证金逾期退还"
    return [Caution("returned_late", due.article, reason, {"until": due.due_at.isoformat()})]


def interest_of(
    giving: GivingBack, switches: Switches, *, arrived: Sequence[tuple[datetime, Decimal]]
) -> Decimal:
    """What goes back beyond the principal, each payment for its own days, cut to whole fen once.

    In tendering the bank's deposit rate runs from the payment's day to the day of the return. In
    procurement nothing runs in time; after the last day the loan rate does, with a fifth on top.
    """
    until = beijing_day(giving.returned_at)
    rate = giving.annual_rate / 100
    if switches.regime is Regime.PROCUREMENT:
        if giving.due is None or giving.returned_at < giving.due.due_at:
            return Decimal("0.00")
        late = max((until - beijing_day(giving.due.due_at)).days + 1, 1)
        return half_up(giving.facts.held * rate * LATE_FACTOR * late / DAYS_OF_A_YEAR)
    earned = sum(
        (amount * max((until - beijing_day(since)).days, 0) for since, amount in arrived),
        Decimal(0),
    )
    return half_up(earned * rate / DAYS_OF_A_YEAR)


@dataclass(frozen=True, slots=True)
class Forfeiture:
    """A security that the tenderee is about to keep: on what ground, and what the record shows.

    `revoked` says that the bid is deemed revoked after the deadline; `reason` are the tenderee's
    own words.
    """

    ground: ForfeitureGround
    facts: SecurityFacts
    revoked: bool
    reason: str


@under(
    BIDDING_REGULATION[35],
    BIDDING_REGULATION[74],
    PROCUREMENT_TENDER_MEASURES[23],
    rule=("BI-05", "AW-16"),
)
def forfeiture_refusals(forfeiture: Forfeiture, switches: Switches) -> list[Refusal]:
    """Why a security may not be kept on this ground: the record does not show it."""
    procurement = switches.regime is Regime.PROCUREMENT
    facts = forfeiture.facts
    article = forfeiture_article(forfeiture.ground, switches)
    refusals = []
    if not facts.anything_held:
        refusals.append(Refusal("nothing_held", article, "没有可以不予退还的投标保证金"))
    if not forfeiture.reason.strip():
        refusals.append(Refusal("no_reason", article, "不予退还投标保证金应当说明理由"))
    match forfeiture.ground:
        case ForfeitureGround.REVOKED:
            if not forfeiture.revoked:
                reason = "记录不能证明该投标人在投标截止后撤销了投标文件"
                refusals.append(Refusal("not_revoked", article, reason))
        case ForfeitureGround.AWARD_REFUSED:
            if procurement:
                reason = "政府采购中不得以此为由不退还投标保证金"
                refusals.append(Refusal("ground_unknown", article, reason))
            elif not (facts.won or facts.award_refused):
                refusals.append(Refusal("not_the_winner", article, "该投标人不是中标人"))
            elif facts.won and facts.contract_at is not None:
                refusals.append(Refusal("concluded_already", article, "合同已经双方签名"))
    return refusals


def _is_lost(facts: SecurityFacts, switches: Switches) -> bool:
    """Whether the law keeps the security of whoever lost the award; procurement's does not."""
    return facts.award_refused and switches.regime is not Regime.PROCUREMENT


def forfeiture_article(ground: ForfeitureGround, switches: Switches) -> Article:
    """The article by which a security is kept on this ground."""
    if switches.regime is Regime.PROCUREMENT:
        return PROCUREMENT_TENDER_MEASURES[23]
    return BIDDING_REGULATION[35 if ground is ForfeitureGround.REVOKED else 74]
