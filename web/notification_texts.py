"""What a notification says on its way out of the house: of what kind, of which lot, and a link.

Every text says what, when, what to do, where, and whom to ask. None says more: a mailbox and a
gateway are other people's machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from kernel.settings import Settings
from kernel.store.outbox import Channel
from web.notifications import BY_KEY, Topic
from web.pages import moment_long
from web.words import Language

SMS_PART: Final = 70
"""The characters of one part of a text message in Chinese."""

CODE_MINUTES: Final = 15


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address, ready to be carried; `id` stays the same however often it goes.

    `template` and `filled` are what registered text messages are made from by the gateway.
    """

    id: UUID
    channel: Channel
    address: str
    title: str
    text: str
    template: str
    filled: Mapping[str, str]
    link: str
    written_at: datetime


def subject_words(facts: Mapping[str, Any]) -> str:
    """What a notification is about, as far as may be said outside; empty where nothing may."""
    return str(facts.get("lot") or facts.get("listing") or "")


def letter_of(
    topic_key: str,
    facts: Mapping[str, Any],
    *,
    id: UUID,
    channel: Channel,
    address: str,
    subject_id: UUID,
    posted_at: datetime,
    settings: Settings,
) -> Letter:
    """The message that tells of a notification by a channel."""
    topic = BY_KEY[topic_key]
    lot = subject_words(facts)
    link = settings.origin + topic.path.format(subject=subject_id)
    title = f"【{settings.site_name}】{topic.words.zh}" + (f"：{lot}" if lot else "")
    match channel:
        case Channel.SMS:
            link = f"{settings.origin}/inbox"
            text = _short(topic, lot, link, settings)
        case Channel.VOICE:
            about = f"，标段：{lot}" if lot else ""
            text = (
                f"您好，这里是{settings.site_name}。您有一条必达通知：{topic.words.zh}{about}。"
                f"请登录平台查看。咨询电话：{settings.site_phone}。"
            )
        case _:
            text = _long(topic, facts, posted_at, link, settings)
    return Letter(
        id,
        channel,
        address,
        title,
        text,
        f"sunbid.{topic.key}",
        {"what": topic.words.zh, "lot": lot},
        link,
        posted_at,
    )


def code_letter(
    code: str, *, id: UUID, channel: Channel, address: str, at: datetime, settings: Settings
) -> Letter:
    """The message that carries the code by which somebody shows that an address is his."""
    text = (
        f"【{settings.site_name}】验证码 {code}，{CODE_MINUTES} 分钟内有效。"
        "如非本人操作，请忽略，不要告诉任何人。"
    )
    if channel is Channel.EMAIL:
        text += (
            f"\n\nYour code is {code}. It holds for {CODE_MINUTES} minutes. If you did not ask for"
            f" it, ignore this message.\n\n{settings.origin}/account\n"
            f"咨询电话 Phone: {settings.site_phone}\n"
        )
    title = f"【{settings.site_name}】联系方式验证码"
    link = f"{settings.origin}/account"
    return Letter(id, channel, address, title, text, "sunbid.code", {"code": code}, link, at)


def _short(topic: Topic, lot: str, link: str, settings: Settings) -> str:
    """A text message of one part: the lot's name gives way, never the link."""
    before, after = f"【{settings.site_name}】{topic.words.zh}", f"。登录查看 {link}"
    room = SMS_PART - len(before) - len(after) - 1
    if not lot or room < 4:
        return before + after
    return f"{before}：{lot if len(lot) <= room else lot[: room - 1] + '…'}{after}"


def _long(
    topic: Topic, facts: Mapping[str, Any], at: datetime, link: str, settings: Settings
) -> str:
    zh = [f"事项：{topic.words.zh}"]
    en = [f"What: {topic.words.en}"]
    if "lot" in facts:
        zh.append(f"标段：{facts['project']} 第 {facts['number']} 标段 {facts['lot']}")
        en.append(f"Lot: {facts['project']}, lot {facts['number']}")
    if "listing" in facts:
        zh.append(f"挂牌：{facts['listing']}")
        en.append(f"Listing: {facts['listing']}")
    if "due_at" in facts:
        zh.append(f"期限：{moment_long(facts['due_at'])}")
        en.append(f"By: {moment_long(facts['due_at'], language=Language.EN)}")
    zh += [
        f"时间：{moment_long(at)}",
        f"您可以：{topic.todo.zh}",
        f"查看：{link}",
        f"咨询电话：{settings.site_phone}（{settings.site_hours}）",
        "本邮件由平台自动发送，不含报价、名单等内容，请登录平台查看。",
    ]
    en += [
        f"When: {moment_long(at, language=Language.EN)}",
        f"What to do: {topic.todo.en}",
        f"Where: {link}",
        f"Phone: {settings.site_phone} ({settings.site_hours})",
        "Sent by the platform; the substance is there, behind your sign-in.",
    ]
    return "\n".join(zh) + "\n\n" + "\n".join(en) + "\n"
