"""The instruments this platform obeys, how an article is cited, and what a rule owes to it.

A rule that cannot name its article is a preference, not a rule. `under` ties the two together, so
that the table of rules in the README, the refusal a bidder reads and the test that proves it come
from one place.

Every article carries the provenance of our reading. What somebody has read may block. What is known
from memory alone may warn and never block: a rule that tries is refused when its module is loaded,
and so is a refusal that cites such an article.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, Generic, TypeVar

RuleFunction = TypeVar("RuleFunction", bound=Callable[..., object])
Figure = TypeVar("Figure")

_NUMERALS: Final = "零一二三四五六七八九十"


class Provenance(IntEnum):
    """How we know what an article says, the weakest first."""

    MEMORY = 0
    SECONDARY = 1
    VERIFIED = 2


class Severity(StrEnum):
    """Whether a rule turns an act down or only says what is doubtful about it."""

    BLOCK = "block"
    WARN = "warn"


class Regime(StrEnum):
    """The family of law that an instrument belongs to: 招标投标, 政府采购, or both."""

    TENDERING = "tendering"
    PROCUREMENT = "procurement"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A law, regulation, order or notice, by its English name here and its official title.

    `unit` is what its parts are called: 条 in a law, 项 where an opinion only numbers its points.
    `in_force_from` is None where we have not read the date.
    """

    name: str
    title: str
    regime: Regime
    provenance: Provenance = Provenance.VERIFIED
    in_force_from: date | None = None
    in_force_to: date | None = None
    document: str = ""
    unit: str = "条"

    def __getitem__(self, place: int | tuple[int, int]) -> Article:
        """Article 44, or with a pair its numbered item: `[40, 1]` is 第40条第（一）项."""
        number, item = place if isinstance(place, tuple) else (place, None)
        return Article(self, number, item, self.provenance)

    def read_as(self, number: int, provenance: Provenance, *, item: int | None = None) -> Article:
        """An article that is known better or worse than the rest of its instrument."""
        return Article(self, number, item, provenance)

    def in_force_on(self, day: date) -> bool:
        """Whether it binds on that day; one whose start we do not know counts as begun."""
        begun = self.in_force_from is None or self.in_force_from <= day
        return begun and (self.in_force_to is None or day <= self.in_force_to)


@dataclass(frozen=True, slots=True)
class Article:
    """One numbered article, printed the way the law itself is cited."""

    instrument: Instrument
    number: int
    item: int | None = None
    provenance: Provenance = field(default=Provenance.VERIFIED, compare=False)

    def __str__(self) -> str:
        if self.instrument.unit == "项":
            return f"《{self.instrument.title}》第（{_in_numerals(self.number)}）项"
        item = f"第（{_in_numerals(self.item)}）项" if self.item else ""
        return f"《{self.instrument.title}》第{self.number}条{item}"


@dataclass(frozen=True, slots=True)
class InForce(Generic[Figure]):
    """A statutory figure through the years; a change in the law adds a line and edits none."""

    since: Mapping[date, Figure]

    def on(self, day: date) -> Figure:
        """The figure that bound everyone on that day; `LookupError` before the first."""
        begun = [start for start in self.since if start <= day]
        if not begun:
            raise LookupError(f"no figure was in force on {day}")
        return self.since[max(begun)]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule: its function, the articles it carries out and how firmly it stands.

    `ids` are the numbers of the rule in our table of statutory rules, such as NO-09.
    """

    name: str
    articles: tuple[Article, ...]
    ids: tuple[str, ...]
    severity: Severity

    @property
    def provenance(self) -> Provenance:
        """The weakest provenance among its articles."""
        return min(article.provenance for article in self.articles)

    @property
    def regime(self) -> Regime:
        """The regime of its articles, or ALL where it serves both."""
        regimes = {article.instrument.regime for article in self.articles}
        return regimes.pop() if len(regimes) == 1 else Regime.ALL


_RULES: dict[str, Rule] = {}

RULES: Final[Mapping[str, Rule]] = MappingProxyType(_RULES)
"""Every rule that was loaded, by its dotted name."""


def under(
    *articles: Article, rule: str | tuple[str, ...] = (), severity: Severity = Severity.BLOCK
) -> Callable[[RuleFunction], RuleFunction]:
    """Declare which articles a rule carries out, and enter it in `RULES`.

    `ValueError` for a rule without an article, and for one that would block on an article that is
    known from memory alone.
    """
    if not articles:
        raise ValueError("a rule names at least one article")
    ids = (rule,) if isinstance(rule, str) else rule

    def enter(function: RuleFunction) -> RuleFunction:
        name = f"{function.__module__}.{function.__qualname__}"
        entry = Rule(name, articles, ids, severity)
        if severity is Severity.BLOCK and entry.provenance is Provenance.MEMORY:
            unread = [str(one) for one in articles if one.provenance is Provenance.MEMORY]
            raise ValueError(f"{name} may warn, but not block: nobody has read {', '.join(unread)}")
        _RULES[name] = entry
        return function

    return enter


def _in_numerals(number: int) -> str:
    """Chinese numerals for 1 to 99, as items are numbered: 二十一."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{_NUMERALS[tens]}十"
    return head + (_NUMERALS[ones] if ones else "")


# --- the tendering family (招标投标)

BIDDING_LAW: Final = Instrument(
    "Bidding Law", "中华人民共和国招标投标法", Regime.TENDERING, in_force_from=date(2000, 1, 1)
)
BIDDING_REGULATION: Final = Instrument(
    "Bidding Regulation",
    "中华人民共和国招标投标法实施条例",
    Regime.TENDERING,
    in_force_from=date(2012, 2, 1),
)
E_BIDDING_MEASURES: Final = Instrument(
    "Electronic Bidding Measures",
    "电子招标投标办法",
    Regime.ALL,
    in_force_from=date(2013, 5, 1),
    document="八部委令第20号",
)
COMMITTEE_PROVISIONS: Final = Instrument(
    # The copies within reach are retyped from the text of 2001; articles that the revision of 2013
    # changed are cited in their new form and only from memory.
    "Committee Provisions",
    "评标委员会和评标方法暂行规定",
    Regime.TENDERING,
    Provenance.SECONDARY,
    in_force_from=date(2001, 7, 5),
    document="七部委令第12号",
)
NOTICE_MEASURES: Final = Instrument(
    "Notice Measures",
    "招标公告和公示信息发布管理办法",
    Regime.TENDERING,
    Provenance.SECONDARY,
    in_force_from=date(2018, 1, 1),
    document="国家发展改革委令2017年第10号",
)
SCOPE_PROVISIONS: Final = Instrument(
    "Mandatory Tender Provisions",
    "必须招标的工程项目规定",
    Regime.TENDERING,
    Provenance.SECONDARY,
    in_force_from=date(2018, 6, 1),
    document="国家发展改革委令2018年第16号",
)
EXPERT_POOL_MEASURES: Final = Instrument(
    "Expert Pool Measures",
    "评标专家和评标专家库管理办法",
    Regime.TENDERING,
    Provenance.SECONDARY,
    in_force_from=date(2025, 1, 1),
    document="国家发展改革委令2024年第26号",
)
COMPLAINT_MEASURES: Final = Instrument(
    "Complaint Measures",
    "工程建设项目招标投标活动投诉处理办法",
    Regime.TENDERING,
    Provenance.MEMORY,
    document="七部委令第11号",
)
WORKS_MEASURES: Final = Instrument(
    "Works Tender Measures",
    "工程建设项目施工招标投标办法",
    Regime.TENDERING,
    Provenance.MEMORY,
    document="七部委令第30号",
)
DESIGN_MEASURES: Final = Instrument(
    "Survey and Design Tender Measures",
    "工程建设项目勘察设计招标投标办法",
    Regime.TENDERING,
    Provenance.MEMORY,
    document="八部委令第2号",
)
CONDUCT_OPINIONS: Final = Instrument(
    "Opinions on Conduct",
    "关于严格执行招标投标法规制度进一步规范招标投标主体行为的若干意见",
    Regime.TENDERING,
    in_force_from=date(2022, 9, 1),
    in_force_to=date(2027, 8, 31),
    document="发改法规规〔2022〕1117号",
    unit="项",
)
REMOTE_EVALUATION_NOTICE: Final = Instrument(
    "Remote Evaluation Notice",
    "关于加快推广远程异地评标的通知",
    Regime.TENDERING,
    document="发改办法规〔2025〕807号",
    unit="项",
)
AI_OPINIONS: Final = Instrument(
    "Opinions on AI in Tendering",
    "关于加快招标投标领域人工智能推广应用的实施意见",
    Regime.TENDERING,
    in_force_from=date(2026, 2, 6),
    document="发改法规〔2026〕195号",
    unit="项",
)
LARGE_WORKS_PROVISIONS: Final = Instrument(
    "Mandatory Tender Provisions for Infrastructure",
    "必须招标的基础设施和公用事业项目范围规定",
    Regime.TENDERING,
    Provenance.MEMORY,
    in_force_from=date(2018, 6, 6),
    document="发改法规〔2018〕843号",
)
CHONGQING_REGULATION: Final = Instrument(
    "Chongqing Bidding Regulation",
    "重庆市招标投标条例",
    Regime.TENDERING,
    document="2018-07-26修正",
)
NINGBO_REGULATION: Final = Instrument(
    "Ningbo Resource Trading Regulation", "宁波市公共资源交易管理条例", Regime.ALL
)
PUYANG_REGULATION: Final = Instrument(
    "Puyang Resource Trading Regulation", "濮阳市公共资源交易管理条例", Regime.ALL
)

# --- the government procurement family (政府采购)

PROCUREMENT_LAW: Final = Instrument(
    "Government Procurement Law",
    "中华人民共和国政府采购法",
    Regime.PROCUREMENT,
    in_force_from=date(2003, 1, 1),
)
PROCUREMENT_REGULATION: Final = Instrument(
    "Government Procurement Regulation",
    "中华人民共和国政府采购法实施条例",
    Regime.PROCUREMENT,
    in_force_from=date(2015, 3, 1),
)
PROCUREMENT_TENDER_MEASURES: Final = Instrument(
    "Procurement Tender Measures",
    "政府采购货物和服务招标投标管理办法",
    Regime.PROCUREMENT,
    in_force_from=date(2017, 10, 1),
    document="财政部令第87号",
)

NON_TENDER_MEASURES: Final = Instrument(
    "Non-tender Procurement Measures",
    "政府采购非招标采购方式管理办法",
    Regime.PROCUREMENT,
    Provenance.MEMORY,
    in_force_from=date(2014, 2, 1),
    document="财政部令第74号",
)
CONSULTATION_MEASURES: Final = Instrument(
    "Competitive Consultation Measures",
    "政府采购竞争性磋商采购方式管理暂行办法",
    Regime.PROCUREMENT,
    Provenance.MEMORY,
    in_force_from=date(2014, 12, 31),
    document="财库〔2014〕214号",
)

# --- land and property

LAND_GRANT_PROVISIONS: Final = Instrument(
    "Land Grant Provisions",
    "招标拍卖挂牌出让国有建设用地使用权规定",
    Regime.ALL,
    Provenance.MEMORY,
    in_force_from=date(2007, 11, 1),
    document="国土资源部令第39号",
)
LAND_SUPPLY_NOTICE: Final = Instrument(
    "Land Supply Notice",
    "关于加强房地产用地供应和监管有关问题的通知",
    Regime.ALL,
    Provenance.MEMORY,
    in_force_from=date(2010, 3, 8),
    document="国土资发〔2010〕34号",
    unit="项",
)

# --- what binds everyone

CIVIL_CODE: Final = Instrument(
    "Civil Code", "中华人民共和国民法典", Regime.ALL, in_force_from=date(2021, 1, 1)
)
SIGNATURE_LAW: Final = Instrument(
    "Electronic Signature Law",
    "中华人民共和国电子签名法",
    Regime.ALL,
    in_force_from=date(2005, 4, 1),
)
PENALTY_LAW: Final = Instrument(
    "Administrative Penalty Law",
    "中华人民共和国行政处罚法",
    Regime.ALL,
    in_force_from=date(2021, 7, 15),
)
PRIVACY_LAW: Final = Instrument(
    "Personal Information Law",
    "中华人民共和国个人信息保护法",
    Regime.ALL,
    in_force_from=date(2021, 11, 1),
)
SME_PAYMENT_REGULATION: Final = Instrument(
    "SME Payment Regulation",
    "保障中小企业款项支付条例",
    Regime.ALL,
    in_force_from=date(2025, 6, 1),
)
TRADING_PLATFORM_MEASURES: Final = Instrument(
    "Trading Platform Measures",
    "公共资源交易平台管理暂行办法",
    Regime.ALL,
    Provenance.MEMORY,
    document="十四部委令2016年第39号",
)
FAIR_COMPETITION_RULES: Final = Instrument(
    "Fair Competition Review Rules",
    "招标投标领域公平竞争审查规则",
    Regime.ALL,
    Provenance.MEMORY,
    in_force_from=date(2024, 5, 1),
    document="八部门令2024年第16号",
)
CREDIT_GUIDANCE: Final = Instrument(
    "Credit Constraint Guidance",
    "关于进一步完善失信约束制度构建诚信建设长效机制的指导意见",
    Regime.ALL,
    Provenance.MEMORY,
    document="国办发〔2020〕49号",
    unit="项",
)
