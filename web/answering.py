"""How a process here answers HTTP: quietly, and until it is told to stop."""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import uvicorn

from web.command_running import until_told_to_stop
from web.exit_codes import CONFLICT, OK


class _Server(uvicorn.Server):
    """A server that leaves the signals to us, so that a graceful stop is no death by signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal, and raise none again behind the shutdown."""
        yield


ANSWERING: Final[Mapping[str, Any]] = MappingProxyType(
    {"log_config": None, "log_level": "warning", "access_log": False, "server_header": False}
)
"""How every server here is quiet about whom it answers."""


async def answered(config: uvicorn.Config, sockets: list[socket.socket] | None = None) -> int:
    """Answer HTTP until told to stop; `CONFLICT` where it could not begin."""
    server = _Server(config)
    stopped = asyncio.create_task(until_told_to_stop())
    stopped.add_done_callback(lambda _: setattr(server, "should_exit", True))
    try:
        await server.serve(sockets=sockets)
    finally:
        stopped.cancel()
    return OK if server.started else CONFLICT
