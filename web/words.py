"""Every word of the frame, in Chinese and in English: labels, statuses, errors.

A notice keeps the language it was written in; what stands around it is said in the reader's.
Chinese is what is said, English says what it means. Words in braces are filled in by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Language(StrEnum):
    """The languages the frame speaks, by their BCP 47 tags."""

    ZH = "zh-CN"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """One thing, said in both languages."""

    zh: str
    en: str

    def said_in(self, language: Language) -> str:
        """The words in that language, braces and all."""
        return self.en if language is Language.EN else self.zh


class Tone(StrEnum):
    """What a tag or note means before it is read: its colour and its shape."""

    NEUTRAL = "neutral"
    OPEN = "open"
    SOON = "soon"
    LIVE = "live"
    EVALUATION = "evaluation"
    AWARD = "award"
    OK = "ok"
    BAD = "bad"


_FRAME: Final = {
    "skip": Words("跳到主要内容", "Skip to main content"),
    "nav.label": Words("主导航", "Main"),
    "nav.notices": Words("交易信息", "Notices"),
    "nav.openings": Words("开标大厅", "Openings"),
    "nav.evaluation": Words("评标", "Evaluation"),
    "nav.awards": Words("公示定标", "Awards"),
    "nav.listings": Words("挂牌", "Listings"),
    "nav.experts": Words("专家", "Experts"),
    "nav.bars": Words("信用信息", "Credit"),
    "nav.transparency": Words("透明窗口", "Transparency"),
    "nav.rules": Words("规则", "Rules"),
    "nav.home": Words("首页", "Home"),
    "desk.to": Words("进入{desk}", "Go to: {desk}"),
    "desk.tender": Words("招标工作台", "Tender desk"),
    "desk.bid": Words("我的投标", "My bids"),
    "desk.expert": Words("我的评标通知", "My calls"),
    "desk.evaluation": Words("我的评标", "My evaluations"),
    "desk.custodian": Words("我保管的密钥", "Keys I keep"),
    "desk.centre": Words("中心工作台", "Centre desk"),
    "desk.site": Words("评标场所", "My sites"),
    "desk.supervision": Words("监督室", "Supervision"),
    "desk.log": Words("透明日志", "Transparency log"),
    "nav.trail": Words("当前位置", "You are here"),
    "display.label": Words("显示与登录", "Display and sign-in"),
    "display.large": Words("大字版", "Large type"),
    "display.normal": Words("标准字号", "Normal type"),
    "display.theme": Words("配色", "Colours"),
    "display.light": Words("浅色", "Light"),
    "display.dark": Words("深色", "Dark"),
    "display.auto": Words("跟随系统", "As the system"),
    "display.other_language": Words("English", "中文"),
    "account.sign_in": Words("登录", "Sign in"),
    "account.mine": Words("{role}", "{role}"),
    "account.inbox": Words("信箱", "Inbox"),
    "account.unread": Words("信箱，{count} 条未读", "Inbox, {count} unread"),
    "account.label": Words("当前身份：{role}，查看账户", "Signed in as {role}; see the account"),
    "demo.label": Words("演示提示", "Demonstration"),
    "demo.site": Words("演示站点", "Demonstration"),
    "demo.fictional": Words("全部数据为虚构。", "All data here are fictional."),
    "demo.offset": Words("演示时钟比真实时间快 {offset}", "The demo clock runs {offset} ahead"),
    "demo.level": Words("演示时钟与真实时间一致", "The demo clock shows real time"),
    "demo.behind": Words("演示时钟比真实时间慢 {offset}", "The demo clock runs {offset} behind"),
    "demo.jumped": Words(
        "时钟最近一次快进到 {at}（北京时间）：{reason}",
        "It was last moved forward to {at} (Beijing time): {reason}",
    ),
    "footer.help": Words("帮助", "Help"),
    "footer.help_line": Words(
        "来电时请报出页面上的编号，工作人员可据此查到您遇到的问题。",
        "Tell us the reference number on the page and we can find what you met.",
    ),
    "footer.phone": Words("服务热线", "Phone"),
    "footer.hours": Words("服务时间", "Hours"),
    "footer.about": Words("本站", "This site"),
    "footer.host": Words("主办单位", "Operated by"),
    "footer.id_code": Words("网站标识码", "Site code"),
    "footer.icp": Words("ICP 备案", "ICP filing"),
    "footer.police": Words("公安备案", "Police filing"),
    "footer.status": Words("运行状态", "Status"),
    "footer.figures": Words("交易统计", "Figures"),
    "footer.data": Words("开放数据", "Open data"),
    "footer.api": Words("开放接口", "Open API"),
    "footer.log": Words("透明日志", "Transparency log"),
    "footer.rules": Words("交易规则与法条", "Rules and articles"),
    "footer.access": Words(
        "无障碍：全站可用键盘操作，支持读屏与大字版。",
        "Accessibility: everything works by keyboard, with screen readers and in large type.",
    ),
    "clock.server": Words("服务器时间", "Server time"),
    "clock.apart": Words("与您的电脑相差 {seconds} 秒", "{seconds} s from your computer"),
    "clock.drift": Words(
        "您的电脑时间{way} {apart}。倒计时按服务器时间显示，不影响投标；建议校准。",
        "Your computer is {apart} {way}. The countdown uses server time; please set your clock.",
    ),
    "clock.fast": Words("快", "fast"),
    "clock.slow": Words("慢", "slow"),
    "original": Words("以下为中文原文。", "The original text is Chinese."),
}

_TIME: Final = {
    "time.day": Words("天", "d"),
    "time.hour": Words("小时", "h"),
    "time.minute": Words("分钟", "min"),
    "time.second": Words("秒", "s"),
    "time.moment": Words("{moment}（北京时间）", "{moment} (Beijing time)"),
    "time.undecided": Words("待定", "To be set"),
    "countdown.over": Words("已截止 {at}（服务器）", "Closed {at} (server)"),
    "countdown.until": Words("截止 {at}，以服务器时间为准。", "Ends {at} by the server's clock."),
    "countdown.total": Words("共 {total}", "{total} in all"),
    "countdown.spoken": Words("{label}，还剩 {left}", "{label}: {left} left"),
    "countdown.soon": Words("不足 1 小时", "Less than an hour"),
    "countdown.very_soon": Words("不足 10 分钟", "Less than 10 minutes"),
}

_LOT_STATES: Final = {
    "state.draft": Words("拟稿", "Draft"),
    "state.open": Words("投标中", "Open for bids"),
    "state.open_soon": Words("即将截止", "Closing soon"),
    "state.closing": Words("正在截标", "Closing"),
    "state.closed": Words("已截标", "Closed"),
    "state.opening": Words("正在开标", "Being opened"),
    "state.opened": Words("待评标", "Opened"),
    "state.in_evaluation": Words("评标中", "In evaluation"),
    "state.evaluated": Words("已评标", "Evaluated"),
    "state.candidates_published": Words("候选人公示", "Candidates published"),
    "state.cleared_for_award": Words("待定标", "Cleared for award"),
    "state.awarded": Words("结果公告", "Awarded"),
    "state.failed": Words("流标", "Failed"),
    "state.cancelled": Words("已终止", "Cancelled"),
    "state.suspended": Words("暂停", "Suspended"),
    "state.under_objection": Words("异议处理中", "Objection pending"),
}

_STATUSES: Final = {
    "status.plan": Words("招标计划", "Planned"),
    "status.contract": Words("合同公开", "Contract published"),
    "status.waiting": Words("等待", "Waiting"),
    "status.running": Words("进行中", "Under way"),
    "status.done": Words("完成", "Done"),
    "status.failed": Words("未成功", "Failed"),
    "status.live": Words("直播中", "Live"),
    "status.submitted": Words("已递交", "Submitted"),
    "status.withdrawn": Words("已撤回", "Withdrawn"),
    "status.late": Words("逾期", "Late"),
    "status.signed_in": Words("已签到", "Signed in"),
    "status.absent": Words("未到", "Absent"),
    "status.released": Words("已解密", "Released"),
    "status.revoked": Words("视为撤销", "Revoked"),
    "status.confirmed": Words("已确认", "Confirmed"),
    "status.disputed": Words("有异议", "Disputed"),
    "status.valid": Words("有效", "Valid"),
    "status.invalid": Words("无效", "Not valid"),
    "status.verified": Words("已核验", "Verified"),
    "status.unverified": Words("待核验", "Not verified yet"),
    "status.barred": Words("禁止投标", "Barred"),
    "status.lifted": Words("已解除", "Lifted"),
    "status.expired": Words("已到期", "Expired"),
    "status.in_force": Words("生效中", "In force"),
    "status.answered": Words("已答复", "Answered"),
    "status.open": Words("待处理", "Open"),
}

_ROLES: Final = {
    "role.tenderee": Words("招标人", "Tenderee"),
    "role.agency": Words("招标代理", "Agency"),
    "role.bidder": Words("投标人", "Bidder"),
    "role.expert": Words("评标专家", "Expert"),
    "role.owner_representative": Words("招标人代表", "Tenderee's member"),
    "role.custodian": Words("密钥保管人", "Custodian"),
    "role.centre_staff": Words("交易中心工作人员", "Centre staff"),
    "role.site_administrator": Words("评标场所管理员", "Site administrator"),
    "role.supervisor": Words("行政监督人员", "Supervisor"),
    "role.witness": Words("日志见证人", "Witness"),
    "role.platform": Words("平台", "Platform"),
    "role.public": Words("公众", "Public"),
}

_COMPONENTS: Final = {
    "table.scroll": Words("{caption}，可左右滚动", "{caption}; scrolls sideways"),
    "table.sort": Words("按{column}排序", "Sort by {column}"),
    "table.empty": Words("没有数据", "Nothing here"),
    "yuan.unit": Words("元", "CNY"),
    "steps.label": Words("进程", "Progress"),
    "steps.done": Words("已完成", "done"),
    "pager.label": Words("分页", "Pages"),
    "pager.previous": Words("上一页", "Previous"),
    "pager.next": Words("下一页", "Next"),
    "pager.where": Words("第 {page} 页，共 {pages} 页", "Page {page} of {pages}"),
    "pager.total": Words("共 {total} 条", "{total} in all"),
    "digest.label": Words("摘要", "Digest"),
    "digest.copy": Words("复制", "Copy"),
    "digest.copied": Words("已复制", "Copied"),
    "print": Words("打印", "Print"),
    "field.optional": Words("选填", "optional"),
    "form.needs_scripts": Words(
        "在此办理需要浏览器脚本，也可以通过开放接口办理。",
        "Acting here needs scripts; programs can do it by the open API.",
    ),
    "form.type_word": Words(
        "此项不能撤销，输入“{word}”以确认", "No way back: type “{word}” to confirm"
    ),
    "errors.title": Words("有 {count} 处需要改正", "{count} to correct"),
    "errors.prefix": Words("错误：", "Error:"),
    "errors.kept": Words(
        "没有任何内容被改变，您填写的内容都在下面。",
        "Nothing was changed, and what you entered is below.",
    ),
    "fault.missing": Words("缺少此项", "Missing"),
    "fault.string_too_short": Words("内容过短", "Too short"),
    "fault.string_too_long": Words("内容过长", "Too long"),
    "fault.too_short": Words("项数过少", "Too few"),
    "fault.too_long": Words("项数过多", "Too many"),
    "fault.enum": Words("不是可以选择的值", "None of the possible values"),
    "fault.literal_error": Words("不是可以选择的值", "None of the possible values"),
    "fault.greater_than_equal": Words("数值过小", "Too small"),
    "fault.less_than_equal": Words("数值过大", "Too large"),
    "fault.other": Words("填写格式不正确", "Not in the form that is asked for"),
    "live.connecting": Words("正在连接", "Connecting"),
    "live.connected": Words("连接正常", "Connected"),
    "live.again": Words("重连中", "Reconnecting"),
    "live.polling": Words("轮询", "Polling"),
    "live.ended": Words("已停止更新", "No longer updated"),
    "live.signed_out": Words("登录已失效，请重新登录", "Signed out; sign in again"),
    "live.static": Words("刷新页面可看到最新内容", "Reload the page for the latest"),
    "live.age": Words("数据 {age} 秒前", "Data {age} s old"),
    "refusals.title": Words("不予受理的理由", "Why this was turned down"),
    "refusals.article": Words("依据", "Under"),
    "receipt.title": Words("回执", "Receipt"),
    "receipt.received": Words("收到时间", "Received"),
    "receipt.number": Words("回执编号", "Receipt number"),
    "receipt.digest": Words("内容摘要", "Digest of what was received"),
    "receipt.log": Words("日志序号", "Place in the log"),
    "receipt.witnesses": Words("见证", "Witnesses"),
    "receipt.download": Words("下载回执", "Download the receipt"),
    "receipt.verify": Words(
        "回执可离线验证：sunbid verify receipt", "Verify it offline: sunbid verify receipt"
    ),
    "receipt.waiting": Words("正在写入日志", "Being written to the log"),
    "receipt.cosigned": Words("{count} 名见证人已联署", "{count} witnesses cosigned"),
    "price.title": Words("报价分布", "Prices"),
    "price.ceiling": Words("最高限价", "Ceiling"),
    "price.median": Words("中位数", "Median"),
    "price.over": Words("超过限价", "Above the ceiling"),
    "price.winner": Words("中标", "Winner"),
    "view.empty": Words("没有符合条件的内容", "Nothing matches"),
    "view.loading": Words("正在载入{what}", "Loading {what}"),
    "view.offline": Words("网络已断开", "You are offline"),
    "view.offline_text": Words(
        "页面显示的是断开前的内容，恢复后自动更新。",
        "You see what was there before; it is brought up to date when the line is back.",
    ),
    "view.not_yet": Words("尚未到公开时间", "Not public yet"),
    "view.not_yet_at": Words("{at} 后公开", "Public after {at}"),
    "view.not_permitted": Words("当前身份无权查看", "Not for this role"),
    "view.error": Words("没有载入成功", "It did not load"),
    "view.again": Words("重新载入", "Load again"),
}

_PROBLEMS: Final = {
    "problem.reference": Words("编号", "Reference"),
    "problem.code": Words("代码", "Code"),
    "problem.next": Words("您可以", "What you can do"),
    "problem.home": Words("回到首页", "Go to the front page"),
    "problem.notices": Words("查找交易信息", "Search the notices"),
    "problem.sign_in": Words("登录后继续", "Sign in and go on"),
    "problem.other_role": Words("换一个身份登录", "Sign in with another role"),
    "problem.reload": Words("重新载入本页", "Load this page again"),
    "problem.call": Words(
        "仍有问题，请拨打 {phone}，并报出编号。",
        "Still stuck? Call {phone} and tell the reference.",
    ),
    "problem.faults": Words("需要改正的内容", "What is to be corrected"),
    "problem.not_found": Words("没有找到", "Not found"),
    "problem.not_found.text": Words(
        "这个地址没有内容，或者当前身份还不能查看。", "Nothing is here, or not for this role yet."
    ),
    "problem.not_signed_in": Words("请先登录", "Sign in first"),
    "problem.not_signed_in.text": Words(
        "此页需要登录。登录后会回到这里，已提交的内容没有丢失。",
        "This page needs a sign-in. You will come back here, and nothing you submitted is lost.",
    ),
    "problem.not_permitted": Words("当前身份无权办理", "Not for this role"),
    "problem.not_permitted.text": Words(
        "您登录的身份不能办理此事，没有任何内容被改变。",
        "The role you signed in with cannot do this. Nothing was changed.",
    ),
    "problem.refused": Words("依法不予受理", "The law does not allow this"),
    "problem.refused.text": Words(
        "没有任何内容被改变。每一项理由及其法律依据如下。",
        "Nothing was changed. Each ground and its article is listed below.",
    ),
    "problem.outrun": Words("数据已被他人更新", "Someone else was first"),
    "problem.outrun.text": Words(
        "您打开本页之后内容有了变化。请重新载入，再办理一次。",
        "This changed after you opened the page. Load it again, then repeat your act.",
    ),
    "problem.broken_seal": Words("签名或密文校验未通过", "Signature or seal does not verify"),
    "problem.broken_seal.text": Words(
        "文件可能在传输中损坏，或不是用登记的密钥签名。没有任何内容被改变。",
        "The file may be damaged, or was not signed with a registered key. Nothing was changed.",
    ),
    "problem.not_durable": Words("结果尚未可靠保存", "Not kept safely yet"),
    "problem.not_durable.text": Words(
        "请重新提交；重复提交不会产生两份。", "Send it again; repeating it makes no second one."
    ),
    "problem.bad_request": Words("请求有误", "The request is not valid"),
    "problem.bad_request.text": Words(
        "地址或内容不符合要求，没有任何内容被改变。",
        "The address or its content is not as it must be. Nothing was changed.",
    ),
    "problem.unreadable": Words("无法读取请求内容", "The request cannot be read"),
    "problem.unreadable.text": Words(
        "内容没有传完或格式不对，没有任何内容被改变。",
        "It arrived cut off or malformed. Nothing was changed.",
    ),
    "problem.invalid": Words("内容不符合要求", "The content is not valid"),
    "problem.invalid.text": Words(
        "请按下列提示改正，您填写的内容可返回上一页找到。",
        "Correct what is listed; what you entered is still on the previous page.",
    ),
    "problem.too_large": Words("内容过大", "Too large"),
    "problem.too_large.text": Words(
        "文件应通过分段上传递交。没有任何内容被改变。",
        "Files are uploaded in parts. Nothing was changed.",
    ),
    "problem.wrong_media_type": Words("内容类型不受支持", "Wrong media type"),
    "problem.wrong_media_type.text": Words(
        "此处不接受这种格式。没有任何内容被改变。",
        "This format is not taken here. Nothing was changed.",
    ),
    "problem.key_reused": Words("同一编号对应了不同的请求", "The key came with another request"),
    "problem.key_reused.text": Words(
        "第一次的结果仍然有效，第二次没有办理。",
        "The first request stands; the second was not carried out.",
    ),
    "problem.still_running": Words("同一请求正在处理", "Still being processed"),
    "problem.still_running.text": Words(
        "第一次请求还没有结束，请在 5 秒后重新载入。",
        "The first request has not ended. Load the page again in 5 seconds.",
    ),
    "problem.cross_site": Words("请求来自其他网站", "Made by another site"),
    "problem.cross_site.text": Words(
        "只能在本站页面上办理，没有任何内容被改变。",
        "Acts can be done on this site's own pages only. Nothing was changed.",
    ),
    "problem.too_many_requests": Words("请求太频繁", "Too many requests"),
    "problem.too_many_requests.text": Words(
        "请稍等片刻再试，已提交的内容没有丢失。",
        "Wait a moment and try again. Nothing you submitted is lost.",
    ),
    "problem.method_not_allowed": Words("不支持此操作", "Not possible here"),
    "problem.method_not_allowed.text": Words(
        "此地址不能这样使用，没有任何内容被改变。",
        "This address cannot be used in this way. Nothing was changed.",
    ),
    "problem.not_acceptable": Words("无法提供所需格式", "Not in this format"),
    "problem.not_acceptable.text": Words(
        "此内容没有所需的格式。", "This is not to be had in the format asked for."
    ),
    "problem.unavailable": Words("平台暂时无法办理", "Not available now"),
    "problem.unavailable.text": Words(
        "已收到的内容没有丢失。请在 5 秒后重新载入。",
        "What was received is not lost. Load the page again in 5 seconds.",
    ),
    "problem.defect": Words("平台内部错误，已记录", "An error of ours; it is recorded"),
    "problem.defect.text": Words(
        "这不是您的操作造成的，已提交的内容没有丢失。",
        "You did nothing wrong, and nothing you submitted is lost.",
    ),
    "problem.http": Words("请求没有完成", "The request did not succeed"),
    "problem.http.text": Words("没有任何内容被改变。", "Nothing was changed."),
}

CATALOGUE: Final[Mapping[str, Words]] = MappingProxyType(
    _FRAME | _TIME | _LOT_STATES | _STATUSES | _ROLES | _COMPONENTS | _PROBLEMS
)
"""Everything the frame can say, by its key."""

STATE_TONES: Final[Mapping[str, Tone]] = MappingProxyType(
    {
        "draft": Tone.NEUTRAL,
        "open": Tone.OPEN,
        "open_soon": Tone.SOON,
        "closing": Tone.SOON,
        "closed": Tone.NEUTRAL,
        "opening": Tone.LIVE,
        "opened": Tone.NEUTRAL,
        "in_evaluation": Tone.EVALUATION,
        "evaluated": Tone.EVALUATION,
        "candidates_published": Tone.AWARD,
        "cleared_for_award": Tone.AWARD,
        "awarded": Tone.AWARD,
        "failed": Tone.BAD,
        "cancelled": Tone.BAD,
        "suspended": Tone.SOON,
        "under_objection": Tone.SOON,
    }
)
"""How a lot's state looks, by its name."""


def say(key: str, language: Language, **filled: object) -> str:
    """The words under a key; `KeyError` for a key or a filling that is missing."""
    words = CATALOGUE[key].said_in(language)
    return words.format(**filled) if filled or "{" in words else words
