"""Standard texts from which a tender file is begun, one for each category and family of law.

A template is a list of blocks with gaps in 【】, dated by the version of the law it was written
for; a file says which template and version it began from. The words are the platform's own and no
official model text: where a ministry's standard text is demanded, the owner puts its words in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import BIDDING_LAW, InForce, Regime, under
from trading.rules.notice_contents import WorkKind
from trading.rules.tender_file import Block, BlockKind, FileTerms, TenderDocument

_GAP: Final = re.compile(r"【([^】]{1,60})】")


@dataclass(frozen=True, slots=True)
class Template:
    """A standard text: its name and version, and its blocks with gaps."""

    name: str
    blocks: tuple[Block, ...]


_NOTICE, _RULES = BlockKind.NOTICE, BlockKind.INSTRUCTIONS
_QUALIFICATION, _EVALUATION = BlockKind.QUALIFICATION, BlockKind.EVALUATION
_BILL, _CONTRACT, _OPENING = BlockKind.BILL, BlockKind.CONTRACT, BlockKind.OPENING

_COMMON: Final = (
    Block(
        _NOTICE,
        "1.1",
        "招标条件",
        "【项目名称】已具备招标条件，资金来源为【资金来源】，现进行公开招标。",
    ),
    Block(
        _NOTICE,
        "1.2",
        "项目概况与招标范围",
        "实施地点：【实施地点】。内容与规模：【内容与规模】。实施时间：【实施时间】。",
    ),
    Block(
        _NOTICE,
        "1.3",
        "招标文件的获取",
        "凡有意参加的单位，登录电子招标投标交易平台免费下载招标文件，无须办理其他手续。",
    ),
    Block(
        _NOTICE,
        "1.4",
        "投标文件的递交",
        "投标文件应当在投标人自己的设备上加密，于投标截止时间前通过平台递交；逾期的，平台拒收。",
    ),
    Block(
        _RULES,
        "2.1",
        "投标有效期",
        "投标有效期为投标截止之日起【投标有效期】日。需要延长的，招标人书面通知所有投标人；"
        "同意延长的，不得修改投标文件的实质性内容；拒绝延长的，其投标失效，保证金退还。",
    ),
    Block(
        _RULES,
        "2.2",
        "投标保证金",
        "投标保证金为【投标保证金】元，可以采用银行转账、支票、银行保函、担保机构保函或者保证保险。"
        "出具机构由投标人自行选择。",
    ),
    Block(
        _RULES,
        "2.3",
        "澄清与修改",
        "对招标文件有疑问的，可以在平台上匿名提问。可能影响投标文件编制的澄清或者修改，"
        "在投标截止时间至少15日前发布；不足的，顺延投标截止时间。",
    ),
    Block(
        _RULES,
        "2.4",
        "现场踏勘",
        "所有潜在投标人均可自行踏勘现场，费用和风险自行承担。",
    ),
    Block(
        _RULES,
        "2.5",
        "联合体",
        "【是否接受联合体】联合体投标。接受的，应当提交共同投标协议，同一专业按照资质等级较低者确定等级。",
    ),
    Block(
        _QUALIFICATION,
        "3.1",
        "基本要求",
        "投标人应当是依法成立的法人或者其他组织，具有独立承担民事责任的能力，未处于禁止投标期内。",
        essential=True,
    ),
    Block(
        _EVALUATION,
        "4.1",
        "评标方法",
        "采用【评标方法】。评审因素、权重和计算方法见评标办法数据文件，未列明的不作为评标依据。",
    ),
    Block(
        _EVALUATION,
        "4.2",
        "否决投标",
        "有法律、法规规定的应当否决情形的，经评标委员会全体成员过半数同意，否决其投标，"
        "并写明理由和所在页码。",
    ),
    Block(
        _OPENING,
        "7.1",
        "开标",
        "开标在投标截止的同一时间于平台在线进行。投标人在解密时间内自行解密；"
        "因投标人原因未解密的，视为撤销；因其他原因未解密的，视为撤回。",
    ),
)

_TENDERING: Final = (
    Block(
        _RULES,
        "2.6",
        "异议与投诉",
        "对招标文件的异议应当在投标截止时间10日前提出，招标人3日内答复，答复前暂停招标活动。"
        "对答复不满意的，可以依法向行政监督部门投诉。",
    ),
)

_PROCUREMENT: Final = (
    Block(
        _RULES,
        "2.6",
        "询问、质疑与投诉",
        "供应商对采购活动有疑问的，可以询问；认为权益受到损害的，可以在知道或者应知之日起7个工作日内质疑；"
        "对答复不满意的，可以在答复期满后15个工作日内投诉。",
    ),
    Block(
        _QUALIFICATION,
        "3.3",
        "信用记录",
        "信用记录查询渠道、截止时点和使用规则见本文件所附数据。",
    ),
    Block(
        _RULES,
        "2.7",
        "政府采购政策",
        "落实促进中小企业发展、节约能源、保护环境等政府采购政策，价格扣除比例见评标办法数据文件。",
    ),
)

_OF_KIND: Final[Mapping[WorkKind, tuple[Block, ...]]] = MappingProxyType(
    {
        WorkKind.WORKS: (
            Block(
                _QUALIFICATION,
                "3.2",
                "资质与人员",
                "投标人应当具有【施工资质】，项目经理应当具有【注册建造师】资格。",
                essential=True,
            ),
            Block(_BILL, "5.1", "工程量清单", "工程量清单见所附数据，按照图纸和计量规则编制。"),
            Block(
                _CONTRACT,
                "6.1",
                "合同价款与支付",
                "合同价款为中标价。工程款按月计量支付，预付款比例为【预付款比例】。",
            ),
            Block(
                _CONTRACT,
                "6.2",
                "质量与保修",
                "工程质量应当符合国家现行验收标准。质量保证金比例为【质量保证金比例】。",
            ),
        ),
        WorkKind.SURVEY_AND_DESIGN: (
            Block(
                _QUALIFICATION,
                "3.2",
                "资质与人员",
                "投标人应当具有【勘察设计资质】，项目负责人应当具有【注册资格】。",
                essential=True,
            ),
            Block(_BILL, "5.1", "任务书", "勘察设计范围、深度和成果要求见所附数据。"),
            Block(_CONTRACT, "6.1", "费用与支付", "合同价款为中标价，按照成果提交的阶段支付。"),
            Block(_CONTRACT, "6.2", "成果与责任", "成果归招标人使用，设计人对其质量负责。"),
        ),
        WorkKind.GOODS: (
            Block(
                _QUALIFICATION,
                "3.2",
                "供货能力",
                "投标人应当具有履行合同所必需的设备和专业技术能力。",
                essential=True,
            ),
            Block(
                _BILL, "5.1", "货物需求一览表", "名称、数量和技术参数见所附数据，参数均为性能要求。"
            ),
            Block(
                _CONTRACT, "6.1", "交货与验收", "交货时间【交货时间】，交货后【验收日数】日内验收。"
            ),
            Block(_CONTRACT, "6.2", "付款", "验收合格后30日内付款。"),
        ),
        WorkKind.SERVICES: (
            Block(
                _QUALIFICATION,
                "3.2",
                "服务能力",
                "投标人应当具有履行合同所必需的人员和专业技术能力。",
                essential=True,
            ),
            Block(_BILL, "5.1", "服务需求", "服务内容、标准和期限见所附数据。"),
            Block(_CONTRACT, "6.1", "考核与付款", "按季度考核，考核合格后30日内付款。"),
            Block(
                _CONTRACT, "6.2", "人员", "服务人员应当满足【服务人员要求】，更换须经采购人同意。"
            ),
        ),
    }
)

_VERSIONS: Final[Mapping[Regime, InForce[str]]] = MappingProxyType(
    {
        Regime.TENDERING: InForce({date(2013, 5, 1): "2013", date(2022, 9, 1): "2022"}),
        Regime.PROCUREMENT: InForce({date(2017, 10, 1): "2017"}),
    }
)
"""The version of each family's template: a new one where the law it was written for changed."""


def template_for(kind: WorkKind, regime: Regime, *, on: date) -> Template:
    """The standard text for such a thing under such a law on that day.

    `LookupError` before the first version; `ValueError` for a regime that tenders nothing.
    """
    if regime not in _VERSIONS:
        raise ValueError("a tender file is made under tendering or procurement")
    version = _VERSIONS[regime].on(on)
    own = _PROCUREMENT if regime is Regime.PROCUREMENT else _TENDERING
    return Template(f"{kind}-{regime}/{version}", in_order((*_COMMON, *own, *_OF_KIND[kind])))


def begun(template: Template, values: Mapping[str, str]) -> TenderDocument:
    """The file that begins from a template, with the gaps filled for which there are values."""
    blocks = tuple(filled(block, values) for block in template.blocks)
    return TenderDocument(blocks, (), FileTerms(template=template.name))


def in_order(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks by their numbers, 2.10 after 2.9."""
    return tuple(sorted(blocks, key=lambda block: _steps(block.number)))


def gaps(block: Block) -> tuple[str, ...]:
    """The gaps that a block still has, in their order."""
    return tuple(_GAP.findall(block.text))


def filled(block: Block, values: Mapping[str, str]) -> Block:
    """The block with the gaps filled for which there are values."""
    text = _GAP.sub(lambda gap: values.get(gap[1], gap[0]), block.text)
    return Block(block.kind, block.number, block.title, text, block.essential)


@under(BIDDING_LAW[19], rule="NO-23")
def gap_refusals(file: TenderDocument) -> list[Refusal]:
    """Every gap of the standard text that nobody has filled, with its block."""
    return [
        Refusal(
            "gap_left",
            BIDDING_LAW[19],
            f"第{block.number}节“{block.title}”中的空白尚未填写：{'、'.join(gaps(block))}",
            {"place": block.number},
        )
        for block in file.blocks
        if gaps(block)
    ]


def _steps(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))
