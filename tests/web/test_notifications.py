"""UX 12.2 and N-01..N-04: who is told of what, by which channel, in what words."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from kernel.events import Audience
from kernel.settings import Settings
from kernel.store.outbox import FALLBACKS, Channel
from web.notification_texts import SMS_PART, Letter, code_letter, letter_of
from web.notifications import BY_KEY, TOPICS, Circle, Topic, quiet_until

BEIJING = ZoneInfo("Asia/Shanghai")
SUBJECT = UUID(int=7)
LOT = "江城市第三水厂扩建工程施工一标段"
FACTS = {
    "kind": "ClarificationPublished",
    "project": "A420100-2026-0301",
    "number": 1,
    "lot": LOT,
}
POSTED = datetime(2026, 3, 2, 9, 31, 2, tzinfo=BEIJING)
TABLE = {
    "change": {"bidders": "inbox email sms", "owners": "inbox", "supervisors": "inbox",
               "centre": "inbox"},
    "application_change": {"bidders": "inbox email sms", "owners": "inbox",
                           "supervisors": "inbox"},
    "invitation": {"one_party": "inbox email sms"},
    "price_agreement": {"one_party": "inbox email"},
    "receipt": {"one_party": "inbox email"},
    "opening": {"bidders": "inbox sms", "owners": "inbox", "supervisors": "inbox",
                "centre": "inbox"},
    "opening_near": {"bidders": "inbox sms", "owners": "inbox", "supervisors": "inbox",
                     "centre": "inbox"},
    "release_ending": {"one_party": "inbox sms"},
    "shares_awaited": {"custodian": "inbox sms"},
    "publicity_ending": {"bidders": "inbox", "owners": "inbox"},
    "own_due": {"one_party": "inbox sms"},
    "answer_due": {"one_party": "inbox sms"},
    "result": {"bidders": "inbox email sms", "owners": "inbox", "supervisors": "inbox"},
    "annulment": {"bidders": "inbox email sms", "owners": "inbox", "supervisors": "inbox"},
    "renunciation": {"one_party": "inbox email sms"},
    "contract": {"one_party": "inbox email sms"},
    "security": {"one_party": "inbox email"},
    "security_kept": {"one_party": "inbox email sms"},
    "own_overdue": {"one_party": "inbox sms"},
    "overdue": {"supervisors": "inbox email"},
    "notice": {"one_party": "inbox email sms"},
    "qualification": {"one_party": "inbox email sms"},
    "objection": {"bidders": "inbox sms", "owners": "inbox sms", "supervisors": "inbox email",
                  "centre": "inbox"},
    "own_objection": {"one_party": "inbox email sms"},
    "complaint": {"bidders": "inbox sms", "owners": "inbox email sms", "supervisors": "inbox"},
    "complaint_filed": {"supervisors": "inbox email"},
    "talks": {"one_party": "inbox email sms"},
    "validity": {"bidders": "inbox email sms", "owners": "inbox", "supervisors": "inbox"},
    "suspension": {"bidders": "inbox email sms", "owners": "inbox email sms",
                   "supervisors": "inbox email sms", "centre": "inbox email sms"},
    "listing_order": {"bidders": "inbox email sms", "owners": "inbox email sms",
                      "supervisors": "inbox email", "centre": "inbox email"},
    "listing_asking": {"bidders": "inbox sms", "owners": "inbox"},
    "listing_result": {"bidders": "inbox email", "owners": "inbox email", "supervisors": "inbox"},
    "listing_security": {"one_party": "inbox email"},
    "listing_security_kept": {"one_party": "inbox email sms"},
    "listing_overdue": {"supervisors": "inbox email"},
    "listing_letter": {"one_party": "inbox email"},
    "licence_expiring": {"one_party": "inbox email sms"},
    "library_judged": {"one_party": "inbox email"},
    "recheck": {"one_party": "inbox email sms"},
    "recheck_concluded": {"bidders": "inbox email sms", "owners": "inbox email",
                          "supervisors": "inbox"},
    "recheck_call": {"committee": "inbox sms"},
    "call": {"called_expert": "inbox sms"},
}  # fmt: skip


def a_letter(topic: str, channel: Channel, **facts: object) -> Letter:
    return letter_of(
        topic,
        FACTS | facts if topic != "call" else {},
        id=UUID(int=9),
        channel=channel,
        address="+8613800005678",
        subject_id=SUBJECT,
        posted_at=POSTED,
        settings=Settings(),
    )


def test_the_table_is_the_one_that_was_asked_for() -> None:
    assert {
        topic.key: {str(circle): " ".join(ways) for circle, ways in topic.to.items()}
        for topic in TOPICS
    } == TABLE
    assert {topic.key for topic in TOPICS if topic.must} == {
        "change",
        "application_change",
        "invitation",
        "notice",
        "annulment",
        "security_kept",
        "qualification",
        "suspension",
        "listing_order",
        "listing_security_kept",
        "talks",
        "recheck",
        "recheck_call",
        "validity",
        "call",
    }


MAY_HEAR = {
    Audience.PUBLIC: set(Circle),
    Audience.SUPERVISORS: {Circle.SUPERVISORS},
    Audience.PARTY: {Circle.ONE_PARTY, Circle.CUSTODIAN},
    Audience.SEALED_UNTIL_CLOSE: {Circle.ONE_PARTY},
}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda one: one.key)
def test_nobody_is_told_what_the_entry_itself_keeps_from_him(topic: Topic) -> None:
    """Bidding Law 22: what only one party may know is told to that party."""
    for event in topic.events:
        assert set(topic.to) <= MAY_HEAR[event.audience], event


@pytest.mark.parametrize("topic", TOPICS, ids=lambda one: one.key)
def test_every_mail_says_what_when_what_to_do_where_and_whom_to_ask(topic: Topic) -> None:
    """UX N-03."""
    text = a_letter(topic.key, Channel.EMAIL).text
    settings = Settings()
    for needed in (
        topic.words.zh,
        topic.words.en,
        "2026年3月2日 09:31:02（北京时间）",
        topic.todo.zh,
        topic.todo.en,
        settings.origin + topic.path.format(subject=SUBJECT),
        settings.site_phone,
    ):
        assert needed in text


@pytest.mark.parametrize("topic", TOPICS, ids=lambda one: one.key)
@pytest.mark.parametrize("lot", ["一标段", "很长的标段名称" * 17])
def test_every_text_is_one_part_with_the_word_first_and_a_link_that_is_no_secret(
    topic: Topic, lot: str
) -> None:
    """UX 12.2: at most 70 characters, code word first, no amounts."""
    text = a_letter(topic.key, Channel.SMS, lot=lot).text
    assert len(text) <= SMS_PART
    assert text.startswith(f"【阳光交易】{topic.words.zh}")
    assert text.endswith("登录查看 http://localhost:8000/inbox")
    assert str(SUBJECT) not in text


def test_a_letter_says_no_more_than_the_topic_and_the_lot() -> None:
    """N-03: whatever else an entry holds stays in the house."""
    told = {"price": "118600000.00", "winner": "江城建工", "bidder_id": "8e1f", "reason": "围标"}
    for topic in TOPICS:
        for channel in (Channel.EMAIL, Channel.SMS, Channel.VOICE):
            letter = a_letter(topic.key, channel, **told)
            for secret in told.values():
                assert secret not in f"{letter.title} {letter.text} {letter.filled}"


def test_what_falls_due_is_told_with_its_moment() -> None:
    """UX N-03."""
    text = a_letter("opening_near", Channel.EMAIL, due_at="2026-03-23T01:30:00Z").text
    assert "期限：2026年3月23日 09:30（北京时间）" in text


def test_an_expert_is_told_neither_for_whom_nor_where() -> None:
    """Bidding Law 37."""
    for channel in (Channel.SMS, Channel.VOICE):
        assert LOT not in a_letter("call", channel).text


def test_a_code_says_how_long_it_holds_and_leads_to_no_act_of_anybody_else() -> None:
    letter = code_letter(
        "493021",
        id=UUID(int=9),
        channel=Channel.SMS,
        address="+8613800005678",
        at=POSTED,
        settings=Settings(),
    )
    assert "493021" in letter.text
    assert "15 分钟" in letter.text
    assert len(letter.text) <= SMS_PART


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ((2, 21, 59), None),
        ((2, 22, 0), (3, 7)),
        ((2, 23, 59), (3, 7)),
        ((3, 0, 0), (3, 7)),
        ((3, 6, 59), (3, 7)),
        ((3, 7, 0), None),
    ],
)
def test_a_text_that_can_wait_waits_for_the_morning(
    at: tuple[int, int, int], until: tuple[int, int] | None
) -> None:
    """UX N-01."""
    day, hour, minute = at
    then = datetime(2026, 3, day, hour, minute, tzinfo=BEIJING)
    morning = None if until is None else datetime(2026, 3, until[0], until[1], tzinfo=BEIJING)
    assert quiet_until(Channel.SMS, must=False, at=then) == morning
    assert quiet_until(Channel.SMS, must=True, at=then) is None
    assert quiet_until(Channel.EMAIL, must=False, at=then) is None


def test_a_text_falls_back_to_a_call_and_to_the_second_mobile() -> None:
    """UX N-04."""
    assert FALLBACKS == {Channel.SMS: ((Channel.VOICE, "mobile"), (Channel.SMS, "second_mobile"))}
    assert all(Channel.VOICE not in ways for one in TOPICS for ways in one.to.values())


def test_every_topic_is_found_by_its_key() -> None:
    assert len(BY_KEY) == len(TOPICS)
