"""What the members of a consortium sign together (共同投标协议): who leads, and who does what.

One statement with a signature by each member travels inside the sealed bid, or the sealed
application for prequalification; so that there is a consortium at all is known to nobody before
the opening. What can be judged without opening anything is little: that the file accepts no
consortium is for the bidder's own program to heed before it seals, and for the committee after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from kernel.crypto.digests import Malformed, count_of, list_of, members, text_of
from kernel.identifiers import PartyId
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
    under,
)
from trading.rules.bidder_independence import Consortium, Member, consortium_refusals

FILE: Final = "共同投标协议.dsse.json"
"""What the agreement is called among the files of a bid."""

JOINT: Final = "joint"
AGREEMENT_MAX: Final = 1 << 20
MEMBERS_MAX: Final = 16
SPECIALITIES_MAX: Final = 32
TEXT_MAX: Final = 2000
GRADE_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class MemberSaid:
    """A member as the agreement names it; the best grade in a speciality is 1."""

    party_id: PartyId
    part: str
    grades: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an agreement says; `joint` that its members answer together for everything."""

    project_id: str
    lot_id: str
    lead: PartyId
    members: tuple[MemberSaid, ...]
    joint: bool


@dataclass(frozen=True, slots=True)
class BidderAtLot:
    """One bidder of a lot once the bids lie open.

    `agreement` is None for one that bids alone; `signers` are the members whose signatures hold,
    and `names` what they are called. `unreadable` says that a file of that name is no agreement.
    """

    party_id: PartyId
    name: str
    agreement: Agreement | None = None
    signers: frozenset[PartyId] = frozenset()
    names: Mapping[PartyId, str] = field(default_factory=dict)
    unreadable: bool = False

    @property
    def parties(self) -> frozenset[PartyId]:
        """Everybody who bids with it."""
        if self.agreement is None:
            return frozenset({self.party_id})
        return frozenset({self.party_id, *(one.party_id for one in self.agreement.members)})


def agreement_in(payload: Mapping[str, Any]) -> Agreement:
    """The agreement that a statement's payload makes, or `Malformed`."""
    said = []
    for item in list_of(payload["members"], at_most=MEMBERS_MAX):
        one = members(item, ("organisation", "part"), optional=("grades",))
        grades = one.get("grades", {})
        if not isinstance(grades, dict) or len(grades) > SPECIALITIES_MAX:
            raise Malformed("grades are given by speciality", code="grades")
        said.append(
            MemberSaid(
                _party(one["organisation"]),
                _text(one["part"]),
                {_text(name): _grade(grade) for name, grade in grades.items()},
            )
        )
    return Agreement(
        text_of(payload["project"]),
        text_of(payload["lot"]),
        _party(payload["lead"]),
        tuple(said),
        payload["liability"] == JOINT,
    )


def _party(value: object) -> PartyId:
    try:
        return PartyId(UUID(text_of(value)))
    except ValueError:
        raise Malformed("an organisation is named by its id", code="organisation") from None


def _text(value: object) -> str:
    text = text_of(value)
    if len(text) > TEXT_MAX:
        raise Malformed(f"a text has at most {TEXT_MAX} characters", code="text")
    return text


def _grade(value: object) -> int:
    grade = count_of(value)
    if not 1 <= grade <= GRADE_MAX:
        raise Malformed(f"a grade is a number from 1 to {GRADE_MAX}", code="grades")
    return grade


def consortium_of(bidder: BidderAtLot) -> Consortium | None:
    """The consortium as the rules on bidders know it, the leading member first."""
    if bidder.agreement is None:
        return None
    lead = bidder.agreement.lead
    said = sorted(bidder.agreement.members, key=lambda one: one.party_id != lead)
    return Consortium(
        tuple(
            Member(
                one.party_id,
                bidder.names.get(one.party_id, str(one.party_id)),
                one.part,
                one.grades,
                one.party_id in bidder.signers,
            )
            for one in said
        ),
        agreement=FILE,
    )


def members_told(bidder: BidderAtLot) -> list[dict[str, object]]:
    """Who bids together, the leading member first, as records and notices name them.

    Nobody for one that bids alone. That a member did not sign is said: anybody can name another.
    """
    consortium = consortium_of(bidder)
    if consortium is None or bidder.agreement is None:
        return []
    return [
        {
            "organisation": str(one.party_id),
            "name": one.name,
            "lead": one.party_id == bidder.agreement.lead,
            "signed": one.signed,
        }
        for one in consortium.members
    ]


def consortia_accepted(words: str) -> bool:
    """Whether a notice that says this of consortia accepts them; one that is silent does not."""
    return bool(words.strip()) and "不接受" not in words and "不允许" not in words


@under(
    BIDDING_LAW[31],
    BIDDING_REGULATION[37],
    BIDDING_REGULATION[51],
    PROCUREMENT_LAW[24],
    PROCUREMENT_REGULATION[22],
    rule="BI-09",
)
def findings_of(
    bidder: BidderAtLot,
    others: Iterable[BidderAtLot],
    *,
    accepted: bool,
    prequalified: Iterable[PartyId] | None,
    regime: Regime,
    required_grades: Mapping[str, int] | None = None,
) -> list[Refusal]:
    """Everything that the law holds against a bidder as one of a consortium, for the committee.

    Also against one that bids alone: it may be a member of somebody else's consortium.
    """
    procurement = regime is Regime.PROCUREMENT
    form = PROCUREMENT_LAW[24] if procurement else BIDDING_LAW[31]
    second = PROCUREMENT_REGULATION[22] if procurement else BIDDING_REGULATION[37]
    others = list(others)
    if bidder.unreadable:
        article = PROCUREMENT_LAW[24] if procurement else BIDDING_REGULATION[51, 2]
        reason = f"{bidder.name}提交的共同投标协议无法读取，视为没有提交"
        return [Refusal("no_agreement", article, reason)]
    consortium = consortium_of(bidder)
    if consortium is None or bidder.agreement is None:
        return list(_alone(bidder, others, second_article=second, prequalified=prequalified))
    refusals = consortium_refusals(
        consortium,
        accepted=accepted,
        required_grades=required_grades or {},
        others=[one.parties for one in others],
        prequalified=prequalified,
        regime=regime,
    )
    if bidder.agreement.lead != bidder.party_id:
        reason = f"递交投标文件的{bidder.name}不是共同投标协议载明的牵头人"
        refusals.append(Refusal("not_the_lead", form, reason))
    if bidder.agreement.lead not in {one.party_id for one in bidder.agreement.members}:
        refusals.append(Refusal("lead_no_member", form, "牵头人不在联合体成员之中"))
    if not bidder.agreement.joint:
        reason = "共同投标协议未约定联合体各方就中标项目承担连带责任"
        refusals.append(Refusal("not_joint", form, reason))
    return refusals


def _alone(
    bidder: BidderAtLot,
    others: Iterable[BidderAtLot],
    *,
    second_article: Article,
    prequalified: Iterable[PartyId] | None,
) -> Iterator[Refusal]:
    if any(bidder.party_id in one.parties for one in others):
        reason = f"{bidder.name}单独投标，又是其他联合体的成员，相关投标均无效"
        yield Refusal("second_part", second_article, reason, {"member": bidder.name})
    if prequalified is not None and set(prequalified) != {bidder.party_id}:
        reason = "以联合体通过资格预审的，投标时减少成员，其投标无效"
        yield Refusal("members_changed", BIDDING_REGULATION[37], reason)


def counted_grades(bidder: BidderAtLot) -> dict[str, int]:
    """The grade by which each speciality of a consortium counts: its lowest."""
    consortium = consortium_of(bidder)
    if consortium is None:
        return {}
    names = sorted({name for one in consortium.members for name in one.grades})
    return {name: grade for name in names if (grade := consortium.grade(name)) is not None}
