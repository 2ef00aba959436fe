"""What an organisation enters in its library once, and when that may be used: licences (证照),
who heads, holds and manages it, and performances (业绩).

Nothing that was entered counts before the trading centre has compared it with its papers. A licence
counts on the days of its term; a performance stands from its contract's day on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.identifiers import uscc_faults
from kernel.refusals import Caution, Refusal
from kernel.statute import BIDDING_REGULATION, E_BIDDING_MEASURES, Severity, under


class EntryKind(StrEnum):
    """What can be entered: licences, who heads, holds or manages the unit, and performances.

    Of a tie the title is the name of the head or of the other unit, and the number that unit's
    code, of a head one's own; the register of enterprises stands for the issuer.
    """

    BUSINESS = "business_licence"
    QUALIFICATION = "qualification"
    SAFETY = "safety_permit"
    SYSTEM = "management_system"
    PERSON = "person_certificate"
    TITLE = "title_certificate"
    OTHER = "other_licence"
    HEAD = "unit_head"
    DIRECT_HOLDER = "direct_holder"
    INDIRECT_HOLDER = "indirect_holder"
    MANAGER = "managing_unit"
    PERFORMANCE = "performance"

    @property
    def names_another(self) -> bool:
        """Whether its number is another unit's code, which many may name."""
        return self in (EntryKind.DIRECT_HOLDER, EntryKind.INDIRECT_HOLDER, EntryKind.MANAGER)

    @property
    def is_of_a_person(self) -> bool:
        """Whether it is a certificate of somebody who works for the organisation."""
        return self in (EntryKind.PERSON, EntryKind.TITLE)

    @property
    def is_of_the_unit(self) -> bool:
        """Whether it is a certificate of the organisation itself."""
        return self in _OF_THE_UNIT

    @property
    def is_licence(self) -> bool:
        """Whether it has an issuer and a term, unlike a performance."""
        return self is not EntryKind.PERFORMANCE


_OF_THE_UNIT: Final = frozenset(
    {
        EntryKind.BUSINESS,
        EntryKind.QUALIFICATION,
        EntryKind.SAFETY,
        EntryKind.SYSTEM,
        EntryKind.OTHER,
    }
)

KIND_NAMES: Final[Mapping[EntryKind, tuple[str, str]]] = MappingProxyType(
    {
        EntryKind.BUSINESS: ("营业执照", "Business licence"),
        EntryKind.QUALIFICATION: ("企业资质证书", "Qualification certificate"),
        EntryKind.SAFETY: ("安全生产许可证", "Safety permit"),
        EntryKind.SYSTEM: ("管理体系认证证书", "Management system certificate"),
        EntryKind.PERSON: ("人员执业资格证书", "Registered person's certificate"),
        EntryKind.TITLE: ("专业技术职称证书", "Title certificate"),
        EntryKind.OTHER: ("其他证照", "Other licence"),
        EntryKind.HEAD: ("单位负责人", "Head of the unit"),
        EntryKind.DIRECT_HOLDER: ("直接控股单位", "Unit that holds it directly"),
        EntryKind.INDIRECT_HOLDER: ("间接控股单位", "Unit that holds it through others"),
        EntryKind.MANAGER: ("管理单位", "Unit that manages it"),
        EntryKind.PERFORMANCE: ("业绩", "Performance"),
    }
)

REQUIREMENT_CODES: Final[Mapping[EntryKind, str]] = MappingProxyType(
    {
        EntryKind.BUSINESS: "9",
        EntryKind.QUALIFICATION: "1",
        EntryKind.SAFETY: "1",
        EntryKind.SYSTEM: "9",
        EntryKind.PERSON: "3",
        EntryKind.TITLE: "4",
        EntryKind.OTHER: "9",
        EntryKind.HEAD: "9",
        EntryKind.DIRECT_HOLDER: "9",
        EntryKind.INDIRECT_HOLDER: "9",
        EntryKind.MANAGER: "9",
        EntryKind.PERFORMANCE: "2",
    }
)
"""The national data standard's code of the requirement that each kind answers (资格要求类型)."""

ANNOUNCED_BEFORE: Final = (60, 30, 7)
"""How many days before a licence ends its holder is told."""

NUMBER: Final = re.compile(r"[0-9A-Za-z\u4e00-\u9fff()（）\[\]〔〕【】\-_/.·]{4,64}")
"""The characters of a number; what is left out cannot be told apart or seen."""


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One entry as its organisation states it.

    `issuer` issued the licence; of a performance it is whom the work was done for. A licence is
    valid from `begins_on` to `ends_on`, both days included, or for good; a performance was
    contracted on the first and completed on the second. Only a performance has an amount.
    """

    kind: EntryKind
    title: str
    number: str
    issuer: str
    begins_on: date
    ends_on: date | None
    amount: Decimal | None = None


class EntryState(StrEnum):
    """How far an entry has come."""

    WAITING = "waiting"
    VERIFIED = "verified"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"


def state_of(*, verdict: bool | None, withdrawn: bool, replaced: bool) -> EntryState:
    """The state that follows from what was said of an entry; `replaced` by a verified one."""
    if withdrawn:
        return EntryState.WITHDRAWN
    if verdict is None:
        return EntryState.WAITING
    if not verdict:
        return EntryState.REFUSED
    return EntryState.REPLACED if replaced else EntryState.VERIFIED


def number_key(number: str) -> str:
    """A number as it is compared: width, case, spaces and kinds of bracket make no difference."""
    plain = unicodedata.normalize("NFKC", number).upper()
    return re.sub(r"[\s\-_/.·()\[\]〔〕【】]", "", plain)


def entry_faults(entry: LibraryEntry) -> dict[str, str]:
    """What cannot be right whatever the facts, by the member that says it."""
    faults = {}
    if not NUMBER.fullmatch(entry.number):
        faults["number"] = "编号应为4至64位数字、字母、汉字或者括号、连接号，不含空格"
    if entry.ends_on is not None and entry.ends_on < entry.begins_on:
        last = "valid_to" if entry.kind.is_licence else "completed_on"
        faults[last] = "截止日期早于起始日期"
    return faults


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What must be known besides: the organisation's own code, and who has the number already."""

    own_uscc: str
    known_here: bool = False
    known_elsewhere: bool = False


@under(E_BIDDING_MEASURES[14], rule="PL-07")
def entry_refusals(entry: LibraryEntry, facts: EntryFacts, *, today: date) -> list[Refusal]:
    """Every ground on which an entry is not taken in; `pointer` leads to what was entered wrong.

    A number that another organisation has verified is refused; one that merely waits there is not,
    or else whoever enters another's number first could keep it from its owner.
    """
    refusals = []

    def refuse(code: str, reason: str, member: str, **facts: str) -> None:
        told = {"pointer": f"#/{member}", **facts}
        refusals.append(Refusal(code, E_BIDDING_MEASURES[14], reason, told))

    last = "valid_to" if entry.kind.is_licence else "completed_on"
    own = entry.kind in (EntryKind.BUSINESS, EntryKind.HEAD)
    if own or entry.kind.names_another:
        faults = uscc_faults(entry.number)
        if faults:
            refuse("uscc_malformed", "；".join(faults), "number")
        elif own and entry.number != facts.own_uscc:
            name = KIND_NAMES[entry.kind][0]
            refuse("not_own_code", f"{name}的统一社会信用代码不是本单位的代码", "number")
        elif not own and entry.number == facts.own_uscc:
            refuse("own_code", "应当填写对方单位的统一社会信用代码", "number")
    if entry.kind.is_licence:
        if entry.ends_on is not None and entry.ends_on < today:
            reason = f"证照已于{entry.ends_on:%Y-%m-%d}到期，请登记有效的证照"
            refuse("licence_expired", reason, last, until=entry.ends_on.isoformat())
    else:
        ahead = {"contracted_on": entry.begins_on, last: entry.ends_on}
        for member, day in ahead.items():
            if day is not None and day > today:
                refuse("performance_ahead", "业绩的日期晚于今天", member)
    if facts.known_here:
        refuse("entry_known", "本单位已登记同一种类、同一编号的信息，请勿重复登记", "number")
    if facts.known_elsewhere and not entry.kind.names_another:
        reason = "同一种类、同一编号的信息已由其他单位登记并通过核验，请联系交易中心"
        refuse("entry_elsewhere", reason, "number")
    return refusals


@under(E_BIDDING_MEASURES[14], rule="PL-07")
def verdict_refusals(state: EntryState, *, own_entry: bool) -> list[Refusal]:
    """Why the centre's staff may not verify or refuse an entry: it is decided, or their own."""
    article = E_BIDDING_MEASURES[14]
    refusals = []
    if state is not EntryState.WAITING:
        refusals.append(Refusal("not_waiting", article, "该信息不在待核验状态"))
    if own_entry:
        reason = "核验人员不得核验本人登记的信息"
        refusals.append(Refusal("own_entry", article, reason))
    return refusals


@under(E_BIDDING_MEASURES[14], rule="PL-07")
def use_refusals(state: EntryState, entry: LibraryEntry, *, on: date) -> list[Refusal]:
    """Why an entry cannot be used on that day: unverified, no longer kept, or out of its term."""
    article = E_BIDDING_MEASURES[14]
    if state is not EntryState.VERIFIED:
        reason = {
            EntryState.WAITING: "信息尚未经交易中心核验，不能使用",
            EntryState.REFUSED: "信息未通过交易中心核验，不能使用",
            EntryState.WITHDRAWN: "信息已由登记单位撤下",
            EntryState.REPLACED: "信息已被新登记的信息替换",
        }[state]
        return [Refusal(f"entry_{state}", article, reason)]
    if not entry.kind.is_licence:
        return []
    if on < entry.begins_on:
        return [Refusal("licence_ahead", article, f"证照自{entry.begins_on:%Y-%m-%d}起有效")]
    if entry.ends_on is not None and on > entry.ends_on:
        reason = f"证照已于{entry.ends_on:%Y-%m-%d}到期"
        return [Refusal("licence_expired", article, reason)]
    return []


@under(
    BIDDING_REGULATION[18],
    BIDDING_REGULATION[42],
    BIDDING_REGULATION[51, 3],
    E_BIDDING_MEASURES[14],
    rule=("PL-07", "BI-11"),
    severity=Severity.WARN,
)
def reference_cautions(
    found: tuple[EntryState, LibraryEntry] | None, *, on: date, applied: bool = False
) -> list[Caution]:
    """What a committee should know of an entry that a bid refers to; it decides by itself.

    `on` is the day on which the bids were due; `applied` says that it is no bid but an application
    for prequalification.
    """
    article = BIDDING_REGULATION[18] if applied else BIDDING_REGULATION[51, 3]
    if found is None:
        whose = "申请人" if applied else "投标人"
        return [Caution("entry_unknown", article, f"{whose}的信息库中没有此项信息")]
    state, entry = found
    return [Caution(one.code, article, one.reason) for one in use_refusals(state, entry, on=on)]


def days_left(entry: LibraryEntry, *, today: date) -> int | None:
    """How many days a licence still has; none on its last, and None where it has no end."""
    if not entry.kind.is_licence or entry.ends_on is None:
        return None
    return (entry.ends_on - today) // timedelta(days=1)


def stage_due(entry: LibraryEntry, *, today: date) -> int | None:
    """The announcement that is due on this day: the latest of those whose days have come.

    None while the end is far, and again once it is over. A licence that was entered late gets the
    announcement of its day alone, not all those before it.
    """
    left = days_left(entry, today=today)
    if left is None or left < 0:
        return None
    return min((days for days in ANNOUNCED_BEFORE if left <= days), default=None)
