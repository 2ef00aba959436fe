"""The platform as a program uses it: signs in with a key, signs statements, uploads, follows views.

What can be repeated safely is repeated when the line or the platform fails for a moment: reading,
the parts of an upload, and whatever carries an idempotency key. An act without one is never sent
twice, because nobody could tell whether the first one was done.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from kernel.clock import machine_clock
from kernel.crypto.digests import b64, b64u, canonical, instant_text
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.store.trusted_authorities import trusted_authorities

PART: Final = 8 * 1024 * 1024
DSSE: Final = "application/vnd.dsse+json"
TRIES: Final = 5
FIRST_PAUSE_S: Final = 0.2
PAUSE_MAX_S: Final = 15.0
UPLOADS_AT_ONCE: Final = 3
PASSING: Final = frozenset({429, 502, 503, 504})
"""Statuses that say: not now, but soon."""

NOT_SIGNED_IN, NOT_YOURS = 4401, 4403
"""The close codes after which a socket need not be tried again as it is."""


class Problem(Exception):
    """The platform said no; `refusals` are the law's grounds where it is the law that says it."""

    def __init__(
        self, status: int, code: str, refusals: list[dict[str, Any]], body: dict[str, Any]
    ) -> None:
        told = "; ".join(f"{one.get('reason')} {one.get('article')}" for one in refusals)
        super().__init__(f"{status} {code}: {told or body.get('detail') or body.get('title', '')}")
        self.status = status
        self.code = code
        self.refusals = refusals
        self.body = body

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all grounds, or the problem's own where the law gave none."""
        return frozenset(str(one["code"]) for one in self.refusals) or frozenset({self.code})


class Unreachable(Exception):
    """The platform did not answer, however often it was asked."""


class Gap(Exception):
    """A view's numbers jumped: something was withheld."""


@dataclass(frozen=True, slots=True)
class SignedInAs:
    """For whom this client acts."""

    person_id: str
    organisation_id: str
    role: str
    expires_at: str


def signed_statement(
    key: PrivateKey, kind: str, payload: Mapping[str, object], *, at: datetime
) -> bytes:
    """A statement of this kind, dated and signed by this key, as DSSE."""
    said = {"v": f"ebid-{kind}/1", "signed_at": instant_text(at), **payload}
    return key.sign(payload_type(kind), canonical(said)).to_bytes()


class Client:
    """One program's line to the platform, with the key it signs by.

    `transport` replaces the network, for a platform in the same process.
    """

    def __init__(
        self,
        base_url: str,
        key: PrivateKey | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience_s: float = 60.0,
        clock: Callable[[], datetime] = machine_clock,
    ) -> None:
        parts = urlsplit(base_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.key = key
        self.token: str | None = None
        self.acts_as: SignedInAs | None = None
        self._clock = clock
        self._http = httpx.AsyncClient(
            base_url=self.origin,
            transport=transport,
            verify=trusted_authorities(),
            timeout=patience_s,
            headers={"Accept": "application/json", "User-Agent": "sunbid-client"},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the line back."""
        await self._http.aclose()

    # ── coming in ──

    async def register(
        self,
        *,
        uscc: str,
        name: str,
        region: str,
        responsible_person: str,
        roles: Collection[str],
        person: str,
        identity_document: str,
    ) -> dict[str, Any]:
        """Register an organisation with its first person, who holds this key; their ids."""
        return await self._posted(
            "/api/v1/registrations",
            "registration",
            {
                "uscc": uscc,
                "name": name,
                "region": region,
                "responsible_person": responsible_person,
                "roles": sorted(str(role) for role in roles),
                "person": person,
                "identity_document": identity_document,
                "public_key": b64u(self._own_key.public_bytes),
            },
        )

    def membership(
        self, *, organisation_id: str, roles: Collection[str], person: str, identity_document: str
    ) -> bytes:
        """This key's request to act for an organisation; a member there sends it with `join`."""
        return self.statement(
            "membership",
            {
                "organisation": organisation_id,
                "roles": sorted(str(role) for role in roles),
                "person": person,
                "identity_document": identity_document,
                "public_key": b64u(self._own_key.public_bytes),
            },
        )

    async def join(self, membership: bytes) -> dict[str, Any]:
        """Let the person who signed this request act for one's own organisation."""
        answer = await self._send(
            "POST", "/api/v1/people", content=membership, headers={"Content-Type": DSSE}
        )
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in(self, role: str, organisation_id: str) -> SignedInAs:
        """Begin a session in this capacity for this organisation."""
        self.token = None
        given = (await self._send("POST", "/api/v1/challenges", repeat=True)).json()
        told = await self._posted(
            "/api/v1/sessions",
            "sign-in",
            {
                "challenge": given["challenge"],
                "role": str(role),
                "organisation": str(organisation_id),
                "origin": self.origin,
            },
        )
        self.token = told["token"]
        self.acts_as = SignedInAs(
            told["person_id"], told["organisation_id"], told["role"], told["expires_at"]
        )
        return self.acts_as

    async def sign_out(self) -> None:
        """End the session."""
        await self._send("DELETE", "/api/v1/sessions/current")
        self.token = self.acts_as = None

    # ── asking and acting ──

    async def get(self, path: str, **parameters: object) -> Any:
        """The JSON at a path; `Problem` where the platform says no."""
        return _json(await self._send("GET", _with(path, parameters), repeat=True))

    async def read(self, path: str, **parameters: object) -> bytes:
        """The bytes at a path, whatever they are."""
        answer = await self._send(
            "GET", _with(path, parameters), headers={"Accept": "*/*"}, repeat=True
        )
        return answer.content

    async def post(
        self, path: str, body: object = None, *, idempotency_key: str | None = None
    ) -> Any:
        """Act, with a JSON body; what the platform answers."""
        return _json(await self._act("POST", path, body, idempotency_key))

    async def put(
        self, path: str, body: object = None, *, idempotency_key: str | None = None
    ) -> Any:
        """Replace what is at a path."""
        return _json(await self._act("PUT", path, body, idempotency_key))

    async def put_file(self, path: str, content: bytes, *, media_type: str) -> Any:
        """Put a file at a path, byte for byte; putting it again changes nothing."""
        return await self._sent_file("PUT", path, content, media_type)

    async def post_file(self, path: str, content: bytes, *, media_type: str) -> Any:
        """Send a file that is kept by its digest, whoever names it later; what came of it."""
        return await self._sent_file("POST", path, content, media_type)

    async def _sent_file(self, method: str, path: str, content: bytes, media_type: str) -> Any:
        return _json(
            await self._send(
                method,
                quote(path),
                content=content,
                headers={"Content-Type": media_type},
                repeat=True,
            )
        )

    async def delete(self, path: str) -> Any:
        """Take away what is at a path."""
        return _json(await self._act("DELETE", path, None, None))

    def statement(self, kind: str, payload: Mapping[str, object]) -> bytes:
        """A statement of this kind, dated now and signed by this key."""
        return signed_statement(self._own_key, kind, payload, at=self._clock())

    async def post_statement(
        self,
        path: str,
        kind: str,
        payload: Mapping[str, object],
        *,
        idempotency_key: str | None = None,
    ) -> Any:
        """Sign a statement and send it; what the platform answers."""
        return await self.post_signed(
            path, self.statement(kind, payload), idempotency_key=idempotency_key
        )

    async def post_signed(
        self, path: str, envelope: bytes, *, idempotency_key: str | None = None
    ) -> Any:
        """Send a statement that is signed already, byte for byte."""
        headers = {"Content-Type": DSSE}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return _json(
            await self._send(
                "POST",
                path,
                content=envelope,
                headers=headers,
                repeat=idempotency_key is not None,
            )
        )

    # ── uploading ──

    async def upload(
        self,
        lot_id: str,
        envelope: str,
        content: Path | bytes,
        *,
        offset: int = 0,
        told: Callable[[int, int], None] | None = None,
    ) -> str:
        """Upload a sealed envelope's payload in parts; the upload's id once every part is there.

        `offset` is where the payload begins in `content`: behind its header, which goes by itself
        with `put_header`. Parts that arrived before, in an earlier try or under the same content,
        are not sent again. `told` hears how many of how many parts are there.
        """
        source = _Parts(content, offset)
        digests = await asyncio.to_thread(source.digests)
        begun = await self.post(
            f"/api/v1/lots/{lot_id}/uploads",
            {
                "envelope": envelope,
                "size": source.size,
                "parts": [digest.hex() for digest in digests],
            },
        )
        upload_id = str(begun["upload_id"])
        for _ in range(TRIES):
            state = await self.get(f"/api/v1/uploads/{upload_id}")
            missing = [int(number) for number in state["missing"]]
            if told is not None:
                told(len(digests) - len(missing), len(digests))
            if not missing:
                return upload_id
            await self._send_parts(upload_id, source, digests, missing)
        raise Unreachable("parts of the upload keep getting lost")

    async def put_header(self, upload_id: str, header: bytes) -> Any:
        """Send the header that belongs to an upload; sending it again changes nothing."""
        return _json(
            await self._send(
                "PUT",
                f"/api/v1/uploads/{upload_id}/header",
                content=header,
                headers={"Content-Type": "application/octet-stream"},
                repeat=True,
            )
        )

    async def put_part(self, upload_id: str, number: int, part: bytes) -> Any:
        """Send one part; sending it again changes nothing."""
        digest = await asyncio.to_thread(lambda: hashlib.sha256(part).digest())
        return _json(
            await self._send(
                "PUT",
                f"/api/v1/uploads/{upload_id}/parts/{number}",
                content=part,
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Digest": f"sha-256=:{b64(digest)}:",
                    "X-Part-SHA256": digest.hex(),
                },
                repeat=True,
            )
        )

    async def _send_parts(
        self, upload_id: str, source: _Parts, digests: list[bytes], missing: list[int]
    ) -> None:
        gate = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def send(number: int) -> None:
            async with gate:
                part = await asyncio.to_thread(source.part, number)
                if hashlib.sha256(part).digest() != digests[number]:
                    raise ValueError("the file changed while it was uploaded")
                await self.put_part(upload_id, number, part)

        sending = [asyncio.create_task(send(number)) for number in missing]
        try:
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    # ── following ──

    async def watch(self, view: str, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The entries of a view after a number, each once and in order, for ever.

        A line that breaks is taken up again after the last entry seen. `Problem` where the view is
        not for this client; `Gap` where the platform leaves an entry out.
        """
        pause_s, renewed = FIRST_PAUSE_S, False
        while True:
            try:
                async with self._socket(view, after) as socket:
                    async for text in socket:
                        entry: dict[str, Any] = json.loads(text)
                        number = int(entry["seq"])
                        if number <= after:
                            continue
                        if number != after + 1:
                            raise Gap(f"{view}: {number} came after {after}")
                        after, pause_s, renewed = number, FIRST_PAUSE_S, False
                        yield entry
            except InvalidStatus as refused:
                if refused.response.status_code not in PASSING:
                    raise _socket_problem(refused.response.status_code, view) from None
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd is not None else 1006
                if code == NOT_YOURS:
                    raise _socket_problem(403, view) from None
                if code == NOT_SIGNED_IN and not await self._signed_in_again(renewed):
                    raise _socket_problem(401, view) from None
                renewed = renewed or code == NOT_SIGNED_IN
            except (OSError, InvalidHandshake, TimeoutError):
                pass
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def _socket(self, view: str, after: int) -> connect:
        query = urlencode({"view": view, "after": after})
        address = "ws" + self.origin.removeprefix("http")
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return connect(
            f"{address}/live?{query}",
            additional_headers=headers,
            proxy=None,
        )

    # ── within ──

    @property
    def _own_key(self) -> PrivateKey:
        if self.key is None:
            raise ValueError("this client has no key to sign by")
        return self.key

    async def _posted(self, path: str, kind: str, payload: Mapping[str, object]) -> dict[str, Any]:
        answer: dict[str, Any] = await self.post_statement(path, kind, payload)
        return answer

    async def _act(
        self, method: str, path: str, body: object, idempotency_key: str | None
    ) -> httpx.Response:
        headers = {}
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return await self._send(
            method, path, content=content, headers=headers, repeat=idempotency_key is not None
        )

    async def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = False,
    ) -> httpx.Response:
        pause_s, renewed = FIRST_PAUSE_S, False
        for turn in range(TRIES):
            last = not repeat or turn == TRIES - 1
            sent = dict(headers or {})
            if self.token is not None:
                sent["Authorization"] = f"Bearer {self.token}"
            try:
                answer = await self._http.request(method, path, content=content, headers=sent)
            except httpx.TransportError as error:
                if last and not _never_sent(error):
                    raise Unreachable(f"{method} {path}: {error!r}") from error
                if turn == TRIES - 1:
                    raise Unreachable(f"{method} {path}: {error!r}") from error
            else:
                if answer.is_success:
                    return answer
                if answer.status_code == 401 and await self._signed_in_again(renewed):
                    renewed = True
                    continue
                problem = _problem(answer)
                # Whoever is told to wait has been done nothing for, so asking again is safe.
                told_to_wait = problem.status == 429 and turn < TRIES - 1
                if not told_to_wait and (last or not _passes(problem)):
                    raise problem
                pause_s = max(pause_s, _retry_after_s(answer))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)
        raise Unreachable(f"{method} {path}")

    async def _signed_in_again(self, renewed: bool) -> bool:
        """Sign in anew where a session had ended by itself; False where that cannot help."""
        if renewed or self.token is None or self.acts_as is None or self.key is None:
            return False
        before = self.acts_as
        try:
            await self.sign_in(before.role, before.organisation_id)
        except Problem:
            return False
        return True


class _Parts:
    """A file or bytes from a place on, in parts of 8 MiB; the last one may be shorter."""

    def __init__(self, content: Path | bytes, offset: int = 0) -> None:
        self._content = content
        self._offset = offset
        whole = content.stat().st_size if isinstance(content, Path) else len(content)
        self.size = whole - offset

    @property
    def count(self) -> int:
        return max(-(-self.size // PART), 1)

    def part(self, number: int) -> bytes:
        start = self._offset + number * PART
        if isinstance(self._content, bytes):
            return self._content[start : start + PART]
        with self._content.open("rb") as file:
            file.seek(start)
            return file.read(PART)

    def digests(self) -> list[bytes]:
        return [hashlib.sha256(self.part(number)).digest() for number in range(self.count)]


def _with(path: str, parameters: Mapping[str, object]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    if not given:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(given)}"


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None


def _problem(answer: httpx.Response) -> Problem:
    body: Any = {}
    with suppress(ValueError):
        body = answer.json()
    if not isinstance(body, dict):
        body = {}
    return Problem(
        answer.status_code,
        str(body.get("code") or "http"),
        list(body.get("refusals") or []),
        body,
    )


def _socket_problem(status: int, view: str) -> Problem:
    code = {401: "not_signed_in", 403: "not_permitted"}.get(status, "http")
    return Problem(status, code, [], {"detail": f"the view {view} cannot be watched"})


def _passes(problem: Problem) -> bool:
    return problem.status in PASSING or problem.code == "still_running"


def _never_sent(error: httpx.TransportError) -> bool:
    """Whether the request certainly never reached the platform, so that any may be tried again."""
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _retry_after_s(answer: httpx.Response) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), PAUSE_MAX_S) if told.isdigit() else 0.0
