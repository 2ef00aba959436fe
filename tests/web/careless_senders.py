"""A house whose callers are careless: each kind of statement comes spoilt before it comes right.

Whatever is signed and sent to a route is first sent with a member dropped, one added, one of
another type, the id of another thing, an instant that is none: each time signed again by the same
keys, so that nothing but the statement itself is wrong. Then it is sent as it was meant.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.crypto.digests import b64, b64u, canonical, sha256, unb64
from kernel.crypto.signing import Envelope, PrivateKey
from kernel.crypto.statement_kinds import FORMS
from kernel.store.transaction import Store
from tests.tenders import Player

KINDS_OF_JSON: tuple[Any, ...] = (None, True, 7, "x", [], {})
REFUSED = frozenset(range(400, 500)) - {429}
NO_INSTANTS = ("yesterday", "2026-02-30T00:00:00Z", True)

SIGNED_ON_THE_WAY = frozenset(
    {
        *("authorisation", "custodian-key", "timetable", "opening-policy", "notice"),
        *("submission", "release", "shares", "opening-record", "candidates", "award"),
        *("draw-commit", "draw-shares", "draw-eligibility", "draw-reveal", "draw-answer"),
        *("seat", "seat-presence", "seat-lease", "evaluation-sign-in", "scores-commit"),
        "report-signature",
    }
)
"""What is signed on the way of a voluntary tender from its draft to its award."""

SIGNED_FOR_A_LISTING = frozenset(
    {
        *("listing", "listing-reserve", "listing-registration"),
        *("listing-quote", "listing-going-on", "listing-deal", "listing-forfeiture"),
        *("listing-suspension", "listing-resumption", "listing-termination", "listing-voiding"),
        *("listing-authorisation", "listing-authorisation-end"),
    }
)
"""What is signed on the way of a listing from its announcement to its deal."""

FOR_AN_ARCHIVE = frozenset({"legal-hold", "legal-hold-end"})
"""What is signed to hold an archive, and to lift that."""

BESIDE_A_TENDER = frozenset({"licence", "performance", "authorisation-end"})
"""What is signed for a library, and to end an agency's authorisation."""

AFTER_THE_AWARD = frozenset(
    {
        *("award-report", "contract", "contract-filing", "contract-change"),
        *("performance-report", "settlement", "security-forfeiture"),
    }
)
"""What is signed between an award and the settlement of its contract."""

WHEN_A_WINNER_FAILS = frozenset({"award-vote", "award-renunciation", "award-annulment"})
"""What is signed where a committee votes on an award, and where one falls away."""

WHEN_A_CANDIDATE_IS_DOUBTED = frozenset(
    {"candidate-recheck", "recheck-opinion", "objection-return"}
)
"""What is signed where the committee examines a candidate again, or its result goes back to it."""

BEFORE_THE_BIDS = frozenset(
    {
        *("prequalification", "prequalification-addendum", "application"),
        *("application-release", "prequalification-review"),
    }
)
"""What is signed to qualify bidders beforehand."""

IN_A_REVIEW = frozenset({"application-findings"})
"""What members of a committee sign that reviews applications."""

SEALED_IN_BIDS = frozenset({"consortium-agreement"})
"""What is signed and never sent by itself: it is read where the bids lie open."""

SIGNED_AFTER_THE_CLOSE = frozenset({"fallback", "validity-extension", "validity-answer"})
"""What may have to be signed between the close and the award."""

SIGNED_IN_TALKS = frozenset({"talk-answer", "talk-leave", "last-price", "last-price-opening"})
"""What suppliers sign between the opening of their first responses and their last price."""

SIGNED_FOR_ONE_SUPPLIER = frozenset({"price-agreement"})
"""What is signed where a price is agreed with the only supplier."""

_TABLES = text(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
    " WHERE schemaname IN ('blacklist', 'trading', 'expert_pool', 'evaluation')"
    " OR schemaname = 'kernel' AND tablename IN"
    " ('organisation', 'person', 'membership', 'credential', 'capacity', 'request')"
    " ORDER BY 1"
)


class CarelessSenders:
    """The house behind these callers; `spoilt` counts what was sent of each kind."""

    def __init__(self, app: FastAPI, store: Store) -> None:
        self.app: ASGIApp = app
        self.state = app.state
        self.store = store
        self.keys: dict[str, PrivateKey] = {}
        self.spoilt: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    def known(self, *people: Player | PrivateKey) -> None:
        """These may be careless: their statements can be signed again."""
        for one in people:
            key = one if isinstance(one, PrivateKey) else one.key
            self.keys[key.keyid] = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the spoilt ones go before the right one."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        # What is kept is compared, so nobody else may act meanwhile.
        async with self._one_at_a_time:
            await self._spoil(scope, body)
            await self.app(scope, _body(body), send)

    async def _spoil(self, scope: Scope, body: bytes) -> None:
        for place, raw in _statements(body):
            envelope = Envelope.from_bytes(raw, max_bytes=32 << 20)
            kind = envelope.payload_type.split(".")[2]
            keys = [self.keys.get(one.keyid) for one in envelope.signatures]
            if kind in self.spoilt or None in keys:
                continue
            self.spoilt[kind] = 0
            before = await self._kept()
            for what, said in _spoilt(kind, json.loads(envelope.payload)):
                bad = _signed(envelope.payload_type, said, [key for key in keys if key])
                status = await self._sent(scope, self._with(body, place, bad))
                self.spoilt[kind] += 1
                assert status in REFUSED, f"{kind} with {what}: {status}"
            assert await self._kept() == before, f"something was kept of a refused {kind}"

    def _with(self, body: bytes, place: str, raw: bytes) -> bytes:
        """The body with this statement in that place; what vouches for it vouches for this one."""
        if not place:
            return raw
        sent = json.loads(body)
        sent[place] = b64(raw) if isinstance(sent[place], str) else json.loads(raw)
        if place == "declaration":
            presence = Envelope.from_bytes(unb64(sent["presence"]))
            said = {**json.loads(presence.payload), "declaration": b64u(sha256(raw))}
            keys = [self.keys[one.keyid] for one in presence.signatures]
            sent["presence"] = b64(_signed(presence.payload_type, said, keys))
        return json.dumps(sent).encode()

    async def _sent(self, scope: Scope, body: bytes) -> int:
        status = 0

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]

        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await self.app({**scope, "headers": [*headers, length]}, _body(body), heard)
        return status

    async def _kept(self) -> list[Any]:
        """A digest of every row there is, but of the log's."""
        async with self.store.sessions() as session:
            tables = (await session.scalars(_TABLES)).all()
            rows = await session.execute(
                text(
                    " UNION ALL ".join(
                        f"SELECT '{one}', md5(string_agg(t::text, ',' ORDER BY t::text))"
                        f" FROM {one} t"
                        for one in tables
                    )
                )
            )
            return sorted(map(tuple, rows))


def _spoilt(kind: str, payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The payload with one thing wrong with it, and what that is."""
    yield "an unknown member", {**payload, "unknown": "x"}
    for name in sorted(FORMS[kind].required):
        yield f"no {name}", {key: value for key, value in payload.items() if key != name}
    if "signed_at" in FORMS[kind].required | FORMS[kind].optional:
        for told in NO_INSTANTS:
            yield f"signed_at {told}", {**payload, "signed_at": told}
    for name, value in payload.items():
        for other in KINDS_OF_JSON:
            if type(other) is not type(value):
                yield f"{name} {other!r}", {**payload, name: other}
        if _is_id(value):
            yield f"another {name}", {**payload, name: str(uuid4())}


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def _signed(payload_type: str, said: dict[str, Any], keys: Iterable[PrivateKey]) -> bytes:
    payload = canonical(said)
    first, *others = keys
    envelope = first.sign(payload_type, payload)
    for key in others:
        envelope = envelope.also_signed(key.signature(payload_type, payload))
    return envelope.to_bytes()


def _statements(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The statements in a body, and under which name each stands; no name where it is the body."""
    try:
        sent = json.loads(body)
    except ValueError:
        return
    if isinstance(sent, dict) and "payloadType" in sent:
        yield "", body
    elif isinstance(sent, dict):
        for name, value in sent.items():
            if isinstance(value, dict) and "payloadType" in value:
                yield name, json.dumps(value).encode()
            elif name in ("declaration", "presence"):
                yield name, unb64(value)


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _body(content: bytes) -> Receive:
    left = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        return left.pop() if left else await asyncio.Future()

    return receive
