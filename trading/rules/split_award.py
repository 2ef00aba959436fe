"""Evaluation and award kept apart (评定分离): the published method by which the tenderee chooses.

The committee recommends candidates; the tenderee decides among them by the method, the factors and
the rule for ties that its notice named, and gives its reasons. Law 40 lets it decide. Where state
money dominates a tender that the law demands, Regulation 55 names the first in rank; only pilot
rules of a place let the tenderee decide there, and nobody here has read them: the notice must name
the document it rests on, and a caution stays beside it.

Chance decides nothing: to draw lots for the winner is forbidden, and Law 41 knows no such winner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from kernel.crypto.digests import (
    Malformed,
    b64u,
    count_of,
    list_of,
    members,
    text_of,
    unb64u,
)
from kernel.identifiers import PartyId
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_REGULATION,
    Severity,
    under,
)
from trading.rules.procedures import Switches

DECIDERS_MIN: Final = 3
DECIDERS_MAX: Final = 99
NAME_MAX: Final = 60
FACTORS_MAX: Final = 4000
REASONS_MIN: Final = 10
"""How many characters reasons have at least: a nod is no reason."""


class DecisionMethod(StrEnum):
    """How the tenderee chooses among the candidates (定标方法)."""

    VOTE = "vote"
    DELIBERATION = "deliberation"
    LOWEST_PRICE = "lowest_price"
    LOTS = "lots"


METHOD_NAMES: Final[Mapping[DecisionMethod, tuple[str, str]]] = MappingProxyType(
    {
        DecisionMethod.VOTE: ("票决定标", "Vote of the award committee"),
        DecisionMethod.DELIBERATION: ("集体议事定标", "Deliberation"),
        DecisionMethod.LOWEST_PRICE: ("价格竞争定标", "Lowest price"),
        DecisionMethod.LOTS: ("抽签定标", "Drawing lots"),
    }
)


class Tie(StrEnum):
    """Who goes first among candidates with equally many votes."""

    BETTER_RANK = "better_rank"
    LOWER_PRICE = "lower_price"


TIE_NAMES: Final[Mapping[Tie, tuple[str, str]]] = MappingProxyType(
    {
        Tie.BETTER_RANK: ("评标排名在先者", "The better rank"),
        Tie.LOWER_PRICE: (
            "投标报价低者；报价相同的，评标排名在先者",
            "The lower price, then the rank",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class SplitAward:
    """How a notice says that the winner is chosen.

    `members` is how many sit on the award committee (定标委员会), none where the price decides;
    `factors` are what they weigh; `basis` the document that lets a tenderee of state money choose.
    """

    method: DecisionMethod
    members: int
    factors: str
    tie: Tie
    basis: str = ""

    def plain(self) -> dict[str, Any]:
        """The method as the notice states it."""
        return {
            "method": str(self.method),
            "members": self.members,
            "factors": self.factors,
            "tie": str(self.tie),
            "basis": self.basis,
        }

    @property
    def is_seated(self) -> bool:
        """Whether people decide, and not the prices by themselves."""
        return self.method is not DecisionMethod.LOWEST_PRICE


def split_in(told: object) -> SplitAward:
    """The method that a notice states, or `Malformed`."""
    said = members(told, {"method", "members", "factors", "tie", "basis"})
    method, tie = text_of(said["method"]), text_of(said["tie"])
    if method not in list(DecisionMethod) or tie not in list(Tie):
        known = f"{', '.join(DecisionMethod)}; {', '.join(Tie)}"
        raise Malformed(f"method and rule for ties are of these: {known}")
    count = count_of(said["members"])
    factors, basis = text_of(said["factors"]), text_of(said["basis"])
    if count > DECIDERS_MAX or max(len(factors), len(basis)) > FACTORS_MAX:
        raise Malformed(f"at most {DECIDERS_MAX} members and {FACTORS_MAX} characters")
    return SplitAward(DecisionMethod(method), count, factors, Tie(tie), basis)


@under(
    BIDDING_LAW[19],
    BIDDING_LAW[40],
    BIDDING_LAW[41],
    BIDDING_REGULATION[55],
    CONDUCT_OPINIONS[2],
    PROCUREMENT_REGULATION[43],
    rule=("AW-04", "AW-20", "AW-21"),
)
def announcement_refusals(
    split: SplitAward | None, switches: Switches, *, state_funded: bool, on: date
) -> list[Refusal]:
    """Every ground on which a notice may not name this method; none where it names none."""
    if split is None:
        return []
    if not switches.may_split_award:
        reason = "采购人应当从评审报告推荐的候选人中按照排名顺序确定，不得评定分离"
        return [Refusal("may_not_split", switches.winner_article, reason)]
    refusals = []
    if split.method is DecisionMethod.LOTS:
        ends_on = CONDUCT_OPINIONS.in_force_to
        stands = ends_on is None or on <= ends_on
        article = CONDUCT_OPINIONS[2] if stands else BIDDING_LAW[41]
        reason = "不得采用抽签、摇号、抓阄等方式直接选择中标人"
        refusals.append(Refusal("lots_drawn", article, reason))
    if split.is_seated and not split.factors.strip():
        reason = "评定分离的，招标文件应当载明定标因素"
        refusals.append(Refusal("no_award_factors", BIDDING_LAW[19], reason))
    if split.is_seated and split.members < DECIDERS_MIN:
        reason = f"招标文件应当载明定标委员会的人数，且不少于{DECIDERS_MIN}人"
        facts = {"members": str(split.members)}
        refusals.append(Refusal("no_award_committee", BIDDING_LAW[19], reason, facts))
    if switches.mandatory and state_funded and not split.basis.strip():
        reason = (
            "国有资金占控股或者主导地位的依法必须招标项目，应当确定排名第一的中标候选人为中标人；"
            "评定分离应当写明所依据的试点规定"
        )
        refusals.append(Refusal("no_split_basis", BIDDING_REGULATION[55], reason))
    return refusals


@under(BIDDING_REGULATION[55], rule="AW-22", severity=Severity.WARN)
def announcement_cautions(
    split: SplitAward | None, switches: Switches, *, state_funded: bool
) -> list[Caution]:
    """State money is not to go to the first in rank, by a pilot rule nobody here has read."""
    if split is None or not (switches.may_split_award and switches.mandatory and state_funded):
        return []
    reason = (
        "法规规定应当确定排名第一的中标候选人为中标人，"
        f"评定分离仅有试点规定为依据（{split.basis.strip() or '未写明'}），平台未核对其原文"
    )
    return [Caution("split_on_pilot_rules", BIDDING_REGULATION[55], reason)]


@dataclass(frozen=True, slots=True)
class Contender:
    """A candidate among whom the tenderee chooses."""

    party_id: PartyId
    name: str
    rank: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Minutes:
    """What is written down of the decision (定标报告): who decided, each one's vote, the reasons.

    `left` are the candidates whom their bids bind no longer, so that nobody chose them; `signed`
    the digests of the votes that members signed themselves.
    """

    members: tuple[str, ...]
    votes: Mapping[str, PartyId]
    reasons: str
    left: frozenset[PartyId] = frozenset()
    signed: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The minutes as the award states them."""
        return {
            "members": list(self.members),
            "votes": [
                {"member": who, "bidder": str(whom)}
                | ({"signed": self.signed[who]} if who in self.signed else {})
                for who, whom in self.votes.items()
            ],
            "reasons": self.reasons,
            "left": sorted(str(one) for one in self.left),
        }


def party_in(told: object) -> PartyId:
    """The organisation that a statement names by its id, or `Malformed`."""
    try:
        return PartyId(UUID(text_of(told)))
    except ValueError:
        raise Malformed("an organisation's id was expected") from None


def minutes_in(told: object) -> Minutes:
    """The minutes that an award states, or `Malformed`."""
    said = members(told, {"members", "votes", "reasons"}, optional={"left"})
    names = tuple(_name(one) for one in list_of(said["members"], at_most=DECIDERS_MAX))
    votes: dict[str, PartyId] = {}
    signed: dict[str, str] = {}
    for item in list_of(said["votes"], at_most=DECIDERS_MAX):
        one = members(item, {"member", "bidder"}, optional={"signed"})
        who = _name(one["member"])
        if who in votes:
            raise Malformed("a member votes once")
        votes[who] = party_in(one["bidder"])
        if "signed" in one:
            signed[who] = b64u(unb64u(one["signed"], 32))
    left = frozenset(party_in(one) for one in list_of(said.get("left", []), at_most=DECIDERS_MAX))
    reasons = text_of(said["reasons"])
    if len(reasons) > FACTORS_MAX:
        raise Malformed(f"reasons have at most {FACTORS_MAX} characters")
    return Minutes(names, votes, reasons, left, signed)


def counted(split: SplitAward, minutes: Minutes, contenders: Sequence[Contender]) -> PartyId | None:
    """Whom votes or prices name among those who may win, None where only the members can say."""
    if not contenders or split.method in (DecisionMethod.DELIBERATION, DecisionMethod.LOTS):
        return None
    if split.method is DecisionMethod.LOWEST_PRICE:
        return min(contenders, key=lambda one: (one.price, one.rank)).party_id
    polled = Counter(minutes.votes.values())
    by_price = split.tie is Tie.LOWER_PRICE

    def order(one: Contender) -> tuple[int, Decimal, int]:
        return -polled[one.party_id], one.price if by_price else Decimal(0), one.rank

    return min(contenders, key=order).party_id


@under(BIDDING_LAW[40], rule="AW-20")
def decision_refusals(
    split: SplitAward | None,
    minutes: Minutes | None,
    chosen: PartyId,
    *,
    candidates: Sequence[Contender],
    set_aside: Collection[PartyId] = (),
    left: Collection[PartyId] = (),
) -> list[Refusal]:
    """Every ground on which this decision is not the one that the published method makes.

    Who is set aside may not win, nor who `left`, since no bid binds it any longer.
    """
    article = BIDDING_LAW[40]
    if split is None:
        if minutes is None:
            return []
        reason = "招标文件没有载明评定分离的定标方法，不得另行定标"
        return [Refusal("no_split_announced", article, reason)]
    if minutes is None:
        reason = "评定分离的，应当按照招标文件载明的方法定标，并载明定标过程和理由"
        return [Refusal("no_minutes", article, reason)]
    refusals = _committee_refusals(split, minutes)
    if len(minutes.reasons.strip()) < REASONS_MIN:
        refusals.append(Refusal("no_reasons", article, "定标报告应当说明定标理由"))
    gone = {one.party_id for one in candidates if one.party_id in left}
    if minutes.left != gone:
        reason = "定标报告应当载明未同意延长投标有效期、其投标已经失效的中标候选人"
        refusals.append(Refusal("left_unsaid", article, reason))
    contenders = [one for one in candidates if one.party_id not in {*set_aside, *gone}]
    may_win = {one.party_id for one in contenders}
    if split.method is DecisionMethod.VOTE:
        refusals += _vote_refusals(minutes, may_win)
    elif minutes.votes:
        reason = f"招标文件载明的定标方法是{METHOD_NAMES[split.method][0]}，不进行票决"
        refusals.append(Refusal("other_method", article, reason))
    named = counted(split, minutes, contenders)
    if not refusals and named is not None and named != chosen:
        name = next(one.name for one in contenders if one.party_id == named)
        reason = f"按照招标文件载明的{METHOD_NAMES[split.method][0]}方法，应当确定{name}为中标人"
        refusals.append(Refusal("not_as_decided", article, reason, {"named": str(named)}))
    return refusals


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's vote, signed by nobody else; `digest` is that of the signed statement."""

    member: str
    chosen: PartyId
    digest: str


@under(BIDDING_LAW[40], rule="AW-20")
def vote_refusals(
    split: SplitAward | None,
    vote: Vote,
    *,
    cast: Collection[Vote],
    candidates: Sequence[Contender],
    gone: Collection[PartyId],
) -> list[Refusal]:
    """Why a member's vote is not taken: nobody votes here, or the member has, or for such a one."""
    article = BIDDING_LAW[40]
    if split is None or split.method is not DecisionMethod.VOTE:
        reason = "招标文件载明的定标方法不是票决，不进行投票"
        return [Refusal("no_vote", article, reason)]
    refusals = []
    if vote.member in {one.member for one in cast}:
        refusals.append(Refusal("voted_already", article, "该成员已经投票，不得更改"))
    elif len(cast) >= split.members:
        reason = f"招标文件载明定标委员会由{split.members}人组成，各成员均已投票"
        refusals.append(Refusal("other_committee", article, reason))
    if vote.chosen not in {one.party_id for one in candidates} - set(gone):
        refusals.append(_vote_for_other())
    return refusals


@under(BIDDING_LAW[40], rule="AW-20")
def signature_refusals(minutes: Minutes | None, cast: Collection[Vote]) -> list[Refusal]:
    """Why minutes do not agree with the votes that members signed, each of which they must name."""
    told = {} if minutes is None else minutes.signed
    votes = {} if minutes is None else minutes.votes
    due = {one.member: one.digest for one in cast}
    wrong = [one.member for one in cast if votes.get(one.member) != one.chosen]
    wrong += [who for who in told.keys() | due.keys() if told.get(who) != due.get(who)]
    return [
        Refusal(
            "not_as_signed",
            BIDDING_LAW[40],
            f"定标报告所载{who}的投票应当与其本人签名的投票一致",
            {"member": who},
        )
        for who in dict.fromkeys(wrong)
    ]


@under(BIDDING_LAW[40], rule="AW-20", severity=Severity.WARN)
def unsigned_cautions(minutes: Minutes | None) -> list[Caution]:
    """Votes that rest on the tenderee's word alone, because their members did not sign them."""
    told = [] if minutes is None else [who for who in minutes.votes if who not in minutes.signed]
    if not told:
        return []
    reason = f"以下成员的投票没有本人签名，仅有招标人记载：{'、'.join(told)}"
    return [Caution("votes_unsigned", BIDDING_LAW[40], reason)]


def _committee_refusals(split: SplitAward, minutes: Minutes) -> list[Refusal]:
    """The members are as many as was published, and each another."""
    due = split.members if split.is_seated else len(minutes.members)
    if len(minutes.members) == due and len(set(minutes.members)) == due:
        return []
    reason = f"定标委员会应当由招标文件载明的{split.members}人组成，且不得重复"
    facts = {"members": str(len(set(minutes.members)))}
    return [Refusal("other_committee", BIDDING_LAW[40], reason, facts)]


def _vote_refusals(minutes: Minutes, may_win: Collection[PartyId]) -> list[Refusal]:
    """Each member votes, nobody else does, and for one who may win."""
    refusals = []
    if set(minutes.votes) != set(minutes.members):
        reason = "定标委员会的每名成员应当且只能投一票"
        refusals.append(Refusal("votes_missing", BIDDING_LAW[40], reason))
    if not set(minutes.votes.values()) <= set(may_win):
        refusals.append(_vote_for_other())
    return refusals


def _vote_for_other() -> Refusal:
    reason = "只能投票给符合中标条件的中标候选人"
    return Refusal("vote_for_other", BIDDING_LAW[40], reason)


def _name(told: object) -> str:
    name = text_of(told).strip()
    if not name or len(name) > NAME_MAX:
        raise Malformed(f"a name has 1 to {NAME_MAX} characters")
    return name
