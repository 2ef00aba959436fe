"""What a tender notice and its documents must say, and what they may not ask for.

The notice names the project, the parties and the ways in and out. It may state a ceiling price and
never a floor. A bid security is capped, and whoever asks for one takes guarantees for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    DESIGN_MEASURES,
    E_BIDDING_MEASURES,
    NOTICE_MEASURES,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    SME_PAYMENT_REGULATION,
    WORKS_MEASURES,
    Article,
    Severity,
    under,
)
from trading.rules.procedures import GUARANTEES, SecurityForm, Switches


class WorkKind(StrEnum):
    """What is tendered for, as far as the caps of the sectors care."""

    WORKS = "works"
    SURVEY_AND_DESIGN = "survey_and_design"
    GOODS = "goods"
    SERVICES = "services"


REQUIRED_WORDS: Final[Mapping[str, tuple[str, Article]]] = MappingProxyType(
    {
        "name": ("招标项目名称", NOTICE_MEASURES[5]),
        "content": ("招标项目内容、性质", BIDDING_LAW[16]),
        "scale": ("招标范围、规模（数量）", BIDDING_LAW[16]),
        "place": ("实施地点", BIDDING_LAW[16]),
        "schedule": ("实施时间（工期、交货期）", BIDDING_LAW[16]),
        "funding_source": ("资金来源", NOTICE_MEASURES[5]),
        "qualifications": ("投标人资格能力要求", NOTICE_MEASURES[5]),
        "consortium": ("是否接受联合体投标", BIDDING_REGULATION[37]),
        "documents_how": ("获取招标文件的办法", BIDDING_LAW[16]),
        "submission_how": ("递交投标文件的方式", NOTICE_MEASURES[5]),
        "tenderee": ("招标人名称", BIDDING_LAW[16]),
        "tenderee_address": ("招标人地址", BIDDING_LAW[16]),
        "tenderee_contact": ("招标人联系人及联系方式", NOTICE_MEASURES[5]),
        "platform_url": ("电子招标投标交易平台网址", E_BIDDING_MEASURES[17]),
        "platform_how": ("电子招标投标交易的方法", E_BIDDING_MEASURES[17]),
        "evaluation_method": ("评标标准和方法", BIDDING_LAW[19]),
    }
)
"""What every notice says, by key: what it is called, and the article that demands it."""

AGENCY_WORDS: Final[Mapping[str, tuple[str, Article]]] = MappingProxyType(
    {
        "agency": ("招标代理机构名称", NOTICE_MEASURES[5]),
        "agency_address": ("招标代理机构地址", NOTICE_MEASURES[5]),
        "agency_contact": ("招标代理机构联系人及联系方式", NOTICE_MEASURES[5]),
    }
)
"""What a notice says besides where an agency acts."""

# Caps of the sectors, in yuan. Their articles are known from memory, so they warn only.
SECTOR_CAPS: Final[Mapping[WorkKind, tuple[Decimal, Article]]] = MappingProxyType(
    {
        WorkKind.WORKS: (Decimal(800_000), WORKS_MEASURES[37]),
        WorkKind.SURVEY_AND_DESIGN: (Decimal(100_000), DESIGN_MEASURES[24]),
    }
)


@dataclass(frozen=True, slots=True)
class NoticeContents:
    """What the notice and the terms of a lot say.

    `words` holds the notice's texts by the keys of `REQUIRED_WORDS`. `estimate` is the estimate of
    the tendered project, or the budget in procurement; amounts are in yuan. A `ceiling_method` says
    how a ceiling will be found where no `ceiling_price` is stated yet; `has_ceiling` that there is
    to be one.
    """

    organisation_verified: bool
    words: Mapping[str, str]
    has_agency: bool
    agency_authorised: bool
    estimate: Decimal
    bid_security: Decimal
    security_forms: frozenset[SecurityForm]
    has_ceiling: bool = False
    ceiling_price: Decimal | None = None
    ceiling_method: str = ""
    minimum_price: Decimal | None = None
    work_kind: WorkKind = WorkKind.WORKS


@under(
    BIDDING_LAW[16],
    BIDDING_REGULATION[26],
    E_BIDDING_MEASURES[17],
    rule=("NO-02", "NO-14", "NO-15", "NO-16", "NO-17", "PL-07"),
)
def notice_refusals(contents: NoticeContents, switches: Switches) -> list[Refusal]:
    """Every ground on which the notice may not be published as it is."""
    return [
        *publisher_refusals(contents),
        *missing_words(contents),
        *price_refusals(contents, switches),
        *security_refusals(contents, switches),
    ]


@under(E_BIDDING_MEASURES[14], BIDDING_LAW[15], rule="PL-07")
def publisher_refusals(contents: NoticeContents) -> list[Refusal]:
    """An unverified organisation publishes nothing, nor does an agency nobody authorised."""
    refusals = []
    if not contents.organisation_verified:
        reason = "单位注册信息尚未经交易中心核验，不能发布招标公告"
        refusals.append(Refusal("organisation_unverified", E_BIDDING_MEASURES[14], reason))
    if contents.has_agency and not contents.agency_authorised:
        reason = "招标代理机构应当在招标人委托的范围内办理招标事宜，招标人尚未签署委托"
        refusals.append(Refusal("agency_not_authorised", BIDDING_LAW[15], reason))
    return refusals


@under(
    BIDDING_LAW[16],
    BIDDING_LAW[19],
    BIDDING_REGULATION[37],
    NOTICE_MEASURES[5],
    E_BIDDING_MEASURES[17],
    rule="NO-02",
)
def missing_words(contents: NoticeContents) -> list[Refusal]:
    """Each thing that the notice must say and does not."""
    required = {**REQUIRED_WORDS, **(AGENCY_WORDS if contents.has_agency else {})}
    return [
        Refusal("notice_lacks", article, f"招标公告未载明{label}", {"item": key})
        for key, (label, article) in required.items()
        if not contents.words.get(key, "").strip()
    ]


@under(BIDDING_REGULATION[27], PROCUREMENT_TENDER_MEASURES[12], rule="NO-17")
def price_refusals(contents: NoticeContents, switches: Switches) -> list[Refusal]:
    """A ceiling must be stated or computable; a floor is forbidden."""
    article = switches.ceiling_article
    ceiling = contents.ceiling_price
    refusals = []
    if contents.estimate <= 0:
        refusals.append(Refusal("no_estimate", article, "应当载明招标项目估算价（预算金额）"))
    if contents.has_ceiling and ceiling is None and not contents.ceiling_method.strip():
        reason = "设有最高投标限价的，应当明确最高投标限价或者其计算方法"
        refusals.append(Refusal("ceiling_not_stated", article, reason))
    if ceiling is not None and ceiling <= 0:
        refusals.append(Refusal("ceiling_not_positive", article, "最高投标限价应当大于零"))
    budget_binds = not switches.ceiling_may_exceed_estimate
    if ceiling is not None and budget_binds and ceiling > contents.estimate:
        reason = f"最高限价不得超过预算金额{yuan_text(contents.estimate)}元"
        refusals.append(Refusal("ceiling_above_budget", article, reason))
    if contents.minimum_price is not None:
        refusals.append(Refusal("minimum_price", article, "不得规定最低投标限价"))
    return refusals


@under(
    BIDDING_REGULATION[26],
    PROCUREMENT_REGULATION[33],
    SME_PAYMENT_REGULATION[13],
    rule=("NO-14", "NO-15", "NO-16"),
)
def security_refusals(contents: NoticeContents, switches: Switches) -> list[Refusal]:
    """A bid security above its cap, in a form that is not allowed, or without any guarantee."""
    cap = switches.security
    refusals = []
    if contents.bid_security < 0:
        return [Refusal("security_negative", cap.article, "投标保证金不得为负")]
    if contents.bid_security > cap.share * contents.estimate:
        most = cap.most_for(contents.estimate)
        reason = f"投标保证金不得超过{cap.basis}的{cap.share:.0%}，即{yuan_text(most)}元"
        facts = {"most": yuan_text(most), "asked": yuan_text(contents.bid_security)}
        refusals.append(Refusal("security_too_high", cap.article, reason, facts))
    if contents.bid_security == 0:
        return refusals
    if contents.security_forms - cap.forms:
        refusals.append(Refusal("security_in_cash", cap.article, "投标保证金应当以非现金形式提交"))
    if not contents.security_forms & GUARANTEES:
        reason = "应当允许以金融机构、担保机构出具的保函等形式提交投标保证金"
        refusals.append(Refusal("guarantee_refused", SME_PAYMENT_REGULATION[13], reason))
    return refusals


@under(WORKS_MEASURES[37], DESIGN_MEASURES[24], rule="NO-14", severity=Severity.WARN)
def security_cautions(contents: NoticeContents) -> list[Caution]:
    """A bid security above the cap of its sector, which nobody here has read in its own text."""
    cap, article = SECTOR_CAPS.get(contents.work_kind, (None, None))
    if cap is None or article is None or contents.bid_security <= cap:
        return []
    reason = f"投标保证金可能超过行业上限{yuan_text(cap)}元，请核对"
    return [Caution("security_above_sector_cap", article, reason)]
