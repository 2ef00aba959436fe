"""Short guides: what each capacity does here, step by step, and where.

Each step leads to a page that the capacity may open; a test looks that it does. What a page itself
explains is not said again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kernel.access import Role
from web.words import Words


@dataclass(frozen=True, slots=True)
class GuideStep:
    """One thing to do, and the page on which it is done."""

    words: Words
    page: str


def _step(page: str, zh: str, en: str) -> GuideStep:
    return GuideStep(Words(zh, en), page)


_ENTERING: Final = _step(
    "/sign-in",
    "登录：用通行密钥或本机私钥；一人代表多个单位时，登录时选定身份。",
    "Sign in with a passkey or a key of this computer; who acts for several chooses one then.",
)

_TENDERING: Final = (
    _ENTERING,
    _step(
        "/desk/projects/new",
        "建立项目：填写交易方式、类别和估算；平台按交易目录提示是否必须招标。",
        "Enter the project: procedure, category, estimate; the catalogue says whether the law "
        "demands a tender.",
    ),
    _step(
        "/desk",
        "编写标段和招标文件：体检逐条给出规则、条款和位置；“试算评标办法”可先填入假想的投标。",
        "Write the lot and its documents: the check-up names rule, article and place, and the "
        "scheme can be tried on imagined bids.",
    ),
    _step(
        "/desk",
        "指定密钥保管人并签名发布；之后的澄清和顺延都要签名，并通知已下载文件的人。",
        "Name the custodians, sign and publish; every later change is signed and told to those "
        "who took the documents.",
    ),
    _step(
        "/openings",
        "截止后在开标大厅看解密和唱标；截止前谁投标、有几家，任何人都看不到。",
        "After the deadline watch the opening; before it nobody sees who bids or how many do.",
    ),
    _step(
        "/awards",
        "公示候选人，答复异议，公示期满后定标并发出中标通知书。",
        "Publish the candidates, answer objections, then award and send the notices.",
    ),
    _step(
        "/contracts",
        "订立合同、报告履约、公布审计结算价。",
        "Conclude the contract, report on it, publish the audited settlement.",
    ),
)

GUIDES: Final[Mapping[Role, tuple[GuideStep, ...]]] = MappingProxyType(
    {
        Role.PUBLIC: (
            _step(
                "/notices",
                "查找公告；页末可用 Atom、JSON Feed、日历或 CSV 订阅同一查找，无须注册。",
                "Find notices; the links below the list follow the same search without an account.",
            ),
            _step(
                "/openings",
                "观看开标：所有人同时看到同一张表。",
                "Watch an opening: everybody sees the same table at the same moment.",
            ),
            _step(
                "/awards",
                "查看候选人、结果和理由；未产生结果的标段另有一页说明原因。",
                "Read candidates, results and reasons; lots that came to none have a page of "
                "their own.",
            ),
            _step(
                "/contracts",
                "对照中标价、合同价和结算价。",
                "Compare award, contract and settlement.",
            ),
            _step(
                "/data",
                "整批取用数据。",
                "Take the data as a whole.",
            ),
            _step(
                "/verify",
                "核验通知书、合同等文件的编号和签名。",
                "Check the number and signatures of a paper.",
            ),
        ),
        Role.TENDEREE: _TENDERING,
        Role.AGENCY: _TENDERING,
        Role.BIDDER: (
            _step(
                "/register",
                "注册单位并等待中心核验；私钥在您的设备上生成，平台没有。",
                "Register and wait for the centre’s verification; your key is made on your own "
                "device, and the platform has none.",
            ),
            _ENTERING,
            _step(
                "/notices",
                "找到标段，获取招标文件；谁获取了文件，截止前不公布。",
                "Find a lot and take its documents; who took them is not told before the close.",
            ),
            _step(
                "/bids",
                "在本机加密并递交投标文件；截止前可以替换或撤回，每次都有签名的回执。",
                "Seal and submit your bid on your own computer; until the deadline it can be "
                "replaced or withdrawn, each time with a signed receipt.",
            ),
            _step(
                "/library",
                "把营业执照、资质和业绩存入资料库，投标时引用。",
                "Keep licences, qualifications and records in the library and cite them in bids.",
            ),
            _step(
                "/openings",
                "截止后在解密时间内到开标大厅释放自己的密钥；已同意托管的可由保管人代为解密。",
                "After the deadline release your key in the hall within the window; with escrow "
                "the custodians can do it for you.",
            ),
            _step(
                "/objections",
                "对文件、开标或结果提出异议；页面写明期限、需要附上什么和谁来答复。",
                "Object to documents, opening or result; the page says until when, with what, and "
                "who answers.",
            ),
            _step(
                "/complaints",
                "对答复不满意或逾期未答复的，向监督部门投诉。",
                "Complain to the supervisor where the answer does not satisfy or does not come.",
            ),
        ),
        Role.EXPERT: (
            _ENTERING,
            _step(
                "/me/consents",
                "对敏感个人信息的使用作出同意或不同意。",
                "Say what your sensitive data may be used for.",
            ),
            _step(
                "/experts",
                "答复抽取通知：确认、说明回避或者谢绝，都要签名。",
                "Answer a call: accept, say why you must be recused, or decline; each is signed.",
            ),
            _step(
                "/evaluation",
                "在指定工位核验身份后独立评审和打分；掉线超过规定时间会暂停，回来后继续。",
                "At your seat, once identified, review and mark alone; the session pauses when a "
                "line is lost and goes on when it is back.",
            ),
        ),
        Role.OWNER_REPRESENTATIVE: (
            _ENTERING,
            _step(
                "/evaluation",
                "与专家一样独立评审、打分和签名。",
                "Review, mark and sign alone, as the experts do.",
            ),
        ),
        Role.CUSTODIAN: (
            _ENTERING,
            _step(
                "/custodian",
                "用命令行登记公钥；截止和解密结束经见证后，提交自己的一份。",
                "Register your key with the command line; give your share once the close and the "
                "end of the window are witnessed.",
            ),
            _step(
                "/openings",
                "在开标大厅看到还差几份。",
                "See in the hall how many shares are still missing.",
            ),
        ),
        Role.CENTRE_STAFF: (
            _ENTERING,
            _step(
                "/centre",
                "核验单位、专家和资料库的证照，记录未应答的评标通知。",
                "Verify organisations, experts and papers, and note calls that nobody answered.",
            ),
            _step(
                "/account-desk",
                "导入银行流水，按期退还保证金。",
                "Import the bank’s statements, and give securities back in time.",
            ),
            _step(
                "/centre/erasures",
                "答复删除个人信息的请求。",
                "Answer requests to erase personal data.",
            ),
        ),
        Role.SITE_ADMINISTRATOR: (
            _ENTERING,
            _step(
                "/sites",
                "核对到场专家的身份，分配工位。",
                "Check in the experts who come, and assign their seats.",
            ),
        ),
        Role.SUPERVISOR: (
            _ENTERING,
            _step(
                "/supervision",
                "实时查看全部记录和提示；截止前的密封事项同样看不到。",
                "Watch the record and the warnings live; what is sealed before a close is sealed "
                "for you too.",
            ),
            _step(
                "/complaints",
                "受理并决定投诉；可以暂停标段。",
                "Take up and decide complaints; a lot can be suspended.",
            ),
            _step(
                "/bars",
                "登记处罚决定和解除决定。",
                "Record decisions that bar somebody, and their lifting.",
            ),
        ),
        Role.WITNESS: (
            _step(
                "/transparency",
                "用 sunbid witness 为日志的检查点联署；本页显示最近一次联署。",
                "Cosign checkpoints with sunbid witness; this page shows your newest one.",
            ),
        ),
    }
)
"""What each capacity does, in the order in which it is done."""
