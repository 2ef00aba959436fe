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
from kernel.crypto.digests import b64, parse_instant, unb64
from kernel.crypto.notes import (
    Checkpoint,
    WitnessSigner,
    open_checkpoint,
    parse_vkey,
    read_offer,
)
from kernel.errors import BrokenSeal

BODY_MAX = 64 * 1024
SIZE_TYPE = "text/x.tlog.size"

Now = Callable[[], Awaitable[datetime]]


@dataclass(frozen=True, slots=True)
class Signed:
    """The last tree a witness signed."""

    size: int
    root: bytes


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
        return Signed(kept["size"], unb64(kept["root"]))

    def keep(self, signed: Signed) -> None:
        """Put it on the disk before anything is signed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            json.dump({"size": signed.size, "root": b64(signed.root)}, file)
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

    async def shifted() -> datetime:
        nonlocal offset
        async with httpx.AsyncClient(timeout=3) as client:
            answer = await client.get(f"{platform_url}/api/v1/clock")
        answer.raise_for_status()
        told = answer.json()
        if not told["demo"]:
            raise BrokenSeal("that platform is not a demo")
        seen = parse_instant(told["now"]) - machine_clock()
        slack = timedelta(seconds=5)
        if offset is not None and seen < offset - slack:
            raise BrokenSeal("the demo clock ran backwards")
        offset = seen if offset is None else max(offset, seen)
        return machine_clock() + offset

    return shifted


def create_witness(
    signer: WitnessSigner, *, log_vkey: str, memory: Memory, now: Now = own_clock
) -> Starlette:
    """The witness as a web application with one address, `POST /add-checkpoint`."""
    one_at_a_time = asyncio.Lock()
    origin = parse_vkey(log_vkey).name

    async def add_checkpoint(request: Request) -> Response:
        body = await request.body()
        if len(body) > BODY_MAX:
            return PlainTextResponse("too large\n", 413)
        try:
            offer = read_offer(body)
            seen = open_checkpoint(offer.note, log_vkey, ())
        except BrokenSeal as error:
            return PlainTextResponse(f"{error}\n", 403)
        async with one_at_a_time:
            last = memory.last()
            if offer.old_size != last.size:
                return Response(f"{last.size}\n", 409, media_type=SIZE_TYPE)
            if seen.size < last.size:
                return PlainTextResponse("the tree is smaller than the one signed\n", 400)
            try:
                merkle.verify_consistency(
                    older=last.size,
                    newer=seen.size,
                    older_root=last.root,
                    newer_root=seen.root,
                    proof=offer.proof,
                )
                at = await now()
            except BrokenSeal as error:
                return PlainTextResponse(f"{error}\n", 422)
            except (httpx.HTTPError, KeyError, ValueError):
                return PlainTextResponse("the time is not known\n", 503)
            memory.keep(Signed(seen.size, seen.root))
            signed = Checkpoint(seen.origin, seen.size, seen.root)
            return PlainTextResponse(signer.cosign(signed, int(at.timestamp())))

    async def state(_: Request) -> Response:
        last = memory.last()
        return PlainTextResponse(f"{signer.vkey}\n{origin}\n{last.size}\n{b64(last.root)}\n")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/", state, methods=["GET"]),
        ]
    )
