"""How every command runs: what goes wrong is told in a line, and left with its documented code.

Data goes to standard output and talk to standard error.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import structlog
import typer
from rich.console import Console

from kernel.errors import BrokenSeal, NotFound, NotPermitted, PlatformError, Refused
from web.client import Unreachable
from web.exit_codes import (
    AUTH,
    CONFLICT,
    LATE,
    LATE_CODES,
    MISSING,
    NETWORK,
    UNVERIFIED,
)
from web.terminal_words import shown

DEMO_LOG = "demo.sunbid.local/log"

OUT_OF_REACH = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    httpx.TransportError,
    Unreachable,
)
"""What a line that does not hold raises."""

log = structlog.get_logger()
talk = Console(stderr=True, emoji=False)

JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder for the database, documents and keys.")
]
PortOption = Annotated[int | None, typer.Option("--port", help="Port of the HTTP server.")]


Tell = Callable[[str, str, Exception], None]


def say_end(what: str, why: str, _error: Exception) -> None:
    """Tell the person at the terminal what went wrong."""
    talk.print(f"[red]{shown(what)}[/]: {shown(why)}")


def log_end(_what: str, _why: str, error: Exception) -> None:
    """Tell the log of a process that nobody watches; the texts may hold what it must not."""
    log.critical("the process cannot go on", exc_info=error)


def run(work: Coroutine[Any, Any, int], *, tell: Tell = say_end) -> None:
    """Run the work and leave with its exit code; a platform error gets its own."""
    with in_words(tell):
        raise typer.Exit(asyncio.run(work))


@contextmanager
def in_words(tell: Tell = say_end) -> Iterator[None]:
    """What goes wrong is told in a line, and left with its documented code."""
    try:
        yield
        return
    except KeyboardInterrupt:
        code = 130
    except PlatformError as error:
        tell(type(error).__name__, str(error), error)
        code = code_for(error)
    except _out_of_reach() as error:
        tell("out of reach", str(error), error)
        code = NETWORK
    except OSError as error:
        # A folder that is missing, full, or not ours: the system says which, and why.
        tell(error.strerror or str(error), str(error.filename or ""), error)
        code = MISSING if isinstance(error, FileNotFoundError) else CONFLICT
    raise typer.Exit(code) from None


def _out_of_reach() -> tuple[type[Exception], ...]:
    """What is raised by a line that does not hold, a database's only where one was spoken to."""
    loaded = sys.modules.get("sqlalchemy.exc")
    of_database = () if loaded is None else (loaded.InterfaceError, loaded.OperationalError)
    return (*OUT_OF_REACH, *of_database)


def code_for(error: PlatformError) -> int:
    """The documented exit code of an error."""
    match error:
        case NotFound():
            return MISSING
        case Refused() if LATE_CODES & {refusal.code for refusal in error.refusals}:
            return LATE
        case BrokenSeal():
            return UNVERIFIED
        case NotPermitted():
            return AUTH
        case _:
            return CONFLICT


async def until_told_to_stop() -> None:
    """Return when somebody asks this process to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
