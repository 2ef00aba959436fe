"""The words of a contract: the tender file's own form, or the platform's where it has none.

The main terms stand in fields of their own beside these clauses, so that a clause never repeats a
figure and none can contradict it. The words are the platform's and no official model text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from trading.rules.notice_contents import WorkKind
from trading.rules.tender_file import Block, BlockKind

_PAYMENT: Final[Mapping[WorkKind, str]] = MappingProxyType(
    {
        WorkKind.WORKS: "工程款按照经确认的进度支付；竣工结算以审计结果为准，结清后支付余款。",
        WorkKind.SURVEY_AND_DESIGN: "价款按照成果提交并经认可的阶段支付。",
        WorkKind.GOODS: "货物验收合格后30日内付款。",
        WorkKind.SERVICES: "服务经考核合格后30日内付款。",
    }
)

_STANDARD: Final = (
    (
        "合同文件",
        "本合同由本协议、中标通知书、投标文件、招标文件及其澄清和修改组成，互相解释；"
        "不一致的，以在先列明的为准。",
    ),
    ("标的与范围", "乙方按照招标文件和投标文件完成本合同载明的标的和范围。"),
    ("价款", "合同价款为本合同载明的中标价，除依照本合同变更外不作调整。"),
    ("质量与期限", "乙方按照本合同载明的质量标准和履行期限完成；项目负责人未经甲方同意不得更换。"),
    ("支付", ""),
    (
        "履约担保",
        "乙方按照本合同载明的金额和形式提交履约保证金；履行完毕并验收合格后，甲方予以退还。",
    ),
    (
        "变更",
        "变更应当写明原因代码、理由和金额，经双方在平台签名后生效，并随累计影响一并公开。",
    ),
    ("转让与分包", "乙方不得转让本合同，不得违法分包；主体、关键性工作由乙方自行完成。"),
    ("履行报告", "双方通过平台报告进度、付款和节点，报告公开，并通报交易、监督各方。"),
    ("验收与结算", "完成后依法验收。审计结算价及其与中标价的差额在平台公布，并说明原因。"),
    ("违约责任", "一方不履行或者不按照约定履行的，依法承担继续履行、补救或者赔偿损失的责任。"),
    ("争议解决", "争议由双方协商；协商不成的，向合同履行地有管辖权的人民法院起诉。"),
)


_IN_A_PURCHASE: Final = (
    ("中标通知书", "成交通知书"),
    ("中标价", "成交价"),
    ("投标文件", "响应文件"),
    ("招标文件", "采购文件"),
)
"""What the papers of a tender are called where something is bought without one."""


def contract_clauses(
    kind: WorkKind, own: Iterable[Block] = (), *, purchase: bool = False
) -> list[dict[str, str]]:
    """The clauses in their order: `own` blocks of the contract form, or else the standard ones.

    The standard ones name the papers as a tender does, or as a `purchase` without one.
    """
    form = [block for block in own if block.kind is BlockKind.CONTRACT and block.text.strip()]
    if form:
        return [{"number": one.number, "title": one.title, "text": one.text} for one in form]
    return [
        {"number": str(place), "title": title, "text": _named(text or _PAYMENT[kind], purchase)}
        for place, (title, text) in enumerate(_STANDARD, start=1)
    ]


def _named(text: str, purchase: bool) -> str:
    for tender, bought in _IN_A_PURCHASE if purchase else ():
        text = text.replace(tender, bought)
    return text
