"""The tender file as the platform reads it: blocks of words, and beside them the figures.

A tender file is a list of numbered blocks, each of one kind: notice, instructions, qualification,
evaluation, bill of quantities, contract form, opening policy. What a rule needs is a field and not
a sentence, so that a figure is stated once and can be judged. Standard templates give the blocks
for each category of thing and version of the law (`tender_templates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from kernel.crypto.digests import Malformed, list_of, members, text_of
from kernel.money import parse_yuan, yuan_text
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Regime,
    under,
)
from trading.rules.contract_terms import PERFORMANCE_SECURITY_SHARE
from trading.rules.fair_competition import Passage
from trading.rules.procedures import Switches

VERSION: Final = "ebid-tender-file/1"
FILE_NAME: Final = "tender-file.json"
"""Under which name the file stands among a published lot's tender documents."""

BLOCKS_MAX: Final = 1000
TEXT_MAX: Final = 50_000
TITLE_MAX: Final = 200
ITEMS_MAX: Final = 20_000
_NUMBER: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,4}")


class BlockKind(StrEnum):
    """The kinds of block that a tender file is made of."""

    NOTICE = "notice"
    INSTRUCTIONS = "instructions"
    QUALIFICATION = "qualification"
    EVALUATION = "evaluation"
    BILL = "bill"
    CONTRACT = "contract"
    OPENING = "opening"


BLOCK_NAMES: Final[Mapping[BlockKind, str]] = MappingProxyType(
    {
        BlockKind.NOTICE: "招标公告",
        BlockKind.INSTRUCTIONS: "投标人须知",
        BlockKind.QUALIFICATION: "资格要求",
        BlockKind.EVALUATION: "评标办法",
        BlockKind.BILL: "工程量清单（需求清单）",
        BlockKind.CONTRACT: "合同格式",
        BlockKind.OPENING: "开标规则",
    }
)


@dataclass(frozen=True, slots=True)
class Block:
    """One numbered block. `essential` marks what cannot be departed from (实质性要求)."""

    kind: BlockKind
    number: str
    title: str
    text: str
    essential: bool = False


@dataclass(frozen=True, slots=True)
class BillItem:
    """One line of a bill of quantities or list of requirements."""

    number: str
    name: str
    unit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class FileTerms:
    """The figures of the file, apart from those that notice and timetable state.

    Amounts are in yuan. `stages` is 2 in a two-stage tender, `security_stage` the stage in which a
    security is asked for, `price_in_first_stage` whether the first stage asks for prices.
    `reserve_estimates` is how many there are (标底), and whether they stay secret until the opening
    and only serve as a reference. `visits_for` names whom a site visit is for; empty means
    everybody. What begins with `credit_` says how records of credit are asked for in procurement.
    """

    template: str = ""
    documents_fee: Decimal = Decimal(0)
    platform_fee: Decimal = Decimal(0)
    performance_security_share: Decimal = Decimal(0)
    sign_within_days: int = 30
    stages: int = 1
    security_stage: int = 1
    price_in_first_stage: bool = False
    reserve_estimates: int = 0
    reserve_secret: bool = True
    reserve_decides: bool = False
    visits_for: tuple[str, ...] = ()
    budget: Decimal | None = None
    credit_channel: str = ""
    credit_cutoff: str = ""
    credit_use: str = ""
    consortium_minimum: str = ""
    rejects_unless: str = "both"


@dataclass(frozen=True, slots=True)
class TenderDocument:
    """A tender file: its blocks in order, its list of quantities, and its figures."""

    blocks: tuple[Block, ...]
    bill: tuple[BillItem, ...] = ()
    terms: FileTerms = field(default_factory=FileTerms)

    def passages(self) -> Iterator[Passage]:
        """The words of each block, title included, for whoever searches them."""
        for block in self.blocks:
            yield Passage(str(block.kind), block.number, f"{block.title}\n{block.text}")

    def kinds(self) -> frozenset[BlockKind]:
        """The kinds of block that it has words of."""
        return frozenset(block.kind for block in self.blocks if block.text.strip())


REQUIRED_BLOCKS: Final = frozenset(BlockKind)


def parse_tender_file(document: object) -> TenderDocument:
    """The tender file that a JSON document states; `Malformed` for anything else."""
    told = members(document, ("v", "blocks"), optional=("bill", "terms"))
    if told["v"] != VERSION:
        raise Malformed("a tender file of version 1 was expected", code="version")
    blocks = tuple(_block_in(one) for one in list_of(told["blocks"], at_most=BLOCKS_MAX))
    numbers = [block.number for block in blocks]
    if len(set(numbers)) != len(numbers):
        raise Malformed("two blocks have one number", code="number_twice")
    bill = tuple(_item_in(one) for one in list_of(told.get("bill", []), at_most=ITEMS_MAX))
    return TenderDocument(blocks, bill, _terms_in(told.get("terms", {})))


def tender_file_document(file: TenderDocument) -> dict[str, object]:
    """The JSON document of a tender file, which `parse_tender_file` reads back."""
    terms = file.terms
    return {
        "v": VERSION,
        "blocks": [
            {
                "kind": str(block.kind),
                "number": block.number,
                "title": block.title,
                "text": block.text,
                "essential": block.essential,
            }
            for block in file.blocks
        ],
        "bill": [
            {
                "number": item.number,
                "name": item.name,
                "unit": item.unit,
                "quantity": str(item.quantity),
            }
            for item in file.bill
        ],
        "terms": {
            "template": terms.template,
            "documents_fee": yuan_text(terms.documents_fee),
            "platform_fee": yuan_text(terms.platform_fee),
            "performance_security_share": str(terms.performance_security_share),
            "sign_within_days": terms.sign_within_days,
            "stages": terms.stages,
            "security_stage": terms.security_stage,
            "price_in_first_stage": terms.price_in_first_stage,
            "reserve_estimates": terms.reserve_estimates,
            "reserve_secret": terms.reserve_secret,
            "reserve_decides": terms.reserve_decides,
            "visits_for": list(terms.visits_for),
            "budget": None if terms.budget is None else yuan_text(terms.budget),
            "credit_channel": terms.credit_channel,
            "credit_cutoff": terms.credit_cutoff,
            "credit_use": terms.credit_use,
            "consortium_minimum": terms.consortium_minimum,
            "rejects_unless": terms.rejects_unless,
        },
    }


def _block_in(value: object) -> Block:
    told = members(value, ("kind", "number", "title", "text"), optional=("essential",))
    try:
        kind = BlockKind(text_of(told["kind"]))
    except ValueError:
        raise Malformed("no such kind of block", code="block_kind") from None
    number = text_of(told["number"])
    if not _NUMBER.fullmatch(number):
        raise Malformed("a block is numbered like 3.2.1", code="block_number")
    title, text = text_of(told["title"]), text_of(told["text"])
    if not title.strip() or len(title) > TITLE_MAX or len(text) > TEXT_MAX:
        raise Malformed("a block has a title and at most 50000 characters", code="block_text")
    essential = told.get("essential", False)
    if not isinstance(essential, bool):
        raise Malformed("essential is true or false", code="essential")
    return Block(kind, number, title, text, essential)


def _item_in(value: object) -> BillItem:
    told = members(value, ("number", "name", "unit", "quantity"))
    quantity = _decimal_in(told["quantity"], places=6)
    if quantity <= 0:
        raise Malformed("a quantity is above zero", code="quantity")
    number, name, unit = (_named(told[member], member) for member in ("number", "name", "unit"))
    return BillItem(number, name, unit, quantity)


def _named(value: object, name: str) -> str:
    text = text_of(value)
    if not text.strip() or len(text) > TITLE_MAX:
        raise Malformed(f"{name} is a text of 1 to {TITLE_MAX} characters", code="text")
    return text


def _decimal_in(value: object, *, places: int) -> Decimal:
    text = text_of(value)
    if not re.fullmatch(rf"[0-9]{{1,15}}(?:\.[0-9]{{1,{places}}})?", text):
        raise Malformed("a number of plain digits was expected", code="number")
    return Decimal(text)


def _yuan_in(value: object) -> Decimal:
    try:
        return parse_yuan(text_of(value))
    except ValueError:
        raise Malformed("an amount is written like 1234.50", code="amount") from None


_FLAGS: Final = ("price_in_first_stage", "reserve_secret", "reserve_decides")
_COUNTS: Final = ("sign_within_days", "stages", "security_stage", "reserve_estimates")
_WORDS: Final = (
    *("template", "credit_channel", "credit_cutoff", "credit_use"),
    *("consortium_minimum", "rejects_unless"),
)
_AMOUNTS: Final = ("documents_fee", "platform_fee")


def _terms_in(value: object) -> FileTerms:
    told = members(
        value,
        (),
        optional=(
            *_FLAGS,
            *_COUNTS,
            *_WORDS,
            *_AMOUNTS,
            *("performance_security_share", "visits_for", "budget"),
        ),
    )
    given: dict[str, Any] = {}
    for name, found in told.items():
        if name in _FLAGS:
            if not isinstance(found, bool):
                raise Malformed(f"{name} is true or false", code=name)
            given[name] = found
        elif name in _COUNTS:
            if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= 1000:
                raise Malformed(f"{name} is a whole number from 0 to 1000", code=name)
            given[name] = found
        elif name in _WORDS:
            text = text_of(found)
            if len(text) > TITLE_MAX:
                raise Malformed(f"{name} has at most {TITLE_MAX} characters", code=name)
            given[name] = text
        elif name in _AMOUNTS:
            given[name] = _yuan_in(found)
        elif name == "performance_security_share":
            given[name] = _decimal_in(found, places=4)
        elif name == "visits_for":
            given[name] = tuple(_named(one, "visits_for") for one in list_of(found, at_most=100))
        elif found is not None:
            given[name] = _yuan_in(found)
    return FileTerms(**given)


# ── what a tender file must have and may not have ─────────────────────────────────────────────


@under(
    BIDDING_LAW[19],
    BIDDING_REGULATION[15],
    E_BIDDING_MEASURES[19],
    PROCUREMENT_TENDER_MEASURES[20],
    rule=("NO-23", "NO-24"),
)
def structure_refusals(file: TenderDocument, switches: Switches) -> list[Refusal]:
    """A kind of block that is missing, a template that is not named, an empty list."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_TENDER_MEASURES[20] if procurement else BIDDING_LAW[19]
    refusals = [
        Refusal(
            "block_missing", article, f"招标文件缺少“{BLOCK_NAMES[kind]}”", {"block": str(kind)}
        )
        for kind in BlockKind
        if kind not in file.kinds()
    ]
    if not file.terms.template.strip():
        reason = "应当使用标准文本，并注明文本名称和版本"
        text = E_BIDDING_MEASURES[19] if procurement else BIDDING_REGULATION[15]
        refusals.append(Refusal("no_template", text, reason))
    if not file.bill:
        reason = "工程量清单（需求清单）没有任何条目"
        refusals.append(Refusal("bill_empty", article, reason))
    numbers = [item.number for item in file.bill]
    if len(set(numbers)) != len(numbers):
        refusals.append(Refusal("bill_number_twice", article, "清单条目编号重复"))
    return refusals


@under(PROCUREMENT_TENDER_MEASURES[20], PROCUREMENT_REGULATION[30], rule="NO-24")
def procurement_refusals(file: TenderDocument, switches: Switches) -> list[Refusal]:
    """What a procurement file must state besides: budget, credit records, marked requirements."""
    if switches.regime is not Regime.PROCUREMENT:
        return []
    article = PROCUREMENT_TENDER_MEASURES[20]
    terms = file.terms
    refusals = []
    if terms.budget is None:
        refusals.append(
            Refusal("no_budget", PROCUREMENT_REGULATION[30], "应当公开采购项目预算金额")
        )
    for name, what in (
        ("credit_channel", "投标人信用信息查询渠道"),
        ("credit_cutoff", "投标人信用信息查询截止时点"),
        ("credit_use", "信用信息的使用规则"),
    ):
        if not getattr(terms, name).strip():
            reason = f"应当载明{what}"
            refusals.append(Refusal("credit_unstated", article, reason, {"member": name}))
    if not any(block.essential for block in file.blocks):
        reason = "不允许偏离的实质性要求和条件应当以醒目的方式标明"
        refusals.append(Refusal("nothing_marked", article, reason))
    return refusals


@under(
    BIDDING_LAW[46],
    BIDDING_REGULATION[58],
    PROCUREMENT_LAW[46],
    PROCUREMENT_REGULATION[48],
    rule=("AW-11", "AW-14"),
)
def contract_form_refusals(file: TenderDocument, switches: Switches) -> list[Refusal]:
    """A contract form that asks for too much security, or for a signature later than allowed."""
    procurement = switches.regime is Regime.PROCUREMENT
    terms = file.terms
    refusals = []
    if terms.performance_security_share > PERFORMANCE_SECURITY_SHARE:
        article = PROCUREMENT_REGULATION[48] if procurement else BIDDING_REGULATION[58]
        reason = "履约保证金不得超过合同金额的10%"
        facts = {"asked": str(terms.performance_security_share)}
        refusals.append(Refusal("performance_security_too_high", article, reason, facts))
    if terms.sign_within_days > switches.contract_period.days:
        article = PROCUREMENT_LAW[46] if procurement else BIDDING_LAW[46]
        reason = f"合同应当自中标通知书发出之日起{switches.contract_period}内签订"
        refusals.append(Refusal("signed_too_late", article, reason))
    return refusals


@under(
    BIDDING_REGULATION[16],
    BIDDING_REGULATION[27],
    BIDDING_REGULATION[28],
    BIDDING_REGULATION[30],
    BIDDING_REGULATION[50],
    E_BIDDING_MEASURES[16],
    rule=("NO-18", "NO-19", "NO-20", "NO-25"),
)
def terms_refusals(file: TenderDocument, switches: Switches) -> list[Refusal]:
    """Fees, visits, reserve estimates and stages that the law does not allow."""
    terms = file.terms
    refusals = []
    if terms.platform_fee > 0:
        reason = "电子招标投标交易平台不得以任何形式向投标人收取费用作为投标的前置条件"
        refusals.append(Refusal("platform_fee", E_BIDDING_MEASURES[16], reason))
    if terms.documents_fee > 0:
        reason = "电子招标文件没有印刷、邮寄成本，不得收费"
        refusals.append(Refusal("documents_fee", BIDDING_REGULATION[16], reason))
    if switches.regime is Regime.PROCUREMENT:
        return refusals
    if terms.visits_for:
        reason = f"不得组织单个或者部分潜在投标人踏勘现场（{'、'.join(terms.visits_for)}）"
        refusals.append(Refusal("selective_visit", BIDDING_REGULATION[28], reason))
    if terms.reserve_estimates > 1:
        reason = "一个招标项目只能有一个标底"
        refusals.append(Refusal("several_reserves", BIDDING_REGULATION[27], reason))
    if terms.reserve_estimates and not terms.reserve_secret:
        refusals.append(Refusal("reserve_open", BIDDING_REGULATION[27], "标底必须保密"))
    if terms.reserve_decides:
        reason = "标底只能作为评标的参考，不得以报价是否接近标底作为中标或者否决的条件"
        refusals.append(Refusal("reserve_decides", BIDDING_REGULATION[50], reason))
    if terms.stages > 1 and terms.price_in_first_stage:
        reason = "两阶段招标第一阶段提交的技术建议不带报价"
        refusals.append(Refusal("price_in_first_stage", BIDDING_REGULATION[30], reason))
    if terms.stages > 1 and terms.security_stage < terms.stages:
        reason = "两阶段招标要求提交投标保证金的，应当在第二阶段提出"
        refusals.append(Refusal("security_in_first_stage", BIDDING_REGULATION[30], reason))
    return refusals


def place_of(file: TenderDocument, kind: BlockKind) -> str:
    """The number of the first block of a kind, for a finding that concerns the kind as a whole."""
    return next((block.number for block in file.blocks if block.kind is kind), "")
