"""A seat of the rehearsal as a process of its own, with its own key and its own line.

It takes commands as lines of JSON and answers each with a line. The seat's key is made here and
never leaves; the member's key comes in a file, as a person brings it on a card.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from kernel.crypto.digests import b64
from kernel.crypto.signing import PrivateKey
from web.client import Client, Problem, Unreachable
from web.custodian_work import Unconvinced
from web.seat_work import SeatWork

Command = Callable[[dict[str, Any]], Awaitable[Any]]
LINE_MAX = 1 << 22


class SeatProcess:
    """What the commands do."""

    def __init__(self, work: SeatWork) -> None:
        self.work = work

    async def statement(self, told: dict[str, Any]) -> str:
        """The seat's statement of its key."""
        return b64(self.work.seat_statement(told["site"], told["number"]))

    async def begin(self, told: dict[str, Any]) -> None:
        """A member's card is read and given back; a session begins, through the seat's line."""
        card = self.work.folder / "card.pem"
        self.work.client.key = PrivateKey.from_pem(card.read_bytes())
        card.unlink()
        await self.work.client.sign_in(told["role"], told["organisation"])

    async def sit(self, told: dict[str, Any]) -> None:
        """The member signs in to the committee at this seat."""
        self.work.committee_id, self.work.seat_id = told["committee"], told["seat"]
        await self.work.sign_in()

    async def get(self, told: dict[str, Any]) -> Any:
        """What stands at a path of the committee."""
        return await self.work.client.get(self._path(told))

    async def read(self, told: dict[str, Any]) -> int:
        """How many bytes a file has that was read and kept nowhere."""
        path = f"/api/v1/committees/{self.work.committee_id}/bids/{told['bid']}/file"
        return len(await self.work.client.read(path, name=told["name"]))

    async def post(self, told: dict[str, Any]) -> Any:
        """Act at a path of the committee."""
        return await self.work.client.post(self._path(told), told.get("body"))

    async def mark(self, told: dict[str, Any]) -> None:
        """Queue marks."""
        for bid, item, score in told["marks"]:
            self.work.mark(bid, item, score)

    async def sent(self, _: dict[str, Any]) -> dict[str, Any]:
        """Wait until the queue is empty; what met a conflict or was turned down."""
        await self.work.all_sent()
        return {
            "conflicts": len(self.work.conflicts),
            "turned_down": [
                [[str(one["code"]), str(one["article"])] for one in problem.refusals]
                for _, problem in self.work.turned_down
            ],
        }

    async def state(self, _: dict[str, Any]) -> dict[str, Any]:
        """Whether the lease stands, and how many marks wait."""
        return {"present": self.work.present, "queued": len(self.work.queue)}

    async def commit(self, told: dict[str, Any]) -> int:
        """Commit to the sheet."""
        return await self.work.commit(reason=told.get("reason", ""))

    async def reveal(self, _: dict[str, Any]) -> None:
        """Show the sheets."""
        await self.work.reveal()

    async def sign(self, told: dict[str, Any]) -> dict[str, Any]:
        """Sign the report."""
        return await self.work.sign_report(dissent=told.get("dissent", ""))

    def commands(self) -> dict[str, Command]:
        """Every command by its name."""
        return {
            one.__name__: one
            for one in (
                self.statement,
                self.begin,
                self.sit,
                self.get,
                self.read,
                self.post,
                self.mark,
                self.sent,
                self.state,
                self.commit,
                self.reveal,
                self.sign,
            )
        }

    def _path(self, told: dict[str, Any]) -> str:
        rest = told["path"]
        path = f"/api/v1/committees/{self.work.committee_id}"
        return f"{path}/{rest}" if rest else path


async def _answer(command: Command, told: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": await command(told)}
    except Problem as problem:
        return {
            "problem": {
                "status": problem.status,
                "code": problem.code,
                "refusals": problem.refusals,
                "body": problem.body,
            }
        }
    except (Unreachable, TimeoutError) as error:
        return {"unreachable": str(error)}
    except Unconvinced as error:
        return {"unconvinced": str(error)}


async def serve(url: str, line: Path, folder: Path) -> None:
    """Take commands until standard input ends."""
    line_to_platform = httpx.AsyncHTTPTransport(uds=str(line))
    client = Client(url, transport=line_to_platform, patience_s=20.0)
    work = SeatWork(client, PrivateKey.generate(), folder)
    commands = SeatProcess(work).commands()
    reader = asyncio.StreamReader(limit=LINE_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while text := await reader.readline():
            told = json.loads(text)
            answer = await _answer(commands[told["do"]], told)
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    finally:
        await work.close()
        await client.aclose()


if __name__ == "__main__":
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--url", required=True, help="the platform's address")
    told.add_argument("--line", required=True, type=Path, help="the socket file of its line")
    told.add_argument("--folder", required=True, type=Path, help="where the seat keeps its things")
    given = told.parse_args()
    asyncio.run(serve(given.url, given.line, given.folder))
