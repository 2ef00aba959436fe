"""The post room: everybody's inbox, the addresses to be reached at, and what became of each letter.

What a person was told is told in the capacity he acts in and to nobody else. How deliveries of a
lot stand is for those who sent them and those who supervise, and says nothing of bidders before
the close.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Form, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from kernel.crypto.digests import Malformed
from kernel.errors import NotFound
from kernel.events import plain
from kernel.store import contacting, outbox
from kernel.store.contacting import Contact, ContactKind
from kernel.store.outbox import Channel
from kernel.store.signing_in import is_demo
from web import demo_outbox
from web.carriers import channels_of
from web.delivery_board import delivery_board
from web.notifications import BY_KEY, CHANNEL_WORDS, CIRCLE_WORDS, TOPICS
from web.pages import render
from web.places import Place
from web.problems import INVALID, answer
from web.request_scope import Act, ActorDep, ActRoute, StoreDep

router = Place(route_class=ActRoute)

NO_STORE: Final = {"Cache-Control": "no-store"}
PAGES_MAX: Final = 100_000
MUTABLE: Final = frozenset(
    f"{topic.key}/{channel}"
    for topic in TOPICS
    if not topic.must
    for channels in topic.to.values()
    for channel in channels
    if channel is not Channel.INBOX
)
"""What can be switched off: everything that leaves the house and need not arrive."""

Page = Annotated[int, Query(ge=1, le=PAGES_MAX)]


class Asked(BaseModel):
    """A request body; members it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContactAsked(Asked):
    """An address to be reached at."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"kind": "mobile", "address": "13800005678"}}
    )

    kind: ContactKind
    address: Annotated[str, Field(min_length=1, max_length=contacting.ADDRESS_MAX)]


class CodeAsked(Asked):
    """The code that was sent to an address."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "493021"}})

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class ChoicesAsked(Asked):
    """What is to be silent, as `topic/channel`; everything else is heard."""

    model_config = ConfigDict(json_schema_extra={"example": {"muted": ["objection/sms"]}})

    muted: Annotated[list[str], Field(max_length=len(TOPICS) * len(Channel))] = []


# ── the inbox ─────────────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/notifications")
async def get_notifications(tx: Act, page: Page = 1, unread: bool = False) -> JSONResponse:
    """What one was told, the newest first, twenty on a page; with `unread` only what waits."""
    found = await outbox.inbox(tx, page=page, unread_only=unread)
    told = {
        "notifications": [_notification_told(one) for one in found.notifications],
        "total": found.total,
        "page": found.page,
        "pages": found.pages,
        "unread": await outbox.unread(tx.session, tx.actor),
    }
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/notifications/{notification_id}/reading", status_code=204)
async def post_reading(tx: Act, notification_id: UUID) -> None:
    """Note that one notification is read."""
    await outbox.mark_read(tx, notification_id)


@router.post("/api/v1/notifications/readings", status_code=204)
async def post_readings(tx: Act) -> None:
    """Note that all of them are read."""
    await outbox.mark_read(tx)


@router.get("/inbox", response_class=HTMLResponse, include_in_schema=False)
async def inbox_page(request: Request, tx: Act, page: Page = 1) -> HTMLResponse:
    """The inbox."""
    return render(
        request,
        "post_room/inbox.html",
        inbox=await outbox.inbox(tx, page=page),
        unread=await outbox.unread(tx.session, tx.actor),
        topics=BY_KEY,
        channels=CHANNEL_WORDS,
        now=tx.now,
    )


@router.post("/inbox", include_in_schema=False)
async def inbox_form(tx: Act, notification: Annotated[UUID | None, Form()] = None) -> Response:
    """Mark one notification read, or all, and show the inbox again."""
    await outbox.mark_read(tx, notification)
    return RedirectResponse("/inbox", 303)


# ── addresses and choices ─────────────────────────────────────────────────────────────────────


@router.get("/api/v1/contacts")
async def get_contacts(tx: Act) -> JSONResponse:
    """Where one can be reached, each address shown in part."""
    found = await contacting.own_contacts(tx)
    return JSONResponse({"contacts": [_contact_told(one) for one in found]}, headers=NO_STORE)


@router.post("/api/v1/contacts", status_code=202)
async def post_contact(request: Request, asked: ContactAsked, tx: Act) -> Response:
    """Give an address; a code is sent there, and nothing else before it is typed back."""
    try:
        contacting.plain_address(asked.kind, asked.address)
    except Malformed:
        words = "邮箱地址或者手机号码的格式不对"
        return _fault(request, "#/address", words, code="address")
    await contacting.keep_contact(tx, asked.kind, asked.address)
    return JSONResponse({"kind": str(asked.kind)}, 202, headers=NO_STORE)


@router.post("/api/v1/contacts/{kind}/verification", status_code=204)
async def post_contact_verification(
    request: Request, kind: ContactKind, asked: CodeAsked, tx: Act
) -> Response:
    """Type back the code that was sent to an address."""
    if not await contacting.verify_contact(tx, kind, asked.code):
        words = "验证码不对、已过期或者已输错五次；可以重新填写地址，再收一次验证码"
        return _fault(request, "#/code", words, code="wrong_code")
    return Response(status_code=204)


@router.delete("/api/v1/contacts/{kind}", status_code=204)
async def delete_contact(kind: ContactKind, tx: Act) -> None:
    """Erase an address."""
    await contacting.forget_contact(tx, kind)


@router.get("/api/v1/notification-choices")
async def get_choices(tx: Act) -> JSONResponse:
    """What could be silent, and what is."""
    silent = {f"{topic}/{channel}" for topic, channel in await outbox.muted(tx)}
    told = {"mutable": sorted(MUTABLE), "muted": sorted(silent & MUTABLE)}
    return JSONResponse(told, headers=NO_STORE)


@router.post("/api/v1/notification-choices", status_code=204)
async def post_choices(request: Request, asked: ChoicesAsked, tx: Act) -> Response:
    """Let these be silent and no others; what must be delivered cannot be."""
    if set(asked.muted) - MUTABLE:
        return _fault(request, "#/muted", "必达通知和站内信不能关闭", code="must")
    pairs = (one.partition("/") for one in asked.muted)
    await outbox.mute(tx, {(topic, channel) for topic, _, channel in pairs})
    return Response(status_code=204)


@router.get("/inbox/choices", response_class=HTMLResponse, include_in_schema=False)
async def choices_page(request: Request, tx: Act) -> HTMLResponse:
    """Where to be reached, who is told of what by which channel, and what one wants silent."""
    demo = await is_demo(tx.session)
    return render(
        request,
        "post_room/choices.html",
        contacts=await contacting.own_contacts(tx),
        ways=channels_of(tx.settings, demo=demo),
        demo=demo,
        topics=TOPICS,
        circles=CIRCLE_WORDS,
        channels=CHANNEL_WORDS,
        muted={f"{topic}/{channel}" for topic, channel in await outbox.muted(tx)},
        mutable=MUTABLE,
        now=tx.now,
    )


# ── what became of it ─────────────────────────────────────────────────────────────────────────


@router.get("/api/v1/lots/{lot_id}/deliveries")
async def get_deliveries(tx: Act, lot_id: UUID) -> JSONResponse:
    """What became of the notifications about a lot; of bidders nothing before the close."""
    return JSONResponse(plain(await delivery_board(tx, lot_id)), headers=NO_STORE)


@router.get("/lots/{lot_id}/deliveries", response_class=HTMLResponse, include_in_schema=False)
async def deliveries_page(request: Request, tx: Act, lot_id: UUID) -> HTMLResponse:
    """The same as a page."""
    return render(
        request,
        "post_room/deliveries.html",
        board=await delivery_board(tx, lot_id),
        topics=BY_KEY,
        channels=CHANNEL_WORDS,
        now=tx.now,
    )


@router.get("/demo/outbox", response_class=HTMLResponse, include_in_schema=False)
async def demo_outbox_page(request: Request, actor: ActorDep, store: StoreDep) -> HTMLResponse:
    """What a demonstration would have sent, in full: its people and addresses are fictional."""
    async with store.sessions() as session:
        if not await is_demo(session):
            raise NotFound("no such page")
        letters = await demo_outbox.letters(session, store.settings)
    return render(
        request,
        "post_room/demo_outbox.html",
        actor=actor,
        letters=letters,
        channels=CHANNEL_WORDS,
    )


# ── how answers are told ──────────────────────────────────────────────────────────────────────


def _notification_told(one: outbox.Notification) -> dict[str, Any]:
    told = plain(one)
    assert isinstance(told, dict)
    topic = BY_KEY[one.topic]
    return {
        **{name: told[name] for name in told if name not in ("party_id", "role")},
        "words": topic.words.zh,
        "path": topic.path.format(subject=one.subject_id),
    }


def _contact_told(one: Contact) -> dict[str, Any]:
    told = plain(one)
    assert isinstance(told, dict)
    return told


def _fault(request: Request, pointer: str, words: str, *, code: str) -> Response:
    """A body that does not hold, told and not raised: what was counted of the try stays counted."""
    errors = [{"pointer": pointer, "detail": words}]
    return answer(request, INVALID, code=code, extra={"errors": errors})
