"""Conditions that keep bidders out, found in the words of a tender file.

A tender file may not favour a place, an owner, a brand, a size or a tool. It is searched sentence
by sentence; a sentence that forbids such a condition is no such condition. A finding is no verdict:
it names the words, the rule and the article, and whoever publishes must change the words or say,
for everybody to read, why they are lawful.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from kernel.statute import (
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    FAIR_COMPETITION_RULES,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    SME_PAYMENT_REGULATION,
    TRADING_PLATFORM_MEASURES,
    Article,
    Provenance,
    Severity,
    under,
)
from trading.rules.rule_book import Bound

_PLACE: Final = (
    r"(?:本地区?|当地|本(?:省|市|县|区)|[一-龥]{2,7}(?:省|自治区|市|县)(?:行政区域)?(?:范围)?内?)"
)
_MUST: Final = r"(?:必须|须|应当?|需|只能|仅限|统一|一律)"
_LEAST: Final = (
    r"(?:不低于|不少于|不得低于|达到|超过|≥|大于"
    r"|[0-9][0-9,.]*\s*(?:万|亿)?元?\s*(?:人民币)?(?:及)?以上)"
)

_SENTENCE: Final = re.compile(r"[^。；;！!？?\n]+")
_FORBIDS: Final = re.compile(
    r"不得(?!低于|少于)|不要求|不应|不作为|不以|不限|无须|无需|禁止|严禁|不设置|不设|不采用|不再"
)
"""What turns a sentence into one that forbids the condition it speaks of."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of condition: its code, the rule it breaks, and the words it is known by.

    `hints` are words of which one stands in any text that `words` finds something in: to look for
    them is quick. `article` is the tendering law's, `procurement` that of government procurement;
    None where that family of law does not know the rule. `blocks` limits it to some kinds of block.
    """

    code: str
    rule: str
    says: str
    hints: tuple[str, ...]
    words: re.Pattern[str]
    article: Article | None
    procurement: Article | None
    blocks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WordFinding:
    """Words that seem to be a forbidden condition: the rule, the article, the block and the words.

    `place` is the block's own number in the file, for the reader to go there.
    """

    code: str
    rule: str
    article: Article
    says: str
    place: str
    words: str

    @property
    def reason(self) -> str:
        """The ground in words, with what was found."""
        return f"{self.says}（{self.place}：“{self.words}”）"


@dataclass(frozen=True, slots=True)
class Passage:
    """A block of the tender file as far as its words go: its kind, its number and its text."""

    kind: str
    place: str
    text: str


_REG: Final = BIDDING_REGULATION[32]
_OPINIONS: Final = CONDUCT_OPINIONS[1]
_GP: Final = PROCUREMENT_REGULATION[20]
_SIZE: Final = PROCUREMENT_TENDER_MEASURES[17]
_FAIR: Final = FAIR_COMPETITION_RULES[6]

QUALIFYING: Final = frozenset({"notice", "qualification", "instructions", "evaluation"})


def _known_by(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in alternatives))


PATTERNS: Final = (
    Pattern(
        "local_registration",
        "SC-12",
        "不得要求投标人在特定行政区域注册",
        ("注册", "登记", "本地", "本市", "本省", "当地"),
        _known_by(
            rf"注册(?:地址?|地点|所在地).{{0,6}}(?:在|为|位于|属于?).{{0,4}}{_PLACE}",
            rf"在{_PLACE}(?:工商)?(?:注册|登记)(?:成立)?的?(?:独立)?(?:法人|企业|公司|单位)?",
            r"(?:本地|本市|本省|当地)(?:企业|公司|法人|供应商)(?:优先|方可|才能|加分)?",
        ),
        _OPINIONS,
        _GP,
    ),
    Pattern(
        "local_branch",
        "SC-12",
        "不得要求投标人在本地设立分支机构",
        ("分公司", "子公司", "分支机构", "办事处", "常驻机构", "办公场所"),
        _known_by(
            rf"在?{_PLACE}.{{0,4}}(?:设立|设有|具有|有|成立).{{0,8}}"
            r"(?:分公司|子公司|分支机构|办事处|常驻机构|固定办公场所)",
        ),
        _OPINIONS,
        _GP,
    ),
    Pattern(
        "local_tax",
        "SC-12",
        "不得要求投标人在本地缴纳税收或者社会保险",
        ("税", "社保", "社会保险", "公积金"),
        _known_by(rf"在?{_PLACE}.{{0,6}}缴(?:纳|存|交).{{0,8}}(?:税|社保|社会保险|公积金)"),
        _OPINIONS,
        _GP,
    ),
    Pattern(
        "local_performance",
        "SC-10",
        "不得以特定行政区域的业绩、奖项作为条件或者加分",
        ("业绩", "奖", "荣誉", "表彰", "称号"),
        _known_by(
            rf"{_PLACE}(?:行政区域)?(?:范围)?(?:内)?(?:的)?(?:类似)?(?:工程|项目)?(?:施工|供货)?业绩",
            rf"(?:获得?|荣获)(?:过)?{_PLACE}.{{0,10}}(?:奖|荣誉|表彰|称号)",
        ),
        BIDDING_REGULATION[32, 3],
        _GP,
    ),
    Pattern(
        "trade_performance",
        "SC-10",
        "不得以特定行业的业绩、奖项作为条件或者加分",
        ("行业", "系统"),
        _known_by(r"(?:限|仅限|须为|必须是).{0,6}(?:行业|系统)内?.{0,6}(?:业绩|奖项)"),
        BIDDING_REGULATION[32, 3],
        _GP,
    ),
    Pattern(
        "ownership",
        "SC-10",
        "不得限定投标人的所有制形式",
        ("国有", "国企", "央企", "中央", "民营", "私营", "外资", "内资", "合资", "集体", "所有制"),
        _known_by(
            r"(?:国有|国企|央企|中央企业|民营|私营|外资|内资|合资|集体)(?:独资|控股|参股)?"
            r"(?:企业|公司|单位|资本)?.{0,6}(?:方可|优先|加分|才能|得\d+分|投标人须)",
            r"所有制(?:形式|性质)?.{0,6}(?:为|须|应|要求|限)",
            rf"{_MUST}(?:为|是|属于)(?:国有|民营|外资|内资|中央)(?:独资|控股)?(?:企业|公司|单位)",
        ),
        BIDDING_REGULATION[32, 6],
        _GP,
    ),
    Pattern(
        "organisation_form",
        "SC-10",
        "不得限定投标人的组织形式",
        ("公司", "组织形式", "事业单位"),
        _known_by(
            rf"{_MUST}(?:为|是)(?:上市公司|股份有限公司|有限责任公司|集团公司|事业单位)",
            r"组织形式.{0,6}(?:为|须|应|限)",
        ),
        BIDDING_REGULATION[32, 6],
        _GP,
    ),
    Pattern(
        "brand",
        "SC-10",
        "不得限定或者指定特定的品牌、商标、型号、供应商",
        ("品牌", "商标", "型号", "牌"),
        _known_by(
            r"(?:指定|限定|特定|必须(?:采用|使用)|应当?(?:采用|使用)|须(?:采用|使用)|选用)"
            r"[^，,]{0,16}(?:品牌|商标|型号)",
            r"品牌[：:为限](?:定|于)?[^，,参或]{1,16}(?:$|[，,])",
            r"[一-龥A-Za-z]{2,12}牌(?:产品|设备|水泵|电梯|空调)",
        ),
        BIDDING_REGULATION[32, 5],
        _GP,
    ),
    Pattern(
        "patent",
        "SC-10",
        "不得限定或者指定特定的专利",
        ("专利",),
        _known_by(r"(?:采用|使用|具有|拥有|指定|限定)[^，,]{0,20}专利(?:技术|号|产品|证书)?"),
        BIDDING_REGULATION[32, 5],
        _GP,
    ),
    Pattern(
        "origin",
        "SC-10",
        "不得限定原产地、供应商",
        ("原产", "产地", "产自", "原装"),
        _known_by(
            r"原产地?.{0,4}(?:为|须|应|限|必须|要求)",
            rf"{_MUST}(?:为)?.{{0,6}}(?:产地|产自|原装进口)",
        ),
        BIDDING_REGULATION[32, 5],
        _GP,
    ),
    Pattern(
        "market_share",
        "SC-12",
        "不得以市场占有率作为条件",
        ("市场占有率", "市场份额"),
        _known_by(r"市场(?:占有率|份额)"),
        _OPINIONS,
        _GP,
    ),
    Pattern(
        "registered_capital",
        "SC-11",
        "不得以注册资本作为资格要求或者评审因素",
        ("注册", "实缴资本"),
        _known_by(
            rf"注册(?:资本|资金)(?:金)?.{{0,12}}{_LEAST}", r"实缴资本.{0,10}(?:不低于|不少于)"
        ),
        _REG,
        _SIZE,
    ),
    Pattern(
        "company_size",
        "SC-11",
        "不得以资产、营业收入、从业人员、利润、纳税额等规模条件作为资格要求或者评审因素",
        ("资产", "收入", "营业额", "销售额", "人员", "职工", "员工", "利润", "纳税额"),
        _known_by(
            r"(?:总资产|净资产|资产总额|营业收入|年营业额|销售额|从业人员|职工人数|员工人数"
            rf"|净利润|利润总额|利润|纳税额).{{0,14}}{_LEAST}"
        ),
        _REG,
        _SIZE,
    ),
    Pattern(
        "manufacturer_authorisation",
        "SC-11",
        "除进口货物外，不得将生产厂家授权、承诺、证明、背书作为资格要求",
        ("厂家", "厂商", "制造商", "原厂"),
        _known_by(r"(?:生产)?(?:厂家|厂商|制造商|原厂).{0,6}(?:授权|承诺函|背书|证明函)(?:书|函)?"),
        None,
        _SIZE,
    ),
    Pattern(
        "optional_certificate",
        "SC-12",
        "不得以国家没有强制要求的资质、认证作为资格条件",
        ("认证", "证书", "AAA", "3A", "信用等级"),
        _known_by(
            r"(?:ISO\s?\d{4,5}|质量管理体系|环境管理体系|职业健康安全管理体系|CMMI|信息安全管理体系)"
            r".{0,8}(?:认证|证书)",
            r"(?:AAA|3A|信用等级).{0,10}(?:证书|企业|评级)",
        ),
        _OPINIONS,
        _GP,
        frozenset({"notice", "qualification"}),
    ),
    Pattern(
        "sign_up",
        "SC-12",
        "不得设置报名等没有法律依据的环节",
        ("报名",),
        _known_by(r"(?:现场|网上|投标)?报名(?:登记|截止|时间|手续|成功|表|须|后|的|期间)"),
        CONDUCT_OPINIONS[3],
        None,
    ),
    Pattern(
        "prior_approval",
        "SC-12",
        "不得将招标文件审查、备案等作为发布的前置条件",
        ("审批", "核准", "审核", "备案"),
        _known_by(
            r"(?:招标文件|公告).{0,8}(?:经|报).{0,16}(?:审批|核准|审核|备案)(?:同意)?后.{0,4}(?:方可|才能)"
        ),
        CONDUCT_OPINIONS[3],
        None,
    ),
    Pattern(
        "named_tool",
        "SC-14",
        "不得强制使用指定的交易系统、数字证书、工具软件",
        ("CA", "证书", "工具", "软件", "平台", "加密锁"),
        _known_by(
            rf"{_MUST}.{{0,6}}(?:使用|采用|购买|办理|安装|到).{{0,20}}"
            r"(?:公司|指定).{0,16}(?:CA|数字证书|证书|投标工具|软件|平台|加密锁)",
            r"指定的.{0,12}(?:CA|数字证书|投标工具|计价软件|平台)",
        ),
        _FAIR,
        _FAIR,
    ),
    Pattern(
        "guarantee_limited",
        "NO-16",
        "不得限定保证金的形式，应当接受保函",
        ("现金", "转账", "电汇", "汇款", "支票", "保函", "保险", "担保"),
        _known_by(
            r"(?:只接受|仅接受|必须以|只能以|仅限|须以|一律以).{0,8}(?:现金|转账|电汇|汇款|支票)"
            r".{0,12}",
            r"(?:不接受|不得使用|拒绝).{0,8}(?:保函|保险|担保)",
        ),
        SME_PAYMENT_REGULATION[13],
        SME_PAYMENT_REGULATION[13],
    ),
    Pattern(
        "guarantee_issuer",
        "SC-14",
        "不得限定保函的出具机构",
        ("保函",),
        _known_by(
            r"保函.{0,10}(?:须|应|必须|只能|仅限).{0,8}(?:由|为).{0,16}(?:银行|保险公司|担保公司|支行)"
            r".{0,6}(?:出具|开具|开立)?",
            r"指定.{0,8}(?:银行|保险公司|担保公司).{0,8}(?:出具|开具|开立).{0,6}保函",
        ),
        _FAIR,
        _FAIR,
    ),
    Pattern(
        "preselected_list",
        "SC-14",
        "不得设置预选名录、备选库等限制竞争",
        ("供应商", "企业", "单位", "承包商", "名录", "备选库", "预选库", "短名单"),
        _known_by(
            r"(?:预选|备选|入围|入库|名录内|库内|短名单)(?:的)?(?:供应商|企业|单位|承包商)",
            r"(?:列入|进入|纳入).{0,14}(?:名录|备选库|预选库|短名单|供应商库).{0,8}(?:方可|才能|的)",
        ),
        _FAIR,
        _FAIR,
    ),
    Pattern(
        "lottery",
        "SC-14",
        "不得以抽签、摇号、抓阄等方式确定投标人、中标候选人或者中标人",
        ("抽签", "摇号", "抓阄"),
        _known_by(r"(?:抽签|摇号|抓阄)"),
        CONDUCT_OPINIONS[2],
        _FAIR,
    ),
    Pattern(
        "minimum_price",
        "NO-17",
        "不得规定最低投标限价",
        ("限价", "报价"),
        _known_by(
            r"最低(?:投标)?限价",
            r"(?:投标)?报价(?:不得|不应|不能)?低于.{0,16}(?:作?无效|否决|不得|的%|拒绝)",
        ),
        BIDDING_REGULATION[27],
        PROCUREMENT_TENDER_MEASURES[12],
    ),
    Pattern(
        "selective_visit",
        "NO-19",
        "不得组织单个或者部分潜在投标人踏勘现场",
        ("踏勘", "勘察现场", "现场考察"),
        _known_by(
            r"(?:仅|只|单独)(?:组织|邀请|通知|安排).{0,14}(?:踏勘|勘察现场|现场考察)",
            r"(?:踏勘|现场考察).{0,8}(?:仅限|只限|限于).{0,12}(?:单位|投标人|企业)",
        ),
        BIDDING_REGULATION[28],
        None,
    ),
    Pattern(
        "forced_fee",
        "NO-25",
        "招标文件收费仅限于成本，平台不得收取费用或者强制购买工具",
        ("费", "售价"),
        _known_by(
            r"(?:平台|系统)(?:使用费|服务费|会员费|年费)",
            r"(?:招标文件|标书)(?:工本费|售价|费).{0,6}(?:[5-9]\d{2}|\d{4,})\s*元",
        ),
        BIDDING_REGULATION[16],
        _GP,
    ),
    Pattern(
        "unequal_information",
        "SC-10",
        "不得就同一项目向潜在投标人提供有差别的项目信息",
        ("仅向", "只向"),
        _known_by(r"(?:仅|只)向.{0,14}(?:投标人|供应商|单位|企业).{0,6}(?:提供|发放|告知|公开)"),
        BIDDING_REGULATION[32, 1],
        _GP,
    ),
    Pattern(
        "different_standards",
        "SC-10",
        "不得对投标人采取不同的资格审查或者评标标准",
        ("审查", "提供", "加分", "评审"),
        _known_by(
            r"(?:本地|本市|本省|国有|长期合作|曾(?:经)?合作)(?:的)?(?:投标人|企业|供应商|单位)?"
            r".{0,6}(?:免于|免除|另行|单独|额外)(?:审查|提供|加分|评审)",
        ),
        BIDDING_REGULATION[32, 4],
        _GP,
    ),
    Pattern(
        "legal_representative_present",
        "PL-12",
        "不得强制要求法定代表人到场",
        ("法定代表人",),
        _known_by(
            rf"法定代表人{_MUST}?.{{0,4}}(?:本人)?(?:亲自)?(?:到场|到现场|出席|参加开标)",
        ),
        TRADING_PLATFORM_MEASURES[18],
        None,
    ),
    Pattern(
        "cash_security",
        "NO-15",
        "政府采购投标保证金应当以非现金形式提交",
        ("现金",),
        _known_by(r"(?:保证金).{0,14}现金(?:形式|方式)?(?:提交|缴纳|交纳|缴存)"),
        None,
        PROCUREMENT_REGULATION[33],
    ),
    Pattern(
        "foreign_excluded",
        "SC-10",
        "不得排斥外商投资企业、进口以外的不合理限制",
        ("外商投资", "外资", "港澳台"),
        _known_by(r"(?:不接受|拒绝|排除).{0,6}(?:外商投资|外资|港澳台)(?:企业|公司)?"),
        BIDDING_REGULATION[32, 6],
        _GP,
    ),
)
"""Every kind of condition that is searched for."""


@under(
    BIDDING_REGULATION[16],
    BIDDING_REGULATION[27],
    BIDDING_REGULATION[28],
    BIDDING_REGULATION[32],
    CONDUCT_OPINIONS[1],
    CONDUCT_OPINIONS[2],
    CONDUCT_OPINIONS[3],
    PROCUREMENT_REGULATION[20],
    PROCUREMENT_REGULATION[33],
    PROCUREMENT_TENDER_MEASURES[12],
    PROCUREMENT_TENDER_MEASURES[17],
    SME_PAYMENT_REGULATION[13],
    rule=("SC-10", "SC-11", "SC-12", "NO-15", "NO-16", "NO-17", "NO-19", "NO-25"),
)
def severity_of(finding: WordFinding) -> Severity:
    """How firmly a finding stands: under an article that we have read it stops a publication."""
    known = finding.article.provenance is not Provenance.MEMORY
    return Severity.BLOCK if known else Severity.WARN


_Searched = tuple[Pattern, str, Article]
"""A pattern with the rule and the article under which it is looked for."""


@under(
    FAIR_COMPETITION_RULES[6],
    TRADING_PLATFORM_MEASURES[18],
    rule=("SC-14", "PL-12"),
    severity=Severity.WARN,
)
def word_findings(passages: Iterable[Passage], bound: Bound, *, on: date) -> Iterator[WordFinding]:
    """Every condition that the passages seem to contain on a day; each kind once for a sentence."""
    sentences = [
        (passage, sentence) for passage in passages for sentence in _SENTENCE.findall(passage.text)
    ]
    hinted = _hinted([sentence for _, sentence in sentences], _search(bound, on))
    for (passage, sentence), patterns in zip(sentences, hinted, strict=True):
        for pattern, rule, article in patterns:
            if pattern.blocks and passage.kind not in pattern.blocks:
                continue
            found = pattern.words.search(sentence)
            if found is None or _forbidden(sentence, found, pattern):
                continue
            words = found[0].strip()
            yield WordFinding(pattern.code, rule, article, pattern.says, passage.place, words)


@dataclass(frozen=True, slots=True)
class _Search:
    """The patterns that are looked for, all their hints in one expression, and who is hinted at.

    The expression takes nothing of the text, so hints that overlap are all found.
    """

    patterns: tuple[_Searched, ...]
    hint: re.Pattern[str]
    speaks_for: Mapping[str, frozenset[int]]


def _hinted(sentences: Sequence[str], search: _Search) -> list[list[_Searched]]:
    """For each sentence the patterns that one of their hints speaks for.

    All the words are gone through at once for all hints: to ask every sentence for every hint takes
    as long as all the rest of a check-up.
    """
    ends = list(itertools.accumulate(len(sentence) + 1 for sentence in sentences))
    speaking: dict[int, frozenset[int]] = {}
    for found in search.hint.finditer("\n".join(sentences)):
        place = bisect.bisect_right(ends, found.start())
        speaking[place] = speaking.get(place, frozenset()) | search.speaks_for[found[1]]
    return [
        [search.patterns[number] for number in sorted(speaking.get(place, ()))]
        for place in range(len(sentences))
    ]


@functools.lru_cache(maxsize=64)
def _search(bound: Bound, on: date) -> _Search:
    """What is looked for under a family of law: each pattern with its rule and article."""
    cited = ((pattern, _cited(pattern, bound, on)) for pattern in PATTERNS)
    patterns = tuple((pattern, *found) for pattern, found in cited if found is not None)
    # The longest first: one that begins with another speaks for the patterns of both.
    hints = sorted({hint for one in patterns for hint in one[0].hints}, key=len, reverse=True)
    firsts, words = ("|".join(map(re.escape, some)) for some in ({h[0] for h in hints}, hints))
    speaks_for = {
        hint: frozenset(
            number
            for number, one in enumerate(patterns)
            if any(hint.startswith(other) for other in one[0].hints)
        )
        for hint in hints
    }
    return _Search(patterns, re.compile(f"(?={firsts})(?=({words}))"), speaks_for)


def _cited(pattern: Pattern, bound: Bound, on: date) -> tuple[str, Article] | None:
    """The rule and article under which a condition is forbidden here, or None where it is not.

    What one family of law forbids in so many words, the other forbids as an unreasonable condition;
    so does the regulation, once the opinions that spelt it out have run out.
    """
    if bound is Bound.PROCUREMENT:
        rule = "SC-10" if pattern.rule == "SC-12" else pattern.rule
        return None if pattern.procurement is None else (rule, pattern.procurement)
    if pattern.article is None:
        return None
    if pattern.rule == "SC-11":
        return ("SC-10", BIDDING_REGULATION[32])
    if pattern.rule == "SC-12" and bound is not Bound.MANDATORY:
        return ("SC-10", BIDDING_REGULATION[32])
    if not pattern.article.instrument.in_force_on(on):
        return ("SC-14", _FAIR) if pattern.rule == "SC-14" else ("SC-10", BIDDING_REGULATION[32])
    return (pattern.rule, pattern.article)


def _forbidden(sentence: str, found: re.Match[str], pattern: Pattern) -> bool:
    """Whether the sentence forbids the condition: a negation stands before the words or in them.

    What is worded as a prohibition itself, such as a floor price, is not excused by its own words.
    """
    if pattern.code in WORDED_AS_PROHIBITION:
        before = sentence[: found.start()]
        return bool(re.search(r"不得(?:规定|设置|设定|限定|要求)|禁止|不设", before))
    return bool(_FORBIDS.search(sentence[: found.end()]))


WORDED_AS_PROHIBITION: Final = frozenset({"minimum_price", "guarantee_limited", "foreign_excluded"})
