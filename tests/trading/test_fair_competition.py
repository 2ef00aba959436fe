"""Conditions that keep bidders out: Bidding Regulation 16, 27, 28, 32; Opinions on Conduct 1, 2,
3; Government Procurement Regulation 20, 33; Procurement Tender Measures 12, 17; SME Payment
Regulation 13; and, from memory, Fair Competition Review Rules 6;
Trading Platform Measures 18.
"""

from __future__ import annotations

from datetime import date

import pytest

from kernel.statute import (
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    FAIR_COMPETITION_RULES,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    Severity,
)
from trading.rules.fair_competition import (
    PATTERNS,
    Passage,
    Pattern,
    severity_of,
    word_findings,
)
from trading.rules.rule_book import RULE_BOOK, Bound

TODAY = date(2026, 3, 2)

FORBIDDEN = {
    "local_registration": "投标人注册地须在江城市行政区域内。",
    "local_branch": "投标人应在本市设有分公司。",
    "local_tax": "投标人须提供近三个月在本市缴纳社会保险的证明。",
    "local_performance": "近三年具有江城市类似工程业绩的得5分。",
    "trade_performance": "业绩仅限电力行业内业绩。",
    "ownership": "国有企业优先。",
    "organisation_form": "投标人必须为上市公司。",
    "brand": "电梯必须采用三江品牌。",
    "patent": "应采用某公司的专利技术。",
    "origin": "设备原产地应为德国。",
    "market_share": "投标人上一年度市场占有率排名前三。",
    "registered_capital": "投标人注册资本不低于5000万元。",
    "company_size": "投标人上一年度营业收入达到1亿元以上。",
    "manufacturer_authorisation": "须提供生产厂家授权书。",
    "optional_certificate": "投标人须具有ISO9001认证证书。",
    "sign_up": "潜在投标人须在报名截止时间前办理登记。",
    "prior_approval": "招标文件须报主管部门审批后方可发售。",
    "named_tool": "投标人须使用江城信通公司的CA数字证书。",
    "guarantee_limited": "投标保证金只接受现金。",
    "guarantee_issuer": "保函须由中国某银行江城支行出具。",
    "preselected_list": "仅接受预选供应商投标。",
    "lottery": "得分相同的，以抽签方式确定中标候选人。",
    "minimum_price": "本项目最低投标限价为800万元。",
    "selective_visit": "仅组织已缴纳保证金的单位踏勘现场。",
    "forced_fee": "投标人须缴纳平台服务费。",
    "unequal_information": "补充图纸仅向已报价的投标人提供。",
    "different_standards": "长期合作的供应商免于审查业绩。",
    "legal_representative_present": "法定代表人必须到场参加开标。",
    "cash_security": "投标保证金以现金形式提交。",
    "foreign_excluded": "本项目不接受外商投资企业。",
}
"""One sentence for each kind of condition."""

LAWFUL = (
    "不得要求投标人在江城市注册。",
    "本项目不要求投标人在本市设立分公司。",
    "不以注册资本不低于任何数额作为资格条件。",
    "投标人应当具有建筑工程施工总承包二级以上资质。",
    "近三年完成过单项合同金额1000万元以上的类似工程施工业绩。",
    "项目经理应当具有一级建造师注册证书。",
    "投标保证金可以采用转账、保函等形式。",
    "参考品牌仅供描述质量档次，投标人可以选用同档次或者更优的产品。",
    "开标由招标人主持，投标人可以在线参加。",
    "招标文件免费下载。",
    "本项目设最高投标限价4980000.00元，不得规定最低投标限价。",
    "实施地点：湖北省江城市临江新区。",
    "投标人应当依法缴纳税收和社会保险。",
    "所有潜在投标人均可自行踏勘现场。",
)


def codes(text: str, bound: Bound, kind: str = "qualification") -> set[str]:
    return {one.code for one in word_findings([Passage(kind, "3.1", text)], bound, on=TODAY)}


def test_every_kind_of_condition_has_a_sentence_here() -> None:
    assert {pattern.code for pattern in PATTERNS} == set(FORBIDDEN)
    assert len(PATTERNS) == len(FORBIDDEN)


@pytest.mark.refuses(
    "SC-10", "SC-11", "SC-12", "SC-14", "NO-15", "NO-16", "NO-19", "NO-25", "PL-12"
)
@pytest.mark.parametrize("code", FORBIDDEN)
def test_a_forbidden_condition_is_found_with_its_words(code: str) -> None:
    found = [
        one
        for bound in (Bound.MANDATORY, Bound.PROCUREMENT)
        for one in word_findings(
            [Passage("qualification", "3.1", FORBIDDEN[code])], bound, on=TODAY
        )
    ]
    assert {one.code for one in found} == {code}
    assert all(one.words in FORBIDDEN[code] for one in found)
    assert all(one.place == "3.1" and one.words in one.reason for one in found)


@pytest.mark.accepts(
    "SC-10", "SC-11", "SC-12", "SC-14", "NO-15", "NO-16", "NO-19", "NO-25", "PL-12"
)
@pytest.mark.parametrize("bound", [Bound.MANDATORY, Bound.VOLUNTARY, Bound.PROCUREMENT])
@pytest.mark.parametrize("text", LAWFUL)
def test_what_is_lawful_or_forbids_the_condition_is_not_found(text: str, bound: Bound) -> None:
    assert codes(text, bound) == set()


@pytest.mark.parametrize("text", FORBIDDEN.values())
@pytest.mark.parametrize("bound", [Bound.MANDATORY, Bound.VOLUNTARY, Bound.PROCUREMENT])
def test_a_finding_cites_a_rule_that_binds_the_procedure_by_an_article_of_its_law(
    text: str, bound: Bound
) -> None:
    for one in word_findings([Passage("qualification", "3.1", text)], bound, on=TODAY):
        assert bound in RULE_BOOK[one.rule].binds, one.rule
        foreign = Regime.TENDERING if bound is Bound.PROCUREMENT else Regime.PROCUREMENT
        assert one.article.instrument.regime is not foreign


def cited(code: str, bound: Bound, *, on: date = TODAY) -> list[tuple[str, Article, Severity]]:
    """Under which rule and article a condition is found, and how firmly."""
    passage = [Passage("qualification", "3.1", FORBIDDEN[code])]
    found = word_findings(passage, bound, on=on)
    return [(one.rule, one.article, severity_of(one)) for one in found]


def test_registered_capital_is_an_article_of_its_own_in_procurement_alone() -> None:
    [(_, article, _)] = cited("registered_capital", Bound.PROCUREMENT)
    assert article == PROCUREMENT_TENDER_MEASURES[17]
    [(_, article, _)] = cited("registered_capital", Bound.MANDATORY)
    assert article == BIDDING_REGULATION[32]


def test_what_is_known_from_memory_warns_and_does_not_refuse() -> None:
    assert [how for _, _, how in cited("named_tool", Bound.MANDATORY)] == [Severity.WARN]
    assert [how for _, _, how in cited("brand", Bound.MANDATORY)] == [Severity.BLOCK]


@pytest.mark.accepts("SC-12")
@pytest.mark.refuses("SC-12", "SC-10", "SC-14")
@pytest.mark.parametrize(
    ("code", "point", "afterwards"),
    [
        ("local_branch", 1, ("SC-10", BIDDING_REGULATION[32], Severity.BLOCK)),
        ("sign_up", 3, ("SC-10", BIDDING_REGULATION[32], Severity.BLOCK)),
        ("lottery", 2, ("SC-14", FAIR_COMPETITION_RULES[6], Severity.WARN)),
    ],
)
def test_opinions_stop_a_publication_to_their_last_day_and_then_the_older_law_speaks(
    code: str, point: int, afterwards: tuple[str, Article, Severity]
) -> None:
    [last_day] = cited(code, Bound.MANDATORY, on=date(2027, 8, 31))
    assert last_day[1:] == (CONDUCT_OPINIONS[point], Severity.BLOCK)
    assert cited(code, Bound.MANDATORY, on=date(2027, 9, 1)) == [afterwards]


@pytest.mark.parametrize("text", FORBIDDEN.values())
def test_no_finding_cites_what_has_expired(text: str) -> None:
    passage = [Passage("qualification", "3.1", text)]
    for bound in (Bound.MANDATORY, Bound.VOLUNTARY, Bound.PROCUREMENT):
        for one in word_findings(passage, bound, on=date(2027, 9, 1)):
            assert one.article.instrument.in_force_on(date(2027, 9, 1))


def test_a_certificate_may_be_scored_but_not_demanded() -> None:
    text = FORBIDDEN["optional_certificate"]
    assert codes(text, Bound.MANDATORY, "evaluation") == set()
    assert codes(text, Bound.MANDATORY, "notice") == {"optional_certificate"}


def test_each_kind_is_told_once_for_a_sentence_and_again_for_the_next() -> None:
    text = "投标人注册资本不低于5000万元，注册资本不少于6000万元。注册资金不低于1亿元。"
    found = list(
        word_findings([Passage("qualification", "3.1", text)], Bound.PROCUREMENT, on=TODAY)
    )
    assert [one.code for one in found] == ["registered_capital", "registered_capital"]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.code)
def test_the_quick_look_for_hints_misses_nothing_that_the_words_would_find(
    pattern: Pattern,
) -> None:
    for text in (*FORBIDDEN.values(), *LAWFUL):
        if pattern.words.search(text):
            assert any(hint in text for hint in pattern.hints), text
