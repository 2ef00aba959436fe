"""Nothing that must be delivered is lost, whatever fails: UX N-01, N-02, N-04; I-32.

A real mail server and a real gateway stand on this machine; time is held in the hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.access import PLATFORM, Role
from kernel.consents import Purpose, text_digest
from kernel.errors import PlatformError
from kernel.failpoints import FailpointHit, arm
from kernel.identifiers import EntryId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import consenting, contacting, outbox
from kernel.store.contacting import ContactKind
from kernel.store.outbox import LEASE, RETRY_AFTER, Channel, Message, Recipient
from kernel.store.transaction import Store, transaction
from tests.kept_stores import Sound, Tick
from tests.post_office import NEW_SECRET, PostOffice, a_post_office, contact_row, reachable
from tests.tenders import Player, a_player
from web.carriers import carriers_of
from web.delivering import deliver_once

FACTS = {"kind": "LotSuspended", "project": "A1", "number": 1, "lot": "一标段"}
EMAIL, MOBILE, SECOND = "wang@jiangcheng.example", "13800005678", "13900001234"


@pytest.fixture
async def office(store: Store, tmp_path: Path) -> AsyncIterator[PostOffice]:
    async with a_post_office(store, tmp_path) as office:
        yield office


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER)


async def posted(
    store: Store,
    who: Player,
    *,
    topic: str = "suspension",
    must: bool = True,
    channels: tuple[Channel, ...] = (Channel.INBOX, Channel.EMAIL, Channel.SMS),
    entry_id: EntryId | None = None,
) -> EntryId:
    entry_id = entry_id or EntryId(random_id())
    message = Message(topic, random_id(), must=must, channels=channels, facts=FACTS)
    async with transaction(store, actor=PLATFORM) as tx:
        await outbox.post(tx, entry_id, message, [Recipient(who.party, Role.BIDDER)])
    return entry_id


async def test_a_notification_reaches_mailbox_and_mobile(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL, mobile=MOBILE)
    await posted(store, bidder)
    assert await office.deliver() == 2
    (mail,) = office.mailbox.mails
    assert (mail["To"], mail["Subject"]) == (
        EMAIL,
        "【阳光交易】暂停、恢复、终止或者流标：一标段",
    )
    assert "请查看原因和后续安排" in mail.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"
    ((headers, asked),) = office.exchange.asked
    assert (asked["type"], asked["data"]["to"]) == ("sms.requested", f"+86{MOBILE}")
    assert asked["data"]["template"] == "sunbid.suspension"
    email, sms = await office.rows()
    assert headers["webhook-id"] == str(sms.id)
    assert mail["Message-ID"] == f"<{email.id}@localhost>"
    assert {row.state for row in (email, sms)} == {"sent"}
    assert all(row.settled_at is not None and row.due_at is None for row in (email, sms))


async def test_what_is_posted_twice_is_told_once(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    entry_id = await posted(store, bidder)
    await posted(store, bidder, entry_id=entry_id)
    await office.deliver()
    assert len(office.mailbox.mails) == 1
    async with transaction(store, actor=bidder.actor) as tx:
        assert (await outbox.inbox(tx)).total == 1


async def test_what_is_posted_by_an_act_that_fails_is_not_told(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    message = Message("suspension", random_id(), True, (Channel.INBOX, Channel.EMAIL), FACTS)
    with pytest.raises(PlatformError):
        async with transaction(store, actor=PLATFORM) as tx:
            to = [Recipient(bidder.party, Role.BIDDER)]
            await outbox.post(tx, EntryId(random_id()), message, to)
            raise PlatformError("the act did not happen")
    assert await office.deliver() == 0
    async with transaction(store, actor=bidder.actor) as tx:
        assert (await outbox.inbox(tx)).total == 0


async def test_a_process_that_dies_after_sending_sends_again_under_the_same_id(
    store: Store, office: PostOffice, bidder: Player, tick: Tick, sound: Sound
) -> None:
    await reachable(store, bidder, email=EMAIL, mobile=MOBILE)
    await posted(store, bidder)
    arm("delivery.carried=raise@1")
    try:
        with pytest.raises(FailpointHit):
            await office.deliver()
        arm("delivery.carried=raise@1")
        with pytest.raises(FailpointHit):
            await office.deliver()
    finally:
        arm("")
    assert await office.deliver() == 0
    office.later(LEASE)
    assert await office.deliver() == 2
    first, again = office.mailbox.mails
    assert first["Message-ID"] == again["Message-ID"]
    ids = {headers["webhook-id"] for headers, _ in office.exchange.asked}
    assert len(office.exchange.asked) == 2
    assert len(ids) == 1
    assert {row.state for row in await office.rows()} == {"sent"}
    await tick()
    await sound()


async def test_a_slow_hand_does_not_undo_what_another_has_settled(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    await posted(store, bidder)
    async with store.sessions() as session, session.begin():
        slow = await outbox.claim(session, now=office.now)
    assert slow is not None
    office.later(LEASE)
    assert await office.deliver() == 1
    async with store.sessions() as session, session.begin():
        failed = outbox.Outcome.REFUSED
        await outbox.note(session, slow, failed, "smtp 550", now=office.now, at=office.now)
    assert [row.state for row in await office.rows()] == ["sent"]


async def test_a_gateway_that_is_down_is_asked_again_at_the_hours_of_the_standard(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, mobile=MOBILE)
    await posted(store, bidder, topic="objection", must=False)
    office.exchange.answers = [503] * len(RETRY_AFTER)
    assert await office.deliver() == 1
    for wait in RETRY_AFTER:
        office.later(wait - timedelta(seconds=1))
        assert await office.deliver() == 0
        office.later(timedelta(seconds=1))
        # What can wait is not sent at night: then it is put off to the morning, and is no try.
        await office.deliver()
        if office.now.hour >= 22 or office.now.hour < 7:
            office.later(timedelta(hours=9))
            await office.deliver()
    ids = {headers["webhook-id"] for headers, _ in office.exchange.asked}
    assert (len(office.exchange.asked), len(ids)) == (len(RETRY_AFTER) + 1, 1)
    assert [answer for *_, answer in await office.attempts()] == [
        *["http 503"] * len(RETRY_AFTER),
        "http 202",
    ]
    assert [row.state for row in await office.rows()] == ["sent"]


async def test_after_the_last_try_it_is_given_up_and_says_so(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    await posted(store, bidder)
    office.mailbox.refusals = ["451 later"] * (len(RETRY_AFTER) + 1)
    for wait in (timedelta(0), *RETRY_AFTER):
        office.later(wait)
        assert await office.deliver() == 1
    office.later(timedelta(days=30))
    assert await office.deliver() == 0
    (row,) = await office.rows()
    assert (row.state, row.tries) == ("failed", len(RETRY_AFTER) + 1)
    assert {answer for *_, answer in await office.attempts()} == {"smtp 451"}


async def test_a_mailbox_that_does_not_exist_is_not_asked_again(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    await posted(store, bidder)
    office.mailbox.refusals = ["550 no such mailbox wang@jiangcheng.example"]
    assert await office.deliver() == 1
    assert [row.state for row in await office.rows()] == ["failed"]
    assert await office.attempts() == [(1, "refused", "smtp 550")]


async def test_a_text_that_must_arrive_takes_the_other_ways_when_it_fails(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    """UX N-04: a voice call, and the second mobile; once each, while the first is tried on."""
    await reachable(store, bidder, mobile=MOBILE, second_mobile=SECOND)
    await posted(store, bidder)
    office.exchange.answers = [503, 503]
    await office.deliver()
    office.later(RETRY_AFTER[0])
    await office.deliver()
    kinds = [(one["type"], one["data"]["to"]) for _, one in office.exchange.asked]
    assert sorted(kinds[2:]) == [
        ("sms.requested", f"+86{SECOND}"),
        ("voice.requested", f"+86{MOBILE}"),
    ]
    office.later(RETRY_AFTER[1])
    assert await office.deliver() == 1
    assert sorted((row.channel, row.fallback, row.state) for row in await office.rows()) == [
        ("sms", False, "sent"),
        ("sms", True, "sent"),
        ("voice", True, "sent"),
    ]


async def test_a_gateway_that_is_gone_for_good_lets_the_other_ways_begin_at_once(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, mobile=MOBILE)
    await posted(store, bidder)
    office.exchange.answers = [410]
    assert await office.deliver() == 2
    assert [(row.channel, row.state) for row in await office.rows()] == [
        ("sms", "failed"),
        ("voice", "sent"),
    ]


async def test_what_need_not_arrive_takes_no_other_way(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, mobile=MOBILE, second_mobile=SECOND)
    await posted(store, bidder, topic="objection", must=False)
    office.exchange.answers = [410]
    assert await office.deliver() == 1


async def test_what_must_arrive_cannot_be_silenced_and_the_rest_can(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    """UX N-01."""
    await reachable(store, bidder, mobile=MOBILE)
    async with transaction(store, actor=bidder.actor) as tx:
        await outbox.mute(tx, {("objection", "sms"), ("suspension", "sms")})
    await posted(store, bidder, topic="objection", must=False)
    await posted(store, bidder, topic="suspension", must=True)
    await office.deliver()
    assert [text.partition("：")[0] for text in office.exchange.texts] == [
        "【阳光交易】暂停、恢复、终止或者流标"
    ]
    async with transaction(store, actor=bidder.actor) as tx:
        assert (await outbox.inbox(tx)).total == 2


async def test_at_night_only_what_must_arrive_is_sent(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, mobile=MOBILE)
    await posted(store, bidder, topic="objection", must=False)
    await posted(store, bidder, topic="suspension", must=True)
    office.later(timedelta(hours=13))  # eleven in the evening
    await office.deliver()
    assert len(office.exchange.texts) == 1
    office.later(timedelta(hours=8))
    await office.deliver()
    assert len(office.exchange.texts) == 2


async def test_nothing_but_its_code_goes_to_an_address_that_is_not_verified(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    async with transaction(store, actor=bidder.actor) as tx:
        await consenting.give_consent(tx, Purpose.CALLS, text_digest(Purpose.CALLS))
        await contacting.keep_contact(tx, ContactKind.MOBILE, MOBILE)
    await posted(store, bidder)
    assert await office.deliver() == 1
    (text,) = office.exchange.texts
    code = contacting.code_of(store.settings, await contact_row(store, bidder, "mobile"))
    assert f"验证码 {code}" in text


async def test_an_address_that_is_taken_back_gets_nothing_more(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL)
    await posted(store, bidder)
    async with transaction(store, actor=bidder.actor) as tx:
        await contacting.forget_contact(tx, ContactKind.EMAIL)
    await office.deliver()
    assert office.mailbox.mails == []
    assert await office.attempts() == [(1, "later", "no_address")]


async def test_while_the_gateways_secret_is_changed_it_knows_us_by_either(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    secret = office.settings.gateway_secret_file
    assert secret is not None
    secret.write_text(f"{NEW_SECRET}\n{secret.read_text()}")
    office.carriers = carriers_of(office.settings, demo=False)
    await reachable(store, bidder, mobile=MOBILE)
    await posted(store, bidder)
    await office.deliver()
    assert len(office.exchange.texts) == 1


async def test_a_gateway_that_does_not_know_our_signature_is_asked_again(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    office.exchange.secrets = [b"another secret altogether"]
    await reachable(store, bidder, mobile=MOBILE)
    await posted(store, bidder)
    await office.deliver()
    assert await office.attempts() == [(1, "later", "http 401")]


async def test_servers_that_are_not_there_are_tried_again(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    gone = office.settings.model_copy(
        update={"mail_server": "smtp://127.0.0.1:9", "gateway_url": "http://127.0.0.1:9/"}
    )
    carriers = carriers_of(gone, demo=False)
    await reachable(store, bidder, email=EMAIL, mobile=MOBILE)
    await posted(store, bidder)
    while await deliver_once(store, carriers, clock=office.clock):
        pass
    assert {outcome for _, outcome, _ in await office.attempts()} == {"later"}
    office.later(RETRY_AFTER[0])
    assert await office.deliver() == 2


async def test_a_demonstration_with_nothing_set_up_sends_nothing(
    store: Store, office: PostOffice, bidder: Player
) -> None:
    await reachable(store, bidder, email=EMAIL, mobile=MOBILE)
    await posted(store, bidder)
    carriers = carriers_of(store.settings, demo=True)
    while await deliver_once(store, carriers, clock=office.clock):
        pass
    assert office.mailbox.mails == []
    assert office.exchange.asked == []
    assert {row.state for row in await office.rows()} == {"sent"}


@pytest.mark.parametrize("name", ["mail_server", "gateway_url"])
def test_nothing_goes_over_a_line_that_others_read(name: str) -> None:
    for address in ("smtp://mail.example.cn", "http://gateway.example.cn/", "mail.example.cn"):
        with pytest.raises(ValueError, match=r"clear|scheme"):
            Settings(**{name: address})  # type: ignore[arg-type]  # one text among many kinds


def test_a_gateway_without_a_secret_stops_the_process_at_its_start(settings: Settings) -> None:
    unsigned = settings.model_copy(update={"gateway_url": "https://gateway.example.cn/"})
    with pytest.raises(ValueError, match="SUNBID_GATEWAY_SECRET_FILE"):
        carriers_of(unsigned, demo=False)
