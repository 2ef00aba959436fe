"""Addresses are kept sealed, shown in part, and used once they are shown to be their owner's.

RELIABILITY 6 (personal data under a key of its own), UX G-43.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text

from kernel.access import Role
from kernel.consents import Purpose, text_digest
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, TooMuch
from kernel.store import consenting, contacting
from kernel.store.contacting import Contact, ContactKind, masked, plain_address
from kernel.store.transaction import Store, transaction
from tests.post_office import contact_row, reachable
from tests.tenders import Player, a_player

EMAIL, MOBILE = ContactKind.EMAIL, ContactKind.MOBILE


async def kept(store: Store, who: Player, kind: ContactKind, address: str) -> None:
    async with transaction(store, actor=who.actor) as tx:
        await consenting.give_consent(tx, Purpose.CALLS, text_digest(Purpose.CALLS))
        await contacting.keep_contact(tx, kind, address)


async def verified(store: Store, who: Player, kind: ContactKind, code: str) -> bool:
    async with transaction(store, actor=who.actor) as tx:
        return await contacting.verify_contact(tx, kind, code)


async def code_sent(store: Store, who: Player, kind: ContactKind) -> str:
    return contacting.code_of(store.settings, await contact_row(store, who, kind))


async def contacts(store: Store, who: Player) -> tuple[Contact, ...]:
    async with transaction(store, actor=who.actor) as tx:
        return await contacting.own_contacts(tx)


async def aged(store: Store, wait: timedelta) -> None:
    """The codes were asked for that much longer ago."""
    async with store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE kernel.contact SET code_asked_at = code_asked_at - CAST(:w AS interval)"),
            {"w": wait},
        )


def a_wrong_code(right: str) -> str:
    return f"{(int(right) + 1) % 1_000_000:06d}"


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER)


async def test_an_address_is_its_owners_once_the_code_was_typed_back(
    store: Store, bidder: Player
) -> None:
    await kept(store, bidder, MOBILE, "138 0000 5678")
    (before,) = await contacts(store, bidder)
    assert (before.shown, before.verified_at) == ("138****5678", None)
    code = await code_sent(store, bidder, MOBILE)
    assert not await verified(store, bidder, MOBILE, a_wrong_code(code))
    assert await verified(store, bidder, MOBILE, code)
    (after,) = await contacts(store, bidder)
    assert after.verified_at is not None
    assert not await verified(store, bidder, MOBILE, code)


async def test_an_address_stands_nowhere_in_the_database_as_it_is_written(
    store: Store, bidder: Player
) -> None:
    await reachable(store, bidder, email="wang.li@jiangcheng.example", mobile="13800005678")
    async with store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT to_jsonb(c)::text FROM kernel.contact c UNION ALL"
                " SELECT to_jsonb(d)::text FROM kernel.delivery d UNION ALL"
                " SELECT convert_from(record, 'UTF8') FROM kernel.journal"
            )
        )
        told = "\n".join(row for (row,) in rows)
    for part in ("wang.li", "13800005678", b"wang.li".hex(), b"13800005678".hex()):
        assert part not in told
    row = await contact_row(store, bidder, "email")
    assert contacting.opened(store.settings, row) == "wang.li@jiangcheng.example"


async def test_an_address_sealed_for_one_row_opens_in_no_other(
    store: Store, bidder: Player
) -> None:
    await reachable(store, bidder, mobile="13800005678", second_mobile="13900001234")
    first = await contact_row(store, bidder, "mobile")
    second = await contact_row(store, bidder, "second_mobile")
    first.sealed, first.salt = second.sealed, second.salt
    with pytest.raises(InvalidTag):
        contacting.opened(store.settings, first)


async def test_a_forgotten_address_leaves_nothing_to_open(store: Store, bidder: Player) -> None:
    await reachable(store, bidder, mobile="13800005678")
    async with transaction(store, actor=bidder.actor) as tx:
        await contacting.forget_contact(tx, MOBILE)
    assert await contacts(store, bidder) == ()
    row = await contact_row(store, bidder, "mobile")
    assert (row.sealed, row.salt, row.code_salt, row.verified_at) == (b"", b"", b"", None)
    with pytest.raises(NotFound):
        await verified(store, bidder, MOBILE, "000000")


async def test_a_code_holds_a_quarter_of_an_hour(store: Store, bidder: Player) -> None:
    await kept(store, bidder, EMAIL, "a@example.cn")
    code = await code_sent(store, bidder, EMAIL)
    await aged(store, timedelta(minutes=15))
    assert not await verified(store, bidder, EMAIL, code)


async def test_five_wrong_codes_end_it_even_for_the_right_one(store: Store, bidder: Player) -> None:
    await kept(store, bidder, EMAIL, "a@example.cn")
    code = await code_sent(store, bidder, EMAIL)
    for _ in range(5):
        assert not await verified(store, bidder, EMAIL, a_wrong_code(code))
    assert not await verified(store, bidder, EMAIL, code)


async def test_nobody_is_flooded_with_codes(store: Store, bidder: Player) -> None:
    """Once a minute, five times a day, and erasing the address in between changes nothing."""
    for number in range(5):
        await kept(store, bidder, MOBILE, f"1380000{number:04d}")
        with pytest.raises(TooMuch):
            await kept(store, bidder, MOBILE, "13800009999")
        async with transaction(store, actor=bidder.actor) as tx:
            await contacting.forget_contact(tx, MOBILE)
        with pytest.raises(TooMuch):
            await kept(store, bidder, MOBILE, "13800009999")
        await aged(store, timedelta(minutes=1))
    with pytest.raises(TooMuch):
        await kept(store, bidder, MOBILE, "13800009999")
    await aged(store, timedelta(days=1))
    await kept(store, bidder, MOBILE, "13800009999")


async def test_an_address_given_for_one_organisation_is_none_of_anothers(
    store: Store, bidder: Player
) -> None:
    other = await a_player(store, Role.BIDDER)
    await reachable(store, bidder, mobile="13800005678")
    assert await contacts(store, other) == ()


@pytest.mark.parametrize(
    ("kind", "given", "plain"),
    [
        (MOBILE, "13800005678", "+8613800005678"),
        (MOBILE, " 138-0000-5678 ", "+8613800005678"),
        (MOBILE, "+85291234567", "+85291234567"),
        (EMAIL, "Li.Wang+bid@Example.CN", "Li.Wang+bid@example.cn"),
    ],
)
def test_an_address_has_one_form(kind: ContactKind, given: str, plain: str) -> None:
    assert plain_address(kind, given) == plain


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (MOBILE, "12800005678"),
        (MOBILE, "1380000567"),
        (MOBILE, "01088886666"),
        (EMAIL, "no address"),
        (EMAIL, "a@localhost"),
        (EMAIL, "a@b.cn\r\nBcc: c@d.cn"),
        (EMAIL, "a@b.cn,c@d.cn"),
        (EMAIL, "<a@b.cn>"),
        (EMAIL, f"{'a' * 250}@b.cn"),
    ],
)
def test_what_can_be_no_address_is_turned_away(kind: ContactKind, given: str) -> None:
    with pytest.raises(Malformed):
        plain_address(kind, given)


def test_a_mask_hides_the_middle() -> None:
    assert masked("+8613800005678") == "138****5678"
    assert masked("wang.li@example.cn") == "w***@example.cn"
