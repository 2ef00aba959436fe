"""A line that can be cut: a socket file that leads to the platform, until somebody cuts it.

A seat of the rehearsal reaches the platform through one of these alone, so that cutting it does to
the seat what a digger does to a cable: what is under way breaks, and nothing new comes through.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path


class CutLine:
    """Forwards connections from a socket file to a port of this machine.

    The file lies in a folder of its own with a short name: a socket's path has about a hundred
    characters and no more.
    """

    def __init__(self, port: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sunbid-line-")
        self.path, self._port = Path(self._folder.name) / "line", port
        self._server: asyncio.Server | None = None
        self._whole = False
        self._carrying: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Let connections through."""
        self.path.unlink(missing_ok=True)
        self._whole = True
        self._server = await asyncio.start_unix_server(self._carry, path=self.path)

    async def cut(self) -> None:
        """Break every connection, and let none through."""
        server, self._server, self._whole = self._server, None, False
        if server is not None:
            server.close()
        self.path.unlink(missing_ok=True)
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def end(self) -> None:
        """Cut it for good, and take the socket file away."""
        await self.cut()
        self._folder.cleanup()

    async def _carry(self, inside: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self._whole:
            # Let in at the very moment of the cut.
            back.close()
            return
        self._carrying.add(task)
        out: asyncio.StreamWriter | None = None
        try:
            answer, out = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_pour(inside, out), _pour(answer, back))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._carrying.discard(task)
            for writer in (out, back):
                if writer is not None:
                    writer.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
