"""A witness: a small program that a regulator or a notary runs on a machine of his own.

It signs a log's checkpoint only when a proof shows that it extends the one it signed last, and
puts its own time beside its signature (C2SP tlog-witness, tlog-cosignature). What it signed last
is on its disk before a signature leaves it, so that a restart can never make it sign two trees.

A demo log's clock runs ahead of the world's. A witness accepts that only when it was told so at its
own start, only for an origin that begins with `demo.`, and only forward.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kernel.clock import machine_clock
from kernel.crypto import merkle
from kernel.crypto.digests import Malformed, b64, parse_instant, unb64
from kernel.crypto.notes import (
    Checkpoint,
    CheckpointOffer,
    WitnessSigner,
    open_checkpoint,
    parse_vkey,
    read_offer,
)
from kernel.errors import BrokenSeal
from kernel.store.trusted_authorities import trusted_authorities

BODY_MAX = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"
SLACK_S = 5
"""How far a clock may step back when it is corrected."""

Now = Callable[[], Awaitable[datetime]]


@dataclass(frozen=True, slots=True)
class Signed:
    """The last tree a witness signed, and the second on its clock."""

    size: int
    root: bytes
    at_unix: int = 0


class Memory:
    """What a witness signed last, kept on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def last(self) -> Signed:
        """The last tree signed; size 0 at the very beginning."""
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return Signed(0, merkle.EMPTY_ROOT)
        return Signed(kept["size"], unb64(kept["root"]), kept["at_unix"])

    def keep(self, signed: Signed) -> None:
        """Put it on the disk before anything is signed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            kept = {"size": signed.size, "root": b64(signed.root), "at_unix": signed.at_unix}
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


async def own_clock() -> datetime:
    """This machine's time."""
    return machine_clock()


def demo_clock(platform_url: str) -> Now:
    """This machine's time moved by a demo platform's offset, which may only grow."""
    offset: timedelta | None = None
    authorities = trusted_authorities()

    async def shifted() -> datetime:
        nonlocal offset
        async with httpx.AsyncClient(timeout=3, verify=authorities) as client:
            answer = await client.get(f"{platform_url}/api/v1/clock")
        answer.raise_for_status()
        told = answer.json()
        if not told["demo"]:
            raise BrokenSeal("that platform is not a demo")
        seen = parse_instant(told["now"]) - machine_clock()
        slack = timedelta(seconds=SLACK_S)
        if offset is not None and seen < offset - slack:
            raise BrokenSeal("the demo clock ran backwards")
        offset = seen if offset is None else max(offset, seen)
        return machine_clock() + offset

    return shifted


class Witness:
    """One witness: its key, what it signed last, and its clock."""

    def __init__(self, signer: WitnessSigner, *, log_vkey: str, memory: Memory, now: Now) -> None:
        self._signer = signer
        self._log_vkey = log_vkey
        self._memory = memory
        self._now = now
        self._one_at_a_time = asyncio.Lock()

    async def add_checkpoint(self, request: Request) -> Response:
        """Cosign an offered checkpoint, or say why not."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_MAX:
                return PlainTextResponse("too large\n", 413)
        try:
            offer = read_offer(body)
            seen = open_checkpoint(offer.note, self._log_vkey, ())
        except Malformed as error:
            return PlainTextResponse(f"{error}\n", 400)
        except BrokenSeal as error:
            return PlainTextResponse(f"{error}\n", 403)
        if offer.old_size > seen.size:
            return PlainTextResponse("the proof is of a larger tree\n", 400)
        async with self._one_at_a_time:
            return await self._judge(offer, Checkpoint(seen.origin, seen.size, seen.root))

    async def _judge(self, offer: CheckpointOffer, seen: Checkpoint) -> Response:
        last = self._memory.last()
        split = seen.size == last.size and seen.root != last.root
        if offer.old_size != last.size or split:
            return Response(f"{last.size}\n", 409, media_type=SIZE_TYPE)
        try:
            merkle.verify_consistency(
                older=last.size,
                newer=seen.size,
                older_root=last.root,
                newer_root=seen.root,
                proof=offer.proof,
            )
        except BrokenSeal as error:
            return PlainTextResponse(f"{error}\n", 422)
        try:
            at_unix = int((await self._now()).timestamp())
        except (BrokenSeal, httpx.HTTPError, KeyError, ValueError):
            return PlainTextResponse("the time is not known\n", 503)
        if at_unix < last.at_unix - SLACK_S:
            return PlainTextResponse("the clock ran backwards\n", 503)
        self._memory.keep(Signed(seen.size, seen.root, max(at_unix, last.at_unix)))
        return PlainTextResponse(self._signer.cosign(seen, at_unix))

    async def state(self, _: Request) -> Response:
        """Who this is, and what it signed last."""
        last = self._memory.last()
        origin = parse_vkey(self._log_vkey).name
        told = (self._signer.vkey, origin, str(last.size), b64(last.root))
        return PlainTextResponse("".join(f"{line}\n" for line in told))


def create_witness(
    signer: WitnessSigner, *, log_vkey: str, memory: Memory, now: Now = own_clock
) -> Starlette:
    """The witness as a web application with one address, `POST /add-checkpoint`."""
    witness = Witness(signer, log_vkey=log_vkey, memory=memory, now=now)
    return Starlette(
        routes=[
            Route("/add-checkpoint", witness.add_checkpoint, methods=["POST"]),
            Route("/", witness.state, methods=["GET"]),
        ]
    )
