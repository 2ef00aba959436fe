"""What must be tendered, and may not be tendered as something smaller or freer than it is.

The trading catalogue (交易目录) lists what is traded here and from which amount on the law demands
a tender. A project inside it cannot be entered as a voluntary one, nor kept below its amount by
being cut into pieces (化整为零). Every answer explains itself: which line, which funds, which sum.

The national lines come with the platform; a region adds its own by a file (`read_catalogue`), since
amounts differ by level of government and change by date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.regions import RegionLevel, is_region_code, level_of, lies_in
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    LARGE_WORKS_PROVISIONS,
    PROCUREMENT_REGULATION,
    SCOPE_PROVISIONS,
    Article,
    InForce,
    Instrument,
    Regime,
    Severity,
    under,
)
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, switches_of
from trading.rules.procurement_methods import MethodGround

OPEN_METHODS: Final = frozenset(
    {Procedure.OPEN_TENDER_MANDATORY, Procedure.PROCUREMENT_OPEN_TENDER}
)
INVITED_METHODS: Final = frozenset(
    {Procedure.INVITED_TENDER_MANDATORY, Procedure.INVITED_TENDER_VOLUNTARY}
)

BUDGET_FUNDS_MIN: Final = InForce({date(2018, 6, 1): Decimal(2_000_000)})
BUDGET_SHARE_MIN: Final = InForce({date(2018, 6, 1): Decimal("0.10")})

KIND_NAMES: Final[Mapping[WorkKind, str]] = MappingProxyType(
    {
        WorkKind.WORKS: "施工",
        WorkKind.GOODS: "重要设备、材料等货物",
        WorkKind.SURVEY_AND_DESIGN: "勘察、设计、监理等服务",
        WorkKind.SERVICES: "服务",
    }
)


class Exemption(StrEnum):
    """Why a project that must be tendered need not be (招标投标法 66; 条例 9)."""

    STATE_SECRET = "state_secret"
    DISASTER_RELIEF = "disaster_relief"
    POVERTY_RELIEF_LABOUR = "poverty_relief_labour"
    IRREPLACEABLE_PATENT = "irreplaceable_patent"
    OWN_CAPACITY = "own_capacity"
    CONCESSION_INVESTOR = "concession_investor"
    FUNCTIONAL_MATCH = "functional_match"
    OTHER_BY_STATE = "other_by_state"


class InvitationGround(StrEnum):
    """Why a project that must be tendered openly may be tendered by invitation (条例 8)."""

    FEW_BIDDERS = "few_bidders"
    COST_TOO_HIGH = "cost_too_high"


EXEMPTION_NAMES: Final[Mapping[Exemption, tuple[str, Article]]] = MappingProxyType(
    {
        Exemption.STATE_SECRET: ("涉及国家安全、国家秘密", BIDDING_LAW[66]),
        Exemption.DISASTER_RELIEF: ("抢险救灾", BIDDING_LAW[66]),
        Exemption.POVERTY_RELIEF_LABOUR: (
            "利用扶贫资金实行以工代赈、需要使用农民工",
            BIDDING_LAW[66],
        ),
        Exemption.IRREPLACEABLE_PATENT: (
            "需要采用不可替代的专利或者专有技术",
            BIDDING_REGULATION[9],
        ),
        Exemption.OWN_CAPACITY: ("采购人依法能够自行建设、生产或者提供", BIDDING_REGULATION[9]),
        Exemption.CONCESSION_INVESTOR: (
            "已通过招标方式选定的特许经营项目投资人能够自行建设、生产或者提供",
            BIDDING_REGULATION[9],
        ),
        Exemption.FUNCTIONAL_MATCH: (
            "需要向原中标人采购，否则将影响施工或者功能配套要求",
            BIDDING_REGULATION[9],
        ),
        Exemption.OTHER_BY_STATE: ("国家规定的其他特殊情形", BIDDING_REGULATION[9]),
    }
)

INVITATION_NAMES: Final[Mapping[InvitationGround, str]] = MappingProxyType(
    {
        InvitationGround.FEW_BIDDERS: (
            "技术复杂、有特殊要求或者受自然环境限制，只有少量潜在投标人可供选择"
        ),
        InvitationGround.COST_TOO_HIGH: "采用公开招标方式的费用占项目合同金额的比例过大",
    }
)


@dataclass(frozen=True, slots=True)
class CatalogueLine:
    """One line: what kind of thing, where, and from which amount on it must be tendered.

    `region_code` is the region whose catalogue it is, empty for the whole country; `level` says
    that it binds projects of that level of government alone.
    """

    code: str
    name: str
    kind: WorkKind
    regime: Regime
    amounts: InForce[Decimal]
    article: Article
    region_code: str = ""
    level: RegionLevel | None = None

    def covers(self, kind: WorkKind, regime: Regime, region_code: str) -> bool:
        """Whether a project of this kind, law and place is under the line."""
        here = not self.region_code or lies_in(region_code, self.region_code)
        at_level = self.level is None or level_of(region_code) is self.level
        return self.kind is kind and self.regime is regime and here and at_level


def _national(code: str, name: str, kind: WorkKind, amount: int) -> CatalogueLine:
    return CatalogueLine(
        code,
        name,
        kind,
        Regime.TENDERING,
        InForce({date(2018, 6, 1): Decimal(amount)}),
        SCOPE_PROVISIONS[5],
    )


NATIONAL_CATALOGUE: Final = (
    _national("A-W", "工程施工", WorkKind.WORKS, 4_000_000),
    _national("A-G", "与工程建设有关的重要设备、材料", WorkKind.GOODS, 2_000_000),
    _national("A-S", "与工程建设有关的勘察、设计、监理", WorkKind.SURVEY_AND_DESIGN, 1_000_000),
)
"""The lines that bind the whole country."""


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another purchase that may be a piece of the same whole.

    In tendering: of the same investment project and kind. In procurement: of the same purchaser,
    item and fiscal year.
    """

    code: str
    name: str
    estimate: Decimal
    procedure: Procedure


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """A project as it is entered, with all that decides whether it must be tendered.

    Amounts are in yuan; `estimate` is of the single contract. `state_controlled` says that state
    money controls or dominates. `infrastructure` says that it is one of the five groups of large
    works that must be tendered without state money. `procurement_exception` is the document by
    which a budget was adjusted or another method approved. `method_ground` is the case in which the
    law lets procurement do without a tender, `method_document` what shows it, and `first_contract`
    the amount of the contract that something is added to.
    """

    kind: WorkKind
    region_code: str
    procedure: Procedure
    estimate: Decimal
    on: date
    budget_funds: Decimal = Decimal(0)
    total_investment: Decimal = Decimal(0)
    state_controlled: bool = False
    foreign_funds: bool = False
    infrastructure: bool = False
    exemption: Exemption | None = None
    exemption_document: str = ""
    invitation_ground: InvitationGround | None = None
    invitation_document: str = ""
    procurement_exception: str = ""
    method_ground: MethodGround | None = None
    method_document: str = ""
    first_contract: Decimal | None = None
    siblings: tuple[Sibling, ...] = ()

    @property
    def regime(self) -> Regime:
        """The family of law under which the project was entered."""
        return switches_of(self.procedure, on=self.on).regime

    @property
    def mandatory(self) -> bool:
        """Whether it was entered as one that the law demands."""
        return switches_of(self.procedure, on=self.on).mandatory

    @property
    def together(self) -> Decimal:
        """The estimate with those of its siblings."""
        return self.estimate + sum((one.estimate for one in self.siblings), Decimal(0))


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a project stands in the catalogue, in words that a person can check."""

    line: CatalogueLine | None
    amount: Decimal | None
    funds: tuple[str, ...]
    must_tender: bool
    why: tuple[str, ...]


def placed(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> Placing:
    """Where the project stands in the catalogue, and why."""
    line, amount = _line_for(scope, catalogue)
    funds = funding_grounds(scope)
    why = []
    if line is None or amount is None:
        why.append("交易目录中没有与该项目类别、地区和日期相应的条目")
        return Placing(None, None, funds, False, tuple(why))
    why.append(f"目录条目“{line.name}”，限额{yuan_text(amount)}元（{line.article}）")
    why += funds or ("资金来源不属于必须招标的范围",)
    reached = scope.estimate >= amount
    compared = "达到" if reached else "未达到"
    why.append(f"单项合同估算价{yuan_text(scope.estimate)}元，{compared}限额")
    if scope.siblings:
        why.append(f"与同一项目的其他{len(scope.siblings)}项合计{yuan_text(scope.together)}元")
    return Placing(line, amount, funds, bool(funds) and reached, tuple(why))


def funding_grounds(scope: ProjectScope) -> tuple[str, ...]:
    """Each ground on which the project's funds bring it into the scope, with its figures."""
    if scope.regime is Regime.PROCUREMENT:
        return ("使用财政性资金的政府采购项目",)
    grounds = []
    if _budget_counts(scope):
        share = scope.budget_funds / scope.total_investment
        grounds.append(f"使用预算资金{yuan_text(scope.budget_funds)}元，占投资额的{share:.1%}")
    if scope.state_controlled:
        grounds.append("国有资金占控股或者主导地位")
    if scope.foreign_funds:
        grounds.append("使用国际组织或者外国政府贷款、援助资金")
    if scope.infrastructure:
        grounds.append("属于必须招标的大型基础设施、公用事业项目")
    return tuple(grounds)


def _budget_counts(scope: ProjectScope) -> bool:
    try:
        least, share = BUDGET_FUNDS_MIN.on(scope.on), BUDGET_SHARE_MIN.on(scope.on)
    except LookupError:
        return False
    return (
        scope.total_investment > 0
        and scope.budget_funds >= least
        and scope.budget_funds >= share * scope.total_investment
    )


def _line_for(
    scope: ProjectScope, catalogue: Iterable[CatalogueLine]
) -> tuple[CatalogueLine | None, Decimal | None]:
    """The line with the lowest amount among those that cover the project: the strictest binds."""
    found = []
    for line in catalogue:
        if line.covers(scope.kind, scope.regime, scope.region_code):
            try:
                found.append((line.amounts.on(scope.on), line))
            except LookupError:
                continue
    if not found:
        return None, None
    amount, line = min(found, key=lambda one: one[0])
    return line, amount


@under(
    BIDDING_LAW[3],
    SCOPE_PROVISIONS[2],
    SCOPE_PROVISIONS[3],
    SCOPE_PROVISIONS[5],
    rule=("SC-01", "SC-02"),
)
def scope_refusals(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> list[Refusal]:
    """A project inside the catalogue that was entered as one that need not be tendered."""
    placing = placed(scope, catalogue)
    verified = [one for one in placing.funds if not one.startswith("属于必须招标的大型")]
    if not placing.must_tender or scope.regime is Regime.PROCUREMENT or not verified:
        return []
    if scope.mandatory or scope.exemption is not None:
        return []
    assert placing.line is not None
    reason = "项目属于依法必须招标的范围，不得作为自愿招标项目：" + "；".join(placing.why)
    return [
        Refusal(
            "must_be_tendered",
            placing.line.article,
            reason,
            {"line": placing.line.code, "estimate": yuan_text(scope.estimate)},
        )
    ]


@under(SCOPE_PROVISIONS[5], rule="SC-02")
def estimate_refusals(scope: ProjectScope, *, stated: bool) -> list[Refusal]:
    """A project that is entered as a free one, with funds that may bind it, and states no estimate.

    Without an estimate nothing can be compared with an amount; a project entered as mandatory is
    under the stricter law already and needs none.
    """
    if stated or scope.mandatory or scope.regime is Regime.PROCUREMENT:
        return []
    if not funding_grounds(scope):
        return []
    reason = "作为自愿招标项目登记的，应当载明单项合同估算价，以便与必须招标的限额核对"
    return [Refusal("estimate_unstated", SCOPE_PROVISIONS[5], reason)]


@under(BIDDING_LAW[4], PROCUREMENT_REGULATION[28], rule="SC-04")
def splitting_refusals(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> list[Refusal]:
    """A project that stays below the amount only because the whole was cut into pieces."""
    line, amount = _line_for(scope, catalogue)
    if line is None or amount is None or not scope.siblings:
        return []
    names = "、".join(f"{one.name}（{one.code}）" for one in scope.siblings)
    facts = {"together": yuan_text(scope.together), "amount": yuan_text(amount), "line": line.code}
    if scope.regime is Regime.PROCUREMENT:
        if scope.procedure in OPEN_METHODS or scope.procurement_exception.strip():
            return []
        if scope.together <= amount:
            return []
        reason = (
            f"同一预算年度内以公开招标以外的方式采购同一品目，与{names}累计"
            f"{yuan_text(scope.together)}元，超过公开招标数额标准{yuan_text(amount)}元，"
            "属于以化整为零方式规避公开招标"
        )
        return [Refusal("split", PROCUREMENT_REGULATION[28], reason, facts)]
    if scope.mandatory or not funding_grounds(scope) or scope.exemption is not None:
        return []
    if scope.estimate >= amount or scope.together < amount:
        return []
    reason = (
        f"与同一项目中可以合并进行的{names}合计{yuan_text(scope.together)}元，"
        f"达到{yuan_text(amount)}元的限额，不得将必须招标的项目化整为零"
    )
    return [Refusal("split", BIDDING_LAW[4], reason, facts)]


def reaches_open_tender(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> bool:
    """Whether what is bought is large enough for an open tender, whatever method was allowed."""
    _, amount = _line_for(scope, catalogue)
    return amount is not None and scope.estimate >= amount


@under(BIDDING_REGULATION[8], rule="SC-05")
def method_refusals(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> list[Refusal]:
    """An invited tender where the law wants an open one and no ground is shown."""
    if scope.procedure not in INVITED_METHODS or not scope.state_controlled:
        return []
    if not (scope.mandatory or placed(scope, catalogue).must_tender):
        return []
    article = BIDDING_REGULATION[8]
    if scope.invitation_ground is None:
        reason = "国有资金占控股或者主导地位的依法必须招标项目应当公开招标"
        return [Refusal("must_be_open", article, reason)]
    if not scope.invitation_document.strip():
        ground = INVITATION_NAMES[scope.invitation_ground]
        reason = f"以“{ground}”为由邀请招标的，应当载明批准、核准或者认定文件"
        return [Refusal("no_invitation_document", article, reason)]
    return []


@under(BIDDING_LAW[66], BIDDING_REGULATION[9], rule="SC-06")
def exemption_refusals(scope: ProjectScope) -> list[Refusal]:
    """A project that claims to be exempt and shows nothing for it."""
    if scope.exemption is None or scope.exemption_document.strip():
        return []
    name, article = EXEMPTION_NAMES[scope.exemption]
    reason = f"以“{name}”为由不招标的，应当载明证明文件；弄虚作假的属于规避招标"
    return [Refusal("no_exemption_document", article, reason)]


@under(LARGE_WORKS_PROVISIONS[2], rule="SC-03", severity=Severity.WARN)
def scope_cautions(scope: ProjectScope, catalogue: Iterable[CatalogueLine]) -> list[Caution]:
    """Large works without state money that seem to belong to the five groups."""
    placing = placed(scope, catalogue)
    if scope.mandatory or not scope.infrastructure or not placing.must_tender:
        return []
    if len(placing.funds) > 1:
        return []
    reason = "大型基础设施、公用事业项目可能属于必须招标的范围，请核对"
    return [Caution("may_have_to_be_tendered", LARGE_WORKS_PROVISIONS[2], reason)]


def read_catalogue(text: str) -> tuple[CatalogueLine, ...]:
    """A region's own catalogue, written as a JSON object; `ValueError` for anything else.

    `{"document": "…", "title": "…", "region": "420000", "lines": [{"code": "…", "name": "…",
    "kind": "works", "regime": "tendering", "level": "city", "amounts": {"2026-01-01": "1000000"},
    "article": 3}]}`; `level` may be left out. The operator vouches that the document says so.
    """
    told = json.loads(text)
    try:
        region = str(told["region"])
        instrument = Instrument(
            str(told["title"]), str(told["title"]), Regime.ALL, document=str(told["document"])
        )
        lines = tuple(_line_in(one, region, instrument) for one in told["lines"])
    except (KeyError, TypeError, AttributeError, InvalidOperation):
        raise ValueError("a catalogue has a document, title, region and lines") from None
    if not is_region_code(region) or not instrument.title or not instrument.document:
        raise ValueError("a catalogue names its region and the document it rests on")
    return lines


def _line_in(told: Mapping[str, Any], region: str, instrument: Instrument) -> CatalogueLine:
    amounts = {
        date.fromisoformat(day): Decimal(str(amount)) for day, amount in told["amounts"].items()
    }
    if not amounts or any(not amount.is_finite() or amount < 0 for amount in amounts.values()):
        raise ValueError("a line has amounts by the date from which they are in force")
    level = told.get("level")
    return CatalogueLine(
        str(told["code"]),
        str(told["name"]),
        WorkKind(told["kind"]),
        Regime(told["regime"]),
        InForce(amounts),
        instrument[int(told["article"])],
        region,
        None if level is None else RegionLevel[str(level).upper()],
    )
