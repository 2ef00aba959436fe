"""The book of rules: every rule of the law on tendering that this platform answers for, by number.

An entry says what the law demands, in which articles, of which kinds of procedure, and how firmly
we may hold anybody to it. It does not say which code carries it out: the functions name the numbers
they carry out (`@under(..., rule="NO-09")`), and a test holds book and functions together. Where a
rule is not judged but built in, `built_in` names what holds it and `proof` the test that shows it.

What nobody here has read in its own text (`memory`) warns and never refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    COMPLAINT_MEASURES,
    CONDUCT_OPINIONS,
    CONSULTATION_MEASURES,
    E_BIDDING_MEASURES,
    FAIR_COMPETITION_RULES,
    LAND_GRANT_PROVISIONS,
    LAND_SUPPLY_NOTICE,
    LARGE_WORKS_PROVISIONS,
    NINGBO_REGULATION,
    NON_TENDER_MEASURES,
    NOTICE_MEASURES,
    PRIVACY_LAW,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    SCOPE_PROVISIONS,
    SIGNATURE_LAW,
    SME_PAYMENT_REGULATION,
    TRADING_PLATFORM_MEASURES,
    Article,
    Provenance,
    Severity,
)


class Bound(StrEnum):
    """The kinds of procedure that a rule can bind."""

    MANDATORY = "tendering_mandatory"
    VOLUNTARY = "tendering_voluntary"
    PROCUREMENT = "procurement"
    LISTING = "listing"


BOUND_NAMES: Final[Mapping[Bound, tuple[str, str]]] = MappingProxyType(
    {
        Bound.MANDATORY: ("依法必须招标", "mandatory tendering"),
        Bound.VOLUNTARY: ("自愿招标", "voluntary tendering"),
        Bound.PROCUREMENT: ("政府采购", "government procurement"),
        Bound.LISTING: ("挂牌竞价", "online listing"),
    }
)

MANDATORY: Final = frozenset({Bound.MANDATORY})
TENDERING: Final = frozenset({Bound.MANDATORY, Bound.VOLUNTARY})
PROCUREMENT: Final = frozenset({Bound.PROCUREMENT})
MANDATORY_AND_PROCUREMENT: Final = MANDATORY | PROCUREMENT
ALL: Final = TENDERING | PROCUREMENT
LISTING: Final = frozenset({Bound.LISTING})
EVERYBODY: Final = ALL | LISTING


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule: its number, what the law says, where, and whom it binds.

    `warns` says that we only warn although the text is known: because facts the platform cannot
    know decide, or because a refusal would harm whom the rule protects.
    """

    id: str
    says: str
    articles: tuple[Article, ...]
    binds: frozenset[Bound]
    warns: bool = False
    built_in: str = ""
    proof: str = ""

    @property
    def provenance(self) -> Provenance:
        """The weakest provenance among its articles."""
        return min(article.provenance for article in self.articles)

    @property
    def severity(self) -> Severity:
        """Whether it refuses or only warns; what is known from memory alone never refuses."""
        if self.warns or self.provenance is Provenance.MEMORY:
            return Severity.WARN
        return Severity.BLOCK

    @property
    def since(self) -> date | None:
        """The day from which all its instruments bind; None where no such day is known."""
        return max(
            (one.instrument.in_force_from for one in self.articles if one.instrument.in_force_from),
            default=None,
        )

    @property
    def until(self) -> date | None:
        """The last day on which all its instruments bind; None where no end is set."""
        return min(
            (one.instrument.in_force_to for one in self.articles if one.instrument.in_force_to),
            default=None,
        )


LAW, REG, EB = BIDDING_LAW, BIDDING_REGULATION, E_BIDDING_MEASURES
GPL, GPR, GPT = PROCUREMENT_LAW, PROCUREMENT_REGULATION, PROCUREMENT_TENDER_MEASURES

_SCOPE: Final = (
    Entry(
        "SC-01",
        "使用预算资金200万元以上且占投资额10%以上，或者国有企业事业单位资金占控股、主导地位，"
        "或者使用国际组织、外国政府贷款援助资金的项目，必须招标",
        (LAW[3], SCOPE_PROVISIONS[2], SCOPE_PROVISIONS[3]),
        MANDATORY,
    ),
    Entry(
        "SC-02",
        "施工单项合同估算价400万元以上、货物200万元以上、勘察设计监理100万元以上必须招标；"
        "同一项目中可以合并进行的，合计计算",
        (SCOPE_PROVISIONS[5],),
        MANDATORY,
    ),
    Entry(
        "SC-03",
        "不使用国有资金的大型基础设施、公用事业项目，限于五类必须招标",
        (LARGE_WORKS_PROVISIONS[2],),
        MANDATORY,
    ),
    Entry(
        "SC-04",
        "不得将必须招标的项目化整为零；同一预算年度内以非公开招标方式采购同一品目，"
        "累计超过公开招标数额标准的，属于化整为零",
        (LAW[4], GPR[28]),
        MANDATORY_AND_PROCUREMENT,
    ),
    Entry(
        "SC-05",
        "国有资金占控股或者主导地位的依法必须招标项目应当公开招标；只有两种情形可以邀请招标",
        (REG[8],),
        MANDATORY,
    ),
    Entry("SC-06", "只有法定情形可以不招标", (LAW[66], REG[9]), MANDATORY),
    Entry("SC-07", "邀请招标应当向三个以上具备能力、资信良好的单位发出邀请", (LAW[17],), TENDERING),
    Entry(
        "SC-08",
        "政府采购邀请招标应当随机选取三家以上；从供应商库或者书面推荐中选取的，"
        "备选不少于拟选数量的两倍；随机抽取应当有不少于两名工作人员在场，记录存档",
        (GPT[14],),
        PROCUREMENT,
    ),
    Entry(
        "SC-09",
        "招标代理机构不得在所代理的项目中投标、代理投标，也不得为投标人提供咨询",
        (REG[13],),
        TENDERING,
    ),
    Entry(
        "SC-10",
        "不得以不合理的条件限制、排斥潜在投标人：与项目无关的条件、特定区域或者行业的业绩奖项、"
        "特定品牌专利原产地、所有制或者组织形式等",
        (REG[32], GPR[20]),
        ALL,
    ),
    Entry(
        "SC-11",
        "不得将注册资本、资产总额、营业收入、从业人员、利润、纳税额等规模条件作为资格要求或者"
        "评审因素；除进口货物外不得要求生产厂家授权",
        (GPT[17],),
        PROCUREMENT,
    ),
    Entry(
        "SC-12",
        "依法必须招标项目不得以注册地址、所有制、市场占有率、特定区域业绩、非强制资质认证、"
        "设立本地分支机构、本地缴税社保等排斥投标人；不得设置报名等环节",
        (CONDUCT_OPINIONS[1], CONDUCT_OPINIONS[3], EB[20]),
        MANDATORY,
    ),
    Entry(
        "SC-13",
        "依法必须招标项目应当采用全流程电子化交易",
        (CONDUCT_OPINIONS[2],),
        MANDATORY,
        built_in="trading.rules.lot_lifecycle",
        proof="tests/trading/test_lot_lifecycle.py",
    ),
    Entry(
        "SC-14",
        "不得强制使用特定的交易系统、数字证书或者工具，不得限定保函形式或者出具机构，"
        "不得设置预选名单，不得以抽签摇号方式确定中标人",
        (FAIR_COMPETITION_RULES[6], FAIR_COMPETITION_RULES[9]),
        ALL,
    ),
)

_NOTICE: Final = (
    Entry(
        "NO-01",
        "依法必须招标项目的公告应当在法定媒介发布，不同媒介内容一致，不得收费",
        (REG[15], EB[17]),
        MANDATORY,
    ),
    Entry(
        "NO-02",
        "招标公告应当载明法定内容，包括电子招标投标交易平台的网址和方法",
        (LAW[16], EB[17], NOTICE_MEASURES[5]),
        ALL,
    ),
    Entry(
        "NO-03",
        "公告文本应当由招标人或者其代理机构盖章，主要负责人或者其授权的项目负责人签名；"
        "媒介应当自收到之日起12小时内发布",
        (NOTICE_MEASURES.read_as(10, Provenance.MEMORY),),
        TENDERING,
    ),
    Entry("NO-04", "招标文件的发售期不得少于5日", (REG[16],), TENDERING),
    Entry(
        "NO-05",
        "招标公告期限为5个工作日；提供招标文件的期限自开始之日起不得少于5个工作日",
        (GPT[16], GPT[18], GPR[31]),
        PROCUREMENT,
    ),
    Entry(
        "NO-06",
        "提交资格预审申请文件的时间，自资格预审文件停止发售之日起不得少于5日",
        (REG[17],),
        MANDATORY,
    ),
    Entry(
        "NO-07",
        "提交资格预审申请文件的时间，自公告发布之日起不得少于5个工作日",
        (GPR[21],),
        PROCUREMENT,
    ),
    Entry(
        "NO-08",
        "通过资格预审的申请人少于3个的，应当重新招标；未通过资格预审的不具有投标资格",
        (REG[19],),
        TENDERING,
    ),
    Entry(
        "NO-09",
        "自招标文件开始发出之日起至投标截止之日止，不得少于20日",
        (LAW[24], GPL[35]),
        MANDATORY_AND_PROCUREMENT,
    ),
    Entry(
        "NO-10",
        "可能影响投标文件编制的澄清或者修改，应当在投标截止15日前（资格预审3日前）通知；"
        "不足的应当顺延；政府采购不得改变采购标的和资格条件",
        (LAW[23], REG[21], EB[22], GPT[27]),
        ALL,
    ),
    Entry(
        "NO-11",
        "对资格预审文件的异议应当在截止2日前提出，对招标文件的异议应当在截止10日前提出；"
        "招标人3日内答复，答复前暂停",
        (REG[22],),
        TENDERING,
    ),
    Entry(
        "NO-12",
        "招标文件的内容违法且影响投标的，应当修改后重新招标",
        (REG[23],),
        MANDATORY,
    ),
    Entry("NO-13", "应当载明投标有效期，自投标截止之日起算", (REG[25], GPT[23]), ALL),
    Entry(
        "NO-14",
        "投标保证金不得超过招标项目估算价的2%；有效期与投标有效期一致；"
        "依法必须招标项目境内投标单位以现金或者支票提交的，应当从其基本账户转出",
        (REG[26],),
        TENDERING,
    ),
    Entry(
        "NO-15",
        "投标保证金不得超过采购项目预算金额的2%，并应当以非现金形式提交",
        (GPR[33],),
        PROCUREMENT,
    ),
    Entry(
        "NO-16",
        "不得强制要求以现金提交保证金，应当接受金融机构保函；工程建设只有四类法定保证金",
        (SME_PAYMENT_REGULATION[13],),
        ALL,
    ),
    Entry(
        "NO-17",
        "设有最高投标限价的，应当明确限价或者其计算方法；不得规定最低投标限价",
        (REG[27], GPT[12]),
        ALL,
    ),
    Entry(
        "NO-18",
        "一个招标项目只能有一个标底，标底必须保密，开标时公布，只作参考",
        (REG[27], REG[50]),
        TENDERING,
    ),
    Entry("NO-19", "不得组织单个或者部分潜在投标人踏勘现场", (REG[28],), TENDERING),
    Entry(
        "NO-20",
        "两阶段招标第一阶段提交不带报价的技术建议；投标保证金只能在第二阶段提出",
        (REG[30],),
        TENDERING,
    ),
    Entry(
        "NO-21",
        "终止招标应当及时发布公告，退还费用、保证金及银行同期存款利息；"
        "政府采购5个工作日内退还并报告财政部门",
        (REG[31], GPT[29]),
        ALL,
    ),
    Entry(
        "NO-22",
        "投标截止前，不得向任何单位和个人泄露获取招标文件的潜在投标人的名称、数量",
        (LAW[22], EB[21], GPT[28]),
        ALL,
        built_in="kernel.store.views",
        proof="tests/web/test_route_matrix.py",
    ),
    Entry(
        "NO-23",
        "应当使用标准文本；数据电文形式的招标文件应当标准化、格式化",
        (REG[15], EB[19]),
        ALL,
    ),
    Entry(
        "NO-24",
        "招标文件应当载明预算、评审因素、信用记录查询渠道与使用规则；实质性要求应当以醒目方式标明",
        (GPT[20], GPR[30]),
        PROCUREMENT,
    ),
    Entry(
        "NO-25",
        "招标文件收费仅限于印刷、邮寄成本；电子交易平台不得强制购买工具软件或者设置前置条件",
        (REG[16], EB[16], EB[20]),
        ALL,
    ),
)

_BIDDING: Final = (
    Entry(
        "BI-01",
        "未按规定加密的投标文件，电子招标投标交易平台应当拒收并提示",
        (EB[26],),
        ALL,
    ),
    Entry(
        "BI-02",
        "投标截止时未完成传输的，视为撤回；截止后送达的，应当拒收",
        (EB[27], LAW[28], GPT[33]),
        ALL,
    ),
    Entry(
        "BI-03",
        "收到投标文件应当即时发出回执；投标截止前任何单位和个人不得解密、提取",
        (EB[27],),
        ALL,
        built_in="kernel.crypto.sealing",
        proof="tests/kernel/test_sealing.py",
    ),
    Entry(
        "BI-04",
        "投标截止前可以撤回；保证金应当在5日（政府采购5个工作日）内退还",
        (REG[35], GPT[38]),
        ALL,
    ),
    Entry("BI-05", "投标截止后撤销投标文件的，可以不退还投标保证金", (REG[35], GPT[23]), ALL),
    Entry(
        "BI-06",
        "单位负责人为同一人或者存在控股、管理关系的不同单位，不得参加同一标段投标",
        (REG[34],),
        TENDERING,
    ),
    Entry(
        "BI-07",
        "单位负责人为同一人或者存在直接控股、管理关系的，不得参加同一合同项下的采购；"
        "提供设计、规范编制、监理等服务的不得再参加",
        (GPR[18],),
        PROCUREMENT,
    ),
    Entry(
        "BI-08",
        "交易平台运营机构及与其有控股、管理关系的，不得在该平台投标或者代理投标",
        (EB[23],),
        ALL,
    ),
    Entry(
        "BI-09",
        "联合体应当提交共同投标协议；同一专业按等级较低者确定；资格预审后不得增减、更换成员；"
        "成员不得再单独或者参加其他联合体投标；承担连带责任",
        (LAW[31], REG[37]),
        TENDERING,
    ),
    Entry(
        "BI-10",
        "投标人发生合并、分立、破产等重大变化的，应当及时书面告知；不再具备资格的，投标无效",
        (REG[38],),
        TENDERING,
    ),
    Entry(
        "BI-11",
        "不得以他人名义投标或者弄虚作假骗取中标",
        (REG[42],),
        TENDERING,
        warns=True,
    ),
    Entry("BI-12", "投标人少于3个的，不得开标，应当重新招标", (LAW[28], REG[44], GPT[43]), ALL),
    Entry("BI-13", "数据电文进入指定系统的时间，视为接收时间", (SIGNATURE_LAW[11],), ALL),
)

_OPENING: Final = (
    Entry("OP-01", "开标应当在投标截止的同一时间公开进行", (LAW[34], EB[29]), ALL),
    Entry(
        "OP-02",
        "平台自动提取全部投标文件，按时在线解密；全部解密后公布名称、价格等内容",
        (EB[30], LAW[36]),
        ALL,
    ),
    Entry(
        "OP-03",
        "因投标人原因未解密的，视为撤销；因其他原因的，视为撤回，并可以要求赔偿",
        (EB[31],),
        ALL,
    ),
    Entry(
        "OP-04",
        "开标记录应当向社会公众公布",
        (EB[32],),
        ALL,
        built_in="trading.opening_views",
        proof="tests/web/test_opening_record.py",
    ),
    Entry("OP-05", "对开标的异议应当当场提出，当场答复，并记录", (REG[44],), TENDERING),
    Entry(
        "OP-06",
        "评标委员会成员不得参加开标活动；未参加开标的视同认可结果；全程录音录像",
        (GPT[39], GPT[40], GPT[41], GPT[42]),
        PROCUREMENT,
        warns=True,
    ),
    Entry("OP-07", "截止前收到的所有投标文件都应当当众拆封、宣读，并记录存档", (LAW[36],), ALL),
    Entry(
        "OP-08",
        "以国家授时中心标准时间为准，并显示时钟",
        (EB.read_as(29, Provenance.SECONDARY),),
        ALL,
        built_in="kernel.clock",
        proof="tests/trading/test_due_lots.py",
    ),
)

_AWARD: Final = (
    Entry(
        "AW-01",
        "自收到评标报告之日起3日内公示中标候选人，公示期不得少于3日",
        (REG[54],),
        MANDATORY,
    ),
    Entry("AW-02", "中标候选人公示应当载明法定内容", (NOTICE_MEASURES[6],), MANDATORY),
    Entry(
        "AW-03",
        "对评标结果的异议应当在公示期间提出，3日内答复，答复前暂停",
        (REG[54],),
        MANDATORY,
    ),
    Entry(
        "AW-04",
        "国有资金占控股或者主导地位的，应当确定排名第一的中标候选人为中标人；"
        "只有法定情形可以依次确定其他候选人，或者重新招标",
        (REG[55],),
        MANDATORY,
    ),
    Entry(
        "AW-05",
        "候选人经营、财务状况发生较大变化或者存在违法行为，可能影响履约的，"
        "应当在发出中标通知书前由原评标委员会审查确认",
        (REG[56],),
        TENDERING,
    ),
    Entry(
        "AW-06",
        "不得在评标委员会推荐的中标候选人以外确定中标人",
        (LAW[57],),
        TENDERING,
    ),
    Entry(
        "AW-07",
        "确定中标人前，不得与投标人就价格、方案等实质性内容谈判",
        (LAW[43],),
        TENDERING,
        built_in="trading.rules.lot_lifecycle",
        proof="tests/trading/test_lot_lifecycle.py",
    ),
    Entry(
        "AW-08",
        "发出中标通知书的同时，应当将中标结果通知所有未中标的投标人",
        (LAW[45], EB[36]),
        ALL,
    ),
    Entry(
        "AW-09",
        "自确定中标人之日起15日内，向行政监督部门提交招标投标情况的书面报告",
        (LAW[47],),
        MANDATORY,
    ),
    Entry(
        "AW-10",
        "代理机构2个工作日内送交评审报告，采购人5个工作日内按顺序确定，"
        "2个工作日内公告结果，公告期限1个工作日",
        (GPR[43], GPT[68], GPT[69]),
        PROCUREMENT,
    ),
    Entry(
        "AW-11",
        "自中标通知书发出之日起30日内，按照招标文件和投标文件订立书面合同",
        (LAW[46], REG[57], GPT[71], EB[36]),
        ALL,
    ),
    Entry(
        "AW-12",
        "最迟应当在合同签订后5日内退还投标保证金及银行同期存款利息",
        (REG[57],),
        TENDERING,
    ),
    Entry(
        "AW-13",
        "未中标的，自中标通知书发出之日起5个工作日内退还保证金；中标的，自合同签订之日起5个工作日内",
        (GPT[38],),
        PROCUREMENT,
    ),
    Entry("AW-14", "履约保证金不得超过合同金额的10%", (REG[58], GPR[48]), ALL),
    Entry(
        "AW-15",
        "政府采购合同2个工作日内公告，7个工作日内备案；补充合同累计不超过原合同金额的10%",
        (GPR[50], GPL[47], GPL[49]),
        PROCUREMENT,
    ),
    Entry(
        "AW-16",
        "中标人无正当理由不订立合同、提出附加条件或者不提交履约保证金的，"
        "取消中标资格，保证金不予退还",
        (REG[74],),
        TENDERING,
    ),
    Entry("AW-17", "不得转包、肢解转包，不得违法分包", (LAW[48], REG[59]), TENDERING, warns=True),
    Entry(
        "AW-18",
        "机关、事业单位从中小企业采购的，应当自交付之日起30日内付款，最长不超过60日",
        (SME_PAYMENT_REGULATION[9],),
        PROCUREMENT,
        warns=True,
    ),
    Entry(
        "AW-19",
        "鼓励通过平台公开合同订立、履行与变更",
        (CONDUCT_OPINIONS[7], EB[37], EB[41]),
        ALL,
        warns=True,
    ),
    Entry(
        "AW-20",
        "评定分离的，招标文件应当载明定标方法和定标因素，招标人按其定标并说明理由",
        (LAW[19], LAW[40]),
        TENDERING,
    ),
    Entry(
        "AW-21",
        "不得采用抽签、摇号、抓阄等方式直接选择中标人",
        (CONDUCT_OPINIONS[2],),
        TENDERING,
    ),
    Entry(
        "AW-22",
        "国有资金占控股或者主导地位的依法必须招标项目，评定分离仅以试点规定为依据",
        (REG[55],),
        MANDATORY,
        warns=True,
    ),
    Entry(
        "AW-23",
        "供应商拒绝签订合同的，可以按照候选人名单排序确定下一候选人，也可以重新采购；"
        "中标无效而尚未签订合同的，从合格候选人中另行确定",
        (GPR[49], GPR[71]),
        PROCUREMENT,
    ),
)

_REDRESS: Final = (
    Entry(
        "CO-01",
        "自知道或者应当知道之日起10日内投诉，应当有明确的请求和必要的证明材料；"
        "就招标文件、开标、评标结果投诉的，应当先提出异议，异议答复期间不计算在内",
        (REG[60],),
        TENDERING,
    ),
    Entry(
        "CO-02",
        "行政监督部门3个工作日内决定是否受理，受理之日起30个工作日内作出书面处理决定；"
        "必要时可以责令暂停",
        (REG[61], REG[62]),
        TENDERING,
    ),
    Entry(
        "CO-03",
        "投诉书应当载明双方名称联系方式、基本事实、请求与主张、有效线索和证明材料；"
        "法人投诉的应当由法定代表人签字并盖章",
        (COMPLAINT_MEASURES[7],),
        TENDERING,
    ),
    Entry(
        "CO-04",
        "无利害关系、事项不具体且无线索、未署名、超过时效、已处理且无新证据、"
        "应先提出异议而未提出、已进入复议诉讼的，不予受理",
        (COMPLAINT_MEASURES[12],),
        TENDERING,
    ),
    Entry(
        "CO-05",
        "两名以上工作人员调查；处理决定应当载明事实、依据和救济途径；投诉人可以撤回",
        (COMPLAINT_MEASURES[15], COMPLAINT_MEASURES[19]),
        TENDERING,
    ),
    Entry(
        "CO-06",
        "捏造事实、伪造材料或者以非法手段取得证明材料投诉的，驳回；政府采购禁止参加一至三年",
        (REG[61], REG[77], GPR[73]),
        ALL,
    ),
    Entry(
        "CO-07",
        "询问3个工作日内答复；7个工作日内质疑，7个工作日内答复；"
        "15个工作日内投诉，30个工作日内处理；暂停不超过30日",
        (GPL[51], GPL[52], GPL[53], GPL[55], GPL[56], GPL[57], GPR[52]),
        PROCUREMENT,
    ),
    Entry(
        "CO-08",
        "应知其权益受到损害之日：采购文件为收到之日或者公告期限届满之日，"
        "采购过程为各程序环节结束之日，结果为公告期限届满之日",
        (GPR[53],),
        PROCUREMENT,
    ),
    Entry(
        "CO-09",
        "异议及其答复应当通过交易平台，投诉应当通过行政监督平台进行",
        (EB[39], EB[51]),
        ALL,
        built_in="trading.objecting",
        proof="tests/trading/test_objecting.py",
    ),
    Entry(
        "CO-10",
        "对客观分的异议或者投诉成立的，由原评标委员会复核，评标基准价不变",
        (CHONGQING_REGULATION[44],),
        TENDERING,
        warns=True,
    ),
)

_PLATFORM: Final = (
    Entry(
        "PL-02",
        "应当记录所有操作的时间、网络地址和操作人员，任何单位和个人不得伪造、篡改或者损毁",
        (EB[49],),
        ALL,
        built_in="kernel.store.journal",
        proof="tests/kernel/test_sequencer.py",
    ),
    Entry(
        "PL-03",
        "公告、文件、澄清、投标、评标报告、通知书、合同等数据电文应当进行电子签名并归档",
        (EB[40],),
        ALL,
        built_in="kernel.crypto.signing",
        proof="tests/kernel/test_signing.py",
    ),
    Entry(
        "PL-06",
        "应当允许社会公众、市场主体免费注册、获取依法公开的信息",
        (EB[9], EB[54]),
        ALL,
        built_in="web.routes.public_hall",
        proof="tests/web/test_public_hall.py",
    ),
    Entry(
        "PL-07",
        "平台运营机构应当对首次录入的信息进行核验，采取身份识别、权限控制等措施",
        (EB[13], EB[14]),
        ALL,
    ),
    Entry(
        "PL-08",
        "数据电文与纸质文件具有同等效力，不一致时以数据电文为准",
        (EB[2], EB[62]),
        ALL,
        built_in="trading.tables",
        proof="tests/trading/test_tendering.py",
    ),
    Entry(
        "PL-09",
        "采购文件从采购结束之日起至少保存15年",
        (GPL[42], GPR[46]),
        PROCUREMENT,
    ),
    Entry(
        "PL-10",
        "招标投标档案保存期限：国家没有统一年限，平台默认15年",
        (CHONGQING_REGULATION[38],),
        TENDERING,
        warns=True,
    ),
    Entry(
        "PL-12",
        "交易场所不得与监管部门存在隶属关系，不得营利，不得设置限制，"
        "开标前不得泄露投标保证金缴纳情况",
        (REG[5], TRADING_PLATFORM_MEASURES[18]),
        ALL,
    ),
    Entry(
        "PL-14",
        "处理敏感个人信息应当取得单独同意，保存期限为实现目的所必要的最短时间，到期删除",
        (PRIVACY_LAW[19], PRIVACY_LAW[28], PRIVACY_LAW[29], PRIVACY_LAW[47]),
        EVERYBODY,
    ),
    Entry(
        "PL-15",
        "行政监督部门通过平台发出的监督指令应当执行",
        (EB[52],),
        ALL,
    ),
    Entry(
        "PL-16",
        "因系统故障无法继续的，应当中止交易，故障排除后恢复",
        (NINGBO_REGULATION[25],),
        EVERYBODY,
    ),
)

_NON_TENDER: Final = (
    Entry(
        "NB-01",
        "谈判、询价小组3人以上单数，评审专家不少于三分之二；达到公开招标数额标准的5人以上单数",
        (NON_TENDER_MEASURES[7],),
        PROCUREMENT,
    ),
    Entry(
        "NB-02",
        "应当邀请不少于3家符合条件的供应商",
        (NON_TENDER_MEASURES[12], CONSULTATION_MEASURES[6]),
        PROCUREMENT,
    ),
    Entry(
        "NB-03",
        "自谈判文件、询价通知书发出之日起至首次响应截止不得少于3个工作日",
        (NON_TENDER_MEASURES[29], NON_TENDER_MEASURES[45]),
        PROCUREMENT,
    ),
    Entry(
        "NB-04",
        "谈判成交：满足需求、质量和服务相等且报价最低",
        (GPL[38],),
        PROCUREMENT,
    ),
    Entry("NB-05", "询价应当一次报出不得更改的价格，最低者成交", (GPL[40], GPR[36]), PROCUREMENT),
    Entry(
        "NB-06",
        "达到公开招标数额标准、只能从唯一供应商采购的，公示期不得少于5个工作日",
        (GPR[38],),
        PROCUREMENT,
    ),
    Entry("NB-07", "非招标方式的报告、确定、公告、合同期限", (GPR[43],), PROCUREMENT),
    Entry(
        "NB-08",
        "磋商文件发出至首次响应截止不得少于10日；货物价格权值30%至60%，服务10%至30%",
        (CONSULTATION_MEASURES[10], CONSULTATION_MEASURES[24]),
        PROCUREMENT,
    ),
    Entry(
        "NB-09",
        "只有法定情形可以采用竞争性谈判、单一来源或者询价",
        (GPL[30], GPL[31], GPL[32]),
        PROCUREMENT,
    ),
    Entry(
        "NB-10",
        "小组与供应商分别谈判（磋商）；谈判结束后，要求所有参加的供应商在规定时间内最后报价一次，"
        "截止前任何人不得知悉",
        (GPL[3], GPL[38]),
        PROCUREMENT,
    ),
    Entry(
        "NB-11",
        "给予所有参加谈判（磋商）的供应商平等的机会；提交最后报价的不少于3家，法定情形2家",
        (NON_TENDER_MEASURES[31], NON_TENDER_MEASURES[33], CONSULTATION_MEASURES[21]),
        PROCUREMENT,
    ),
    Entry("NB-12", "只有规定情形可以采用竞争性磋商", (CONSULTATION_MEASURES[3],), PROCUREMENT),
    Entry(
        "NB-13",
        "谈判的任何一方不得透露与谈判有关的其他供应商的技术资料、价格和其他信息",
        (GPL[38],),
        PROCUREMENT,
        built_in="trading.opening",
        proof="tests/journeys/test_negotiation.py",
    ),
    Entry(
        "NB-14",
        "单一来源公示应附专业人员论证意见；收到异议的，组织补充论证并答复",
        (NON_TENDER_MEASURES[38], NON_TENDER_MEASURES[40]),
        PROCUREMENT,
    ),
    Entry(
        "NB-15",
        "单一来源采购在保证质量和双方商定合理价格的基础上进行，不得超出预算，并作记录",
        (GPL[6], GPL[39], GPL[42]),
        PROCUREMENT,
    ),
    Entry(
        "NB-16",
        "组织具有相关经验的专业人员与供应商商定价格，全体采购人员签字确认协商情况记录",
        (NON_TENDER_MEASURES[41],),
        PROCUREMENT,
    ),
)

_LISTING: Final = (
    Entry(
        "LA-01",
        "工业、商业、旅游、娱乐和商品住宅等经营性用地应当招标、拍卖、挂牌出让",
        (LAND_GRANT_PROVISIONS[4],),
        LISTING,
    ),
    Entry("LA-02", "应当至少在挂牌开始日前20日发布公告", (LAND_GRANT_PROVISIONS[8],), LISTING),
    Entry("LA-03", "底价由出让人确定，挂牌结束前保密", (LAND_GRANT_PROVISIONS[10],), LISTING),
    Entry(
        "LA-07",
        "公布挂牌价格、规则和增价幅度；每次报价更新显示价格；挂牌时间不得少于10日",
        (LAND_GRANT_PROVISIONS[17], LAND_GRANT_PROVISIONS[18]),
        LISTING,
    ),
    Entry(
        "LA-08",
        "期限届满有人愿意继续竞价的，转入竞价，出价最高者为竞得人；"
        "一人报价不低于底价的成交；出价相同的，先提交者竞得",
        (LAND_GRANT_PROVISIONS[19],),
        LISTING,
    ),
    Entry(
        "LA-09",
        "竞得人的竞买保证金转作定金，其他竞买人的在5个工作日内退还，不计利息",
        (LAND_GRANT_PROVISIONS[20], LAND_GRANT_PROVISIONS[21]),
        LISTING,
    ),
    Entry("LA-10", "结果应当在10个工作日内公布", (LAND_GRANT_PROVISIONS[22],), LISTING),
    Entry(
        "LA-11",
        "提供虚假文件隐瞒事实，行贿、恶意串通等非法手段竞得的，竞得结果无效",
        (LAND_GRANT_PROVISIONS[25],),
        LISTING,
    ),
    Entry(
        "LA-12",
        "竞买保证金不得低于出让最低价的20%；合同应当在成交后10个工作日内签订",
        (LAND_SUPPLY_NOTICE[4],),
        LISTING,
    ),
)

RULE_BOOK: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        entry.id: entry
        for part in (
            *(_SCOPE, _NOTICE, _BIDDING, _OPENING),
            *(_AWARD, _REDRESS, _PLATFORM, _NON_TENDER, _LISTING),
        )
        for entry in part
    }
)
"""Every rule by its number."""

LEFT_OUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PL-01": "three kinds of platform, run by different bodies: nothing for a program to judge",
        "PL-04": "where the server stands and who certified it: its operator's to show",
        "PL-05": "open interfaces and technical neutrality: shown by the API and the formats",
        "PL-11": "what media that reprint a notice must do: they are not this platform",
        "PL-13": "archiving of records by the trading place; see PL-09 and PL-10",
    }
)
"""Rules of the same chapters that no function of ours could carry out, and why."""

UNASKED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "blacklist.rules.bar_terms.fine_range": "fines are set and kept by the authority; here are"
        " the bounds for whoever checks one",
        "expert_pool.rules.recusal.same_employer_cautions": "local rules alone ask for it, and no"
        " draw is told which of them binds it",
        "expert_pool.rules.strata.fallback_refusals": "a stratum that ran dry is widened by a new"
        " draw, whose steps nobody records yet",
        "trading.rules.bidder_independence.change_refusals": "no act tells of a bidder's merger,"
        " split or insolvency; the committee rejects one that no longer qualifies",
        "trading.rules.bidder_independence.misrepresentation_cautions": "what the library knows of"
        " a paper is told by `reference_cautions`; whose name it bears is the committee's to read",
        "trading.rules.listing_protocol.openness_cautions": "whatever is listed here goes openly;"
        " what is to go by agreement is never entered",
        "trading.rules.opening_attendance.attendance_cautions": "nothing records sound and picture"
        " or sees who is in the hall",
        "trading.rules.procurement_methods.lowest_that_meets": "the ranking of an evaluation finds"
        " the lowest price that meets the demand",
        "trading.rules.procurement_methods.supplier_cautions": "`invitation_cautions` warns of it"
        " for those who are invited by name; a notice asks whoever comes",
        "trading.rules.publication_media.media_refusals": "other media are not connected: what they"
        " show and charge is not read here",
        "trading.rules.publication_media.medium_cautions": "other media are not connected; that a"
        " notice is signed is judged by its own rule",
    }
)
"""Registered rules that no act, view or page asks yet, and why: the one list of such promises."""


def rules_binding(bound: Bound, *, on: date) -> tuple[Entry, ...]:
    """The rules that bind a kind of procedure on a day, in the order of the book."""
    return tuple(
        entry
        for entry in RULE_BOOK.values()
        if bound in entry.binds
        and (entry.since is None or entry.since <= on)
        and (entry.until is None or on <= entry.until)
    )
