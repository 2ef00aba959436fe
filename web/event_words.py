"""What each kind of entry in the journal is called, for people who watch it live."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from web.words import Language, Words

EVENT_WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "AgencyAuthorised": Words("招标人委托代理机构", "Agency authorised"),
        "AwardNoticed": Words("发出中标通知书", "Award notice sent"),
        "AwardPublished": Words("定标并公告结果", "Award made and published"),
        "BarLifted": Words("解除禁止", "Bar lifted"),
        "BidRefused": Words("拒收投标", "Submission refused"),
        "BidSubmitted": Words("收到投标", "Bid submitted"),
        "BidWithdrawn": Words("撤回投标", "Bid withdrawn"),
        "BidderReleased": Words("投标人提交解密信息", "Bidder released"),
        "BidsOpened": Words("全部解密，同时唱标", "All bids opened at once"),
        "BidsRead": Words("查阅投标文件", "Bids looked into"),
        "CallEnded": Words("专家通知有结果", "Call of an expert ended"),
        "CandidatesPublished": Words("公示中标候选人", "Candidates published"),
        "CapacityTaken": Words("某人开始在标段中履职", "Somebody began to act for a lot"),
        "ClarificationPublished": Words("发布澄清或者修改", "Clarification published"),
        "ClockJumped": Words("演示时钟快进", "Demo clock moved"),
        "CommitteeConvened": Words("组建评标委员会", "Committee convened"),
        "CredentialAdded": Words("登记密钥", "Key added"),
        "CredentialRevoked": Words("注销密钥", "Key revoked"),
        "CustodianKeyRegistered": Words("保管人登记密钥", "Custodian's key registered"),
        "CustodianNamed": Words("指定密钥保管人", "Custodian named"),
        "DocumentsTaken": Words("获取招标文件", "Documents taken"),
        "DraftDropped": Words("放弃拟稿", "Draft dropped"),
        "DrawAnnounced": Words("公告专家抽取", "Draw announced"),
        "DrawCommitted": Words("抽取方作出承诺", "Draw: a party committed"),
        "DrawCompleted": Words("专家抽取完成", "Draw completed"),
        "DrawRanked": Words("专家抽取排序确定", "Draw ranked"),
        "DrawVoided": Words("专家抽取作废", "Draw void"),
        "EligibilityCountersigned": Words("监督人员会签回避名单", "Exclusions countersigned"),
        "ExpertCalled": Words("通知专家", "Expert called"),
        "ExpertCapacityTaken": Words("专家开始履职", "An expert began to act"),
        "ExpertEnrolled": Words("专家申请入库", "Expert applied"),
        "ExpertLeft": Words("专家出库", "Expert left"),
        "ExpertSignedIn": Words("专家登录", "An expert signed in"),
        "ExpertSignedOut": Words("专家退出", "An expert signed out"),
        "ExpertVerified": Words("专家入库", "Expert verified"),
        "FallbackAgreed": Words("同意备用解密", "Fallback agreed"),
        "FillerKeyCommitted": Words("日志填充密钥承诺", "Log: filler key committed"),
        "FillerKeyDisclosed": Words("日志填充密钥公开", "Log: filler key disclosed"),
        "LotCancelled": Words("终止招标", "Tender ended"),
        "LotClosed": Words("截标，公布投标人名单", "Closed; bidders named"),
        "LotClosing": Words("投标截止，封存全部投标", "Deadline: the cut is sealed"),
        "LotDrafted": Words("拟定标段", "Lot drafted"),
        "LotFailed": Words("流标", "Lot failed"),
        "LotMoved": Words("进入下一阶段", "Lot moved on"),
        "LotPublished": Words("发布招标公告", "Notice published"),
        "LotResumed": Words("恢复招标投标活动", "Lot goes on"),
        "LotSuspended": Words("暂停招标投标活动", "Lot suspended"),
        "MemberAdmitted": Words("评委身份已核验", "Committee member's identity checked"),
        "MemberSignedIn": Words("评委签到", "Committee member signed in"),
        "MemberSucceeded": Words("补抽评委入席", "Committee member succeeded"),
        "MemberWithdrew": Words("评委回避", "Committee member withdrew"),
        "NonceRevealed": Words("抽取方公开随机数", "Draw: a nonce revealed"),
        "NonceShareConfirmed": Words("抽取方确认份额", "Draw: a share confirmed"),
        "NonceShareMisdealt": Words("抽取方分发的份额不符", "Draw: a share misdealt"),
        "NonceSharesDealt": Words("抽取方分发份额", "Draw: shares dealt"),
        "ObjectionAnswered": Words("答复异议", "Objection answered"),
        "ObjectionRaised": Words("提出异议", "Objection raised"),
        "OpeningObjectionAnswered": Words("开标异议已答复", "Objection on the spot answered"),
        "OpeningObjectionRaised": Words("开标现场提出异议", "Objection on the spot"),
        "OpeningRecorded": Words("开标记录签章公布", "Opening record signed"),
        "OrganisationRegistered": Words("单位注册", "Organisation registered"),
        "OrganisationVerified": Words("单位通过核验", "Organisation verified"),
        "PartyBarred": Words("记录禁止决定", "Organisation barred"),
        "PersonBarLifted": Words("解除对个人的禁止", "Person's bar lifted"),
        "PersonBarred": Words("记录对个人的禁止决定", "Person barred"),
        "PersonJoined": Words("人员加入单位", "Person joined"),
        "PersonLeft": Words("人员离开单位", "Person left"),
        "PlatformFounded": Words("平台建立", "Platform founded"),
        "ProjectCreated": Words("录入项目", "Project entered"),
        "ReadingBegan": Words("评标开始", "Reading began"),
        "ReadingStopped": Words("有评委离线，评标暂停", "A line was lost: reading stopped"),
        "RejectionDecided": Words("表决否决投标", "Vote on a rejection"),
        "RejectionProposed": Words("提议否决投标", "Rejection proposed"),
        "ReleaseRefused": Words("解密信息不一致", "Release refused"),
        "ReleaseWindowClosed": Words("解密时间结束", "Release window closed"),
        "ReportCompiled": Words("汇总评标报告", "Report compiled"),
        "ReportHandedBack": Words("提交评标报告", "Report handed back"),
        "ReportSigned": Words("评委签署评标报告", "Report signed"),
        "ReportTaken": Words("接收评标报告", "Report taken over"),
        "ResultNoticed": Words("发出中标结果通知", "Result notice sent"),
        "ScoresCommitted": Words("评委提交评分承诺", "Scores committed to"),
        "ScoresRevealed": Words("评委公开评分", "Scores revealed"),
        "SeatRegistered": Words("登记评标工位", "Evaluation seat registered"),
        "ShareRefused": Words("解密份额不符", "Share refused"),
        "SharesGiven": Words("保管人提交解密份额", "Shares given"),
        "SignedIn": Words("登录", "Signed in"),
        "SignedOut": Words("退出", "Signed out"),
        "SiteCapacityTaken": Words("场所管理员开始履职", "A site's administrator began to act"),
        "SiteRegistered": Words("登记评标场所", "Evaluation site registered"),
        "SubmissionFailedByPlatform": Words(
            "平台未能受理投标", "Submission failed by the platform"
        ),
        "TimetableAmended": Words("调整时间安排", "Timetable amended"),
    }
)


def event_words(kind: str, language: Language = Language.ZH) -> str:
    """What a kind of entry is called; a kind that has no words yet is called by its own name."""
    known = EVENT_WORDS.get(kind)
    return kind if known is None else known.said_in(language)
