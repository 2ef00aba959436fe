"""Who is told of what, by which channels: one table.

A row is a topic with the events it tells of, whether it must arrive, and for each circle of people
the channels by which they hear. Who belongs to a circle is found out in `posting.py`; before a
lot's close the circle of its bidders is known to the platform alone, and each hears for himself.

The inbox always has it all. What goes out of the house names the topic and the lot and leads to
the platform; what is sealed, who is concerned besides, and every figure stay inside. Voice is no
channel of its own: it is where a text that must arrive falls back to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from evaluation.examining import RECHECK_CHANNELS, RECHECK_TOPIC
from expert_pool.calling import CALL_CHANNELS, CALL_TOPIC
from kernel.events import Event
from kernel.store.outbox import Channel
from trading.events import (
    AnswerFallingDue,
    AwardAnnulled,
    AwardNoticed,
    AwardPublished,
    AwardVoided,
    BidderInvited,
    BidRefused,
    BidSubmitted,
    BidWithdrawn,
    CandidatesPublished,
    ClarificationPublished,
    ComplaintDecided,
    ComplaintFiled,
    ComplaintTakenUp,
    ComplaintWithdrawn,
    ContractChangeOffered,
    ContractConcluded,
    ContractFallingDue,
    ContractOffered,
    DecisionFallingDue,
    DutyOverdue,
    ListingBidderAdmitted,
    ListingDealSigned,
    ListingEnded,
    ListingEntrusted,
    ListingEntrustmentEnded,
    ListingMoved,
    ListingResumed,
    ListingSecuritiesOverdue,
    ListingSecurityArrived,
    ListingSecurityKept,
    ListingSecurityReturned,
    ListingSuspended,
    ListingTerminated,
    ListingVoided,
    LotCancelled,
    LotFailed,
    LotMoved,
    LotResumed,
    LotSuspended,
    ObjectionAnswered,
    ObjectionRaised,
    ObjectionRemedied,
    ObjectionWithdrawn,
    OpeningNear,
    OwnDutyOverdue,
    OwnListingSecurityKept,
    OwnObjectionAnswered,
    OwnSecurityForfeited,
    PrequalificationAmended,
    PrequalificationDecided,
    PriceOffered,
    PublicityEnding,
    RecheckConcluded,
    RecheckReceived,
    ReleaseWindowEnding,
    RenunciationReceived,
    ResultNoticed,
    SecurityArrived,
    SecurityReturned,
    SharesAwaited,
    SubmissionFailedByPlatform,
    SupplierAddressed,
    TimetableAmended,
    ValidityExtensionAsked,
)
from trading.expiring import EXPIRY_TOPIC
from trading.library import JUDGED_TOPIC
from trading.rules.listing_protocol import Phase
from trading.rules.lot_lifecycle import LotState
from web.words import Words

BEIJING: Final = ZoneInfo("Asia/Shanghai")
QUIET_FROM, QUIET_UNTIL = time(22), time(7)
"""When nobody is woken for what can wait: from ten in the evening to seven in the morning."""

LOUD: Final = frozenset({Channel.SMS, Channel.VOICE})

INBOX, EMAIL, SMS = Channel.INBOX, Channel.EMAIL, Channel.SMS


class Circle(StrEnum):
    """The people a notification can be for."""

    BIDDERS = "bidders"
    """Those who take part in the lot; from its close on, those whose bids count."""

    ONE_PARTY = "one_party"
    """The one organisation whom the event is about, and nobody else."""

    OWNERS = "owners"
    SUPERVISORS = "supervisors"
    CENTRE = "centre"
    CALLED_EXPERT = "called_expert"
    COMMITTEE = "committee"
    CUSTODIAN = "custodian"
    """Those who keep a key for the one organisation that the event names."""


Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table."""

    key: str
    words: Words
    todo: Words
    """What whoever reads it can do now."""

    path: str
    """Where on the platform it is done; `{subject}` is what the notification is about."""

    events: tuple[type[Event], ...]
    must: bool
    to: Mapping[Circle, tuple[Channel, ...]]
    moves_to: LotState | Phase | None = None
    """Only where a lot or a listing went there, for the event that tells of every move."""

    def is_told_by(self, kind: str, facts: Facts) -> bool:
        """Whether an entry of this kind is told under this topic."""
        if all(kind != event.__name__ for event in self.events):
            return False
        return self.moves_to is None or facts["went_to"] == self.moves_to


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        "change",
        Words("招标（采购）文件澄清修改或者时间变更", "Documents changed or times moved"),
        Words(
            "请查看变更内容；已经递交的，请确认投标（响应）文件是否需要更新。",
            "Read the change; if you submitted already, see whether your bid needs an update.",
        ),
        "/notices/{subject}",
        (ClarificationPublished, TimetableAmended),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
            Circle.CENTRE: (INBOX,),
        },
    ),
    Topic(
        "invitation",
        Words("投标（报价）邀请书", "Invitation to bid"),
        Words(
            "请查看公告并获取文件；受邀单位名单在开标前保密。",
            "Read the notice and take the documents; who is invited is secret until the opening.",
        ),
        "/notices/{subject}",
        (BidderInvited,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "receipt",
        Words("您办理的事项已有结果", "What you did has its answer"),
        Words("请登录查看回执并妥善保存。", "Sign in, see the receipt and keep it."),
        "/lots/{subject}/bid",
        (BidSubmitted, BidWithdrawn, BidRefused, SubmissionFailedByPlatform),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        "opening",
        Words("开标", "Opening"),
        Words(
            "请进入开标大厅；投标人（供应商）请在规定时间内完成解密。",
            "Enter the hall; bidders release their bids within the time given.",
        ),
        "/openings/{subject}",
        (LotMoved,),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
            Circle.CENTRE: (INBOX,),
        },
        moves_to=LotState.OPENING,
    ),
    Topic(
        "opening_near",
        Words("即将开标", "Opening soon"),
        Words(
            "请准备进入开标大厅；尚未递交的，请在截止前递交。",
            "Get ready for the hall; who has not submitted does so before the deadline.",
        ),
        "/openings/{subject}",
        (OpeningNear,),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
            Circle.CENTRE: (INBOX,),
        },
    ),
    Topic(
        "release_ending",
        Words("解密时间即将结束", "Decryption window ends soon"),
        Words(
            "本单位尚未解密，请立即解密；未解密的后果以公告为准。",
            "Your bid is not decrypted; do it now. The notice says what follows if not.",
        ),
        "/openings/{subject}",
        (ReleaseWindowEnding,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, SMS)},
    ),
    Topic(
        "shares_awaited",
        Words("请保管人提交开标密钥份额", "Key shares waited for"),
        Words(
            "解密时间结束后，请用保管的密钥核对并提交份额。",
            "Once the window is over, check what is asked and give your shares.",
        ),
        "/custodian",
        (SharesAwaited,),
        must=False,
        to={Circle.CUSTODIAN: (INBOX, SMS)},
    ),
    Topic(
        "publicity_ending",
        Words("公示期即将结束", "Publicity ends soon"),
        Words("有异议的，请在公示期内提出。", "Object, if you do, while it lasts."),
        "/awards/{subject}",
        (PublicityEnding,),
        must=False,
        to={Circle.BIDDERS: (INBOX,), Circle.OWNERS: (INBOX,)},
    ),
    Topic(
        "own_due",
        Words("您有法定事项即将到期", "Something the law asks of you is due soon"),
        Words("请登录查看是什么事项并按期办理。", "Sign in, see what it is and do it in time."),
        "/awards/{subject}",
        (ContractFallingDue, DecisionFallingDue),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, SMS)},
    ),
    Topic(
        "answer_due",
        Words("异议答复即将到期", "The answer to an objection is due soon"),
        Words("请在期限内作出答复。", "Answer it in time."),
        "/objections",
        (AnswerFallingDue,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, SMS)},
    ),
    Topic(
        "result",
        Words("候选人公示、结果或者合同公开", "Candidates, result or contract published"),
        Words(
            "请查看公示内容；有异议的，请在公示期内提出。",
            "Read what is published; object, if you do, while it is.",
        ),
        "/awards/{subject}",
        (CandidatesPublished, AwardPublished, ContractConcluded),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "notice",
        Words("中标（成交）通知书或者结果通知书", "Award notice or result notice"),
        Words("请登录查看通知书。", "Sign in and read the notice."),
        "/awards/{subject}",
        (AwardNoticed, ResultNoticed),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "application_change",
        Words("资格预审文件澄清修改", "Prequalification documents changed or clarified"),
        Words(
            "请查看变更内容和申请截止时间；已经递交的，请确认申请文件是否需要更新。",
            "Read the change and the deadline; if you applied already, see whether your"
            " application needs an update.",
        ),
        "/prequalifications/{subject}",
        (PrequalificationAmended,),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "qualification",
        Words("资格预审结果通知书", "Result of the prequalification"),
        Words("请登录查看结果和理由。", "Sign in and read the result with its reasons."),
        "/prequalifications/{subject}",
        (PrequalificationDecided,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "contract",
        Words("合同或者合同变更待您签署", "A contract or a change waits for your signature"),
        Words("请登录核对文本并签署。", "Sign in, check the text and sign it."),
        "/awards/{subject}",
        (ContractOffered, ContractChangeOffered),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "annulment",
        Words("中标（成交）资格被取消", "An award was annulled"),
        Words("请查看情形、依据和后续安排。", "See the ground, the article and what follows."),
        "/awards/{subject}",
        (AwardAnnulled,),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "renunciation",
        Words("中标（成交）人声明放弃", "The winner gave the award up"),
        Words("请登录查看声明并依法办理。", "Sign in, read it and act as the law says."),
        "/awards/{subject}",
        (RenunciationReceived,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "recheck",
        Words("中标候选人履约能力审查确认", "A candidate is examined again"),
        Words(
            "请登录查看理由；作出结论前暂停定标。",
            "Sign in and read why; no award is made before the conclusion.",
        ),
        "/awards/{subject}",
        (RecheckReceived,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "recheck_concluded",
        Words("中标候选人审查结论", "What was found of a candidate"),
        Words("请查看结论和后续安排。", "See what was found and what follows."),
        "/awards/{subject}",
        (RecheckConcluded,),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX, EMAIL),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        RECHECK_TOPIC,
        Words("请审查确认中标候选人", "Examine a candidate again"),
        Words(
            "请登录查看材料，签名提交审查意见。",
            "Sign in, read what was brought and sign your opinion.",
        ),
        "/evaluation",
        (),  # posted by a reaction of its own, which alone asks who sits in the committee
        must=True,
        to={Circle.COMMITTEE: RECHECK_CHANNELS},
    ),
    Topic(
        "own_overdue",
        Words("您有法定事项逾期未办", "Something the law asks of you is overdue"),
        Words("请登录查看是什么事项并尽快办理。", "Sign in, see what it is and do it soon."),
        "/awards/{subject}",
        (OwnDutyOverdue,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, SMS)},
    ),
    Topic(
        "security",
        Words("保证金到账或者退还", "Security arrived or went back"),
        Words("请登录核对。", "Sign in and check it."),
        "/lots/{subject}/security",
        (SecurityArrived, SecurityReturned),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        "security_kept",
        Words("保证金不予退还的决定", "Decision to keep your security"),
        Words("请登录查看理由和依据。", "Sign in, and read why and by which article."),
        "/lots/{subject}/security",
        (OwnSecurityForfeited,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "overdue",
        Words("法定事项逾期未办", "Something the law asks for is overdue"),
        Words("请在监督室查看。", "See it in the supervision room."),
        "/supervision",
        (DutyOverdue,),
        must=False,
        to={Circle.SUPERVISORS: (INBOX, EMAIL)},
    ),
    Topic(
        "objection",
        Words("异议提出或者答复", "Objection raised or answered"),
        Words("请查看办理情况和期限。", "See how it stands and until when."),
        "/objections",
        (ObjectionRaised, ObjectionAnswered, ObjectionRemedied, ObjectionWithdrawn),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, SMS),
            Circle.OWNERS: (INBOX, SMS),
            Circle.SUPERVISORS: (INBOX, EMAIL),
            Circle.CENTRE: (INBOX,),
        },
    ),
    Topic(
        "own_objection",
        Words("您的异议已答复", "Your objection was answered"),
        Words("请查看是否成立和如何改正。", "See whether it stands, and what is put right."),
        "/objections",
        (OwnObjectionAnswered,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "complaint",
        Words("投诉受理或者处理决定", "Complaint taken up or decided"),
        Words("请查看办理情况和处理决定。", "See how it stands, and the decision."),
        "/notices/{subject}",
        (ComplaintTakenUp, ComplaintDecided, AwardVoided),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, SMS),
            Circle.OWNERS: (INBOX, EMAIL, SMS),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "complaint_filed",
        Words("收到投诉或者投诉撤回", "Complaint filed or withdrawn"),
        Words("请在期限内决定是否受理。", "Decide in time whether to take it up."),
        "/complaints",
        (ComplaintFiled, ComplaintWithdrawn),
        must=False,
        to={Circle.SUPERVISORS: (INBOX, EMAIL)},
    ),
    Topic(
        "talks",
        Words("谈判（磋商）、需求变动或者最后报价", "Talks, a changed demand or a last price"),
        Words(
            "请登录查看并在规定时间内答复或者报价。",
            "Sign in, read it, and answer or name your price in time.",
        ),
        "/talks/{subject}",
        (SupplierAddressed,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "price_agreement",
        Words("协商情况记录待签字", "The record of a price waits for signatures"),
        Words("请核对商定的价格和记录并签字。", "Check price and record, and sign."),
        "/lots/{subject}/price-agreement",
        (PriceOffered,),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        "validity",
        Words("要求延长投标（响应）有效期", "Asked to extend the validity of bids"),
        Words(
            "请在答复期限内同意或者拒绝；不得修改投标（响应）文件。",
            "Bidders agree or refuse in time; bids may not be changed.",
        ),
        "/lots/{subject}/validity",
        (ValidityExtensionAsked,),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX,),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "suspension",
        Words("暂停、恢复、终止或者流标", "Suspended, resumed, ended or failed"),
        Words("请查看原因和后续安排。", "See why, and what comes next."),
        "/notices/{subject}",
        (LotSuspended, LotResumed, LotCancelled, LotFailed),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX, EMAIL, SMS),
            Circle.SUPERVISORS: (INBOX, EMAIL, SMS),
            Circle.CENTRE: (INBOX, EMAIL, SMS),
        },
    ),
    Topic(
        "listing_order",
        Words("挂牌中止、恢复、终止或者无效", "A listing suspended, resumed, ended or void"),
        Words("请查看原因、时间变化和保证金退还。", "See why, how times move, what goes back."),
        "/listings/{subject}",
        (ListingSuspended, ListingResumed, ListingTerminated, ListingVoided),
        must=True,
        to={
            Circle.BIDDERS: (INBOX, EMAIL, SMS),
            Circle.OWNERS: (INBOX, EMAIL, SMS),
            Circle.SUPERVISORS: (INBOX, EMAIL),
            Circle.CENTRE: (INBOX, EMAIL),
        },
    ),
    Topic(
        "listing_asking",
        Words("挂牌截止，询问是否继续竞价", "Asked whether you go on bidding"),
        Words(
            "报过价的请在询问时间内表示是否继续；不表示的不能参加限时竞价。",
            "Who named a price says whether he goes on; who does not takes no further part.",
        ),
        "/listings/{subject}",
        (ListingMoved,),
        must=False,
        to={Circle.BIDDERS: (INBOX, SMS), Circle.OWNERS: (INBOX,)},
        moves_to=Phase.ASKING,
    ),
    Topic(
        "listing_result",
        Words("挂牌结果", "How a listing ended"),
        Words(
            "请查看结果；成交的，双方请在期限内签署成交确认书。",
            "See it; where there is a deal, both sides sign its confirmation in time.",
        ),
        "/listings/{subject}",
        (ListingEnded, ListingDealSigned, ListingSecurityKept),
        must=False,
        to={
            Circle.BIDDERS: (INBOX, EMAIL),
            Circle.OWNERS: (INBOX, EMAIL),
            Circle.SUPERVISORS: (INBOX,),
        },
    ),
    Topic(
        "listing_security",
        Words("竞买保证金到账或者退还", "Security in a listing arrived or went back"),
        Words("请登录核对。", "Sign in and check it."),
        "/listings/{subject}",
        (ListingSecurityArrived, ListingBidderAdmitted, ListingSecurityReturned),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        "listing_security_kept",
        Words("竞买保证金不予退还的决定", "Decision to keep your deposit"),
        Words("请登录查看理由和依据。", "Sign in, and read why and by which article."),
        "/listings/{subject}",
        (OwnListingSecurityKept,),
        must=True,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        "listing_overdue",
        Words("竞买保证金逾期未退", "Securities of a listing overdue"),
        Words("请查看该挂牌的保证金。", "See the securities of the listing."),
        "/listings/{subject}",
        (ListingSecuritiesOverdue,),
        must=False,
        to={Circle.SUPERVISORS: (INBOX, EMAIL)},
    ),
    Topic(
        "listing_letter",
        Words("挂牌授权委托书签署或者终止", "Letter for a listing signed or ended"),
        Words("请登录查看代理事项和期限。", "Sign in, see for what it is and until when."),
        "/listings/letters",
        (ListingEntrusted, ListingEntrustmentEnded),
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        EXPIRY_TOPIC,
        Words("证照即将到期", "A licence is about to end"),
        Words(
            "请登录查看是哪一项，换发后及时登记并选择替换。",
            "Sign in, see which one; enter the renewed one as its replacement.",
        ),
        "/library",
        (),  # posted with the announcement itself
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL, SMS)},
    ),
    Topic(
        JUDGED_TOPIC,
        Words("证照或者业绩核验完毕", "A licence or performance was checked"),
        Words("请登录查看核验结果。", "Sign in and see the outcome."),
        "/library",
        (),  # posted with the verdict itself
        must=False,
        to={Circle.ONE_PARTY: (INBOX, EMAIL)},
    ),
    Topic(
        CALL_TOPIC,
        Words("评标邀请", "Call to an evaluation"),
        Words(
            "请登录查看时间、地点并答复能否参加。",
            "Sign in, see when and where, and answer whether you come.",
        ),
        "/experts",
        (),  # posted with the call itself, which alone knows whom it is for
        must=True,
        to={Circle.CALLED_EXPERT: CALL_CHANNELS},
    ),
)

BY_KEY: Final[Mapping[str, Topic]] = MappingProxyType({one.key: one for one in TOPICS})

TOLD_OF: Final[tuple[type[Event], ...]] = tuple(
    dict.fromkeys(event for topic in TOPICS for event in topic.events)
)
"""Every event that anybody is told of."""

CIRCLE_WORDS: Final[Mapping[Circle, Words]] = MappingProxyType(
    {
        Circle.BIDDERS: Words("投标人（供应商）", "Bidders"),
        Circle.ONE_PARTY: Words("当事单位", "The party concerned"),
        Circle.OWNERS: Words("招标人（采购人）、代理", "Tenderee, agency"),
        Circle.SUPERVISORS: Words("监督部门", "Supervisors"),
        Circle.CENTRE: Words("交易中心", "Centre"),
        Circle.COMMITTEE: Words("评标委员会成员", "The committee"),
        Circle.CALLED_EXPERT: Words("被通知的专家", "The called expert"),
        Circle.CUSTODIAN: Words("密钥保管人", "Custodian"),
    }
)

CHANNEL_WORDS: Final[Mapping[Channel, Words]] = MappingProxyType(
    {
        Channel.INBOX: Words("站内信", "Inbox"),
        Channel.EMAIL: Words("邮件", "E-mail"),
        Channel.SMS: Words("短信", "Text message"),
        Channel.VOICE: Words("语音电话", "Voice call"),
    }
)


def quiet_until(channel: Channel, *, must: bool, at: datetime) -> datetime | None:
    """Until when a message has to wait for the morning; None where it may go at once."""
    if must or channel not in LOUD:
        return None
    here = at.astimezone(BEIJING)
    if QUIET_UNTIL <= here.time() < QUIET_FROM:
        return None
    morning = here.date() if here.time() < QUIET_UNTIL else here.date() + timedelta(days=1)
    return datetime.combine(morning, QUIET_UNTIL, BEIJING)
