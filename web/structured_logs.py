"""What the processes say while nobody watches: one JSON object a line, and nothing sealed in it.

Everything goes through here: our own words, those of the libraries (the server, the event loop, the
metronome), warnings, and whatever a thread or the whole process dies of. An exception is told by
its kind and by its places in the code, never by its text: what the database says of a row it
refuses holds the row, with the bidder, the lot and the time; what a library says of a wrong value
holds the value.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
import traceback
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from kernel.errors import Refused

log = structlog.get_logger()

OWN: Final = "sunbid"
"""The logger through which our own words go, from the level INFO; libraries speak from WARNING."""

CHAIN_MAX: Final = 20
FRAMES_MAX: Final = 60
HOUSE: Final = f"{Path(__file__).resolve().parents[1]}/"
NAMED: Final = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
"""What the database's errors name that is ours, and not a row's."""
OF_THE_SYSTEM: Final = frozenset({"08", "28", "3D", "42", "53", "55", "57", "58"})
"""Classes of SQLSTATE whose message is about lines, names, locks and disks, and about no value."""
AFTERWORDS: Final = re.compile(r"(?:\s|\\n)*(?:DETAIL|HINT|CONTEXT):.*")

_TOLD: Final = "told_in_the_log"


# ── exceptions ────────────────────────────────────────────────────────────────────────────────


def told(error: BaseException) -> list[dict[str, Any]]:
    """The exception and what led to it, the last first: kinds, names and places, and no text."""
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(chain) < CHAIN_MAX:
        seen.add(id(at))
        link: dict[str, Any] = {"kind": _kind(at), **_facts(at), "frames": _frames(at)}
        if isinstance(at, BaseExceptionGroup):
            link["inside"] = [told(one) for one in at.exceptions]
        chain.append(link)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return chain


def mark_told(error: BaseException) -> None:
    """Note that the log has this exception, so that the server need not tell it again."""
    with suppress(AttributeError):
        setattr(error, _TOLD, True)


def _kind(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _facts(error: BaseException) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in NAMED:
        value = getattr(error, name, None)
        if isinstance(value, str) and value:
            facts[name] = value
    message = getattr(error, "message", None)
    if facts.get("sqlstate", "")[:2] in OF_THE_SYSTEM and isinstance(message, str):
        facts["message"] = first_line(message)
    if isinstance(error, OSError) and error.strerror:
        facts["system"] = error.strerror
    if isinstance(error, Refused):
        facts["refusals"] = [one.code for one in error.refusals]
    return facts


def _frames(error: BaseException) -> list[str]:
    last = deque(traceback.walk_tb(error.__traceback__), maxlen=FRAMES_MAX)
    return [
        f"{_short(frame.f_code.co_filename)}:{line} {frame.f_code.co_qualname}"
        for frame, line in last
    ]


def _short(path: str) -> str:
    return path.removeprefix(HOUSE).rpartition("site-packages/")[2]


def first_line(text: str) -> str:
    """The first line of what a library says; the others describe values, rows and exceptions."""
    return AFTERWORDS.sub("", text.partition("\n")[0])


# ── lines ─────────────────────────────────────────────────────────────────────────────────────


def write_as_json(stream: TextIO | None = None) -> None:
    """From now on this process says everything as lines of JSON, on standard error by default."""
    handler = _Lines(stream)
    handler.addFilter(_not_told_before)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, _librarys_words],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _exceptions_told,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    own = logging.getLogger(OWN)
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=lambda *_: own,
    )
    sys.excepthook = _died
    threading.excepthook = _thread_died
    sys.unraisablehook = _could_not_raise


class _Lines(logging.StreamHandler[TextIO]):
    """Writes lines; what cannot be written is said in a line as well, and without its values."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Say that a line is missing."""
        with suppress(Exception):
            missing = {"event": "a line could not be written", "of": record.name, "level": "error"}
            self.stream.write(f"{json.dumps(missing)}\n")
            self.flush()


def _not_told_before(record: logging.LogRecord) -> bool:
    """Whether the server speaks of something that the log does not have yet.

    The framework raises every defect once more after it was answered, for the server to tell.
    """
    error = record.exc_info[1] if record.exc_info else None
    return record.name != "uvicorn.error" or not hasattr(error, _TOLD)


def _librarys_words(_logger: WrappedLogger, _name: str, said: EventDict) -> EventDict:
    record: logging.LogRecord = said["_record"]
    return {**said, "event": first_line(str(said["event"])), "library": record.name}


def _exceptions_told(_logger: WrappedLogger, _name: str, said: EventDict) -> EventDict:
    found = said.pop("exc_info", None)
    said.pop("stack_info", None)
    if isinstance(found, tuple):
        found = found[1]
    elif found and not isinstance(found, BaseException):
        found = sys.exception()
    if isinstance(found, BaseException):
        said["exception"] = told(found)
    return said


# ── what is caught by nobody ──────────────────────────────────────────────────────────────────


def _died(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | asyncio.CancelledError):
        log.critical("the process dies of a defect", exc_info=error)


def _thread_died(died: threading.ExceptHookArgs) -> None:
    log.error("a thread died of a defect", exc_info=died.exc_value)


def _could_not_raise(lost: sys.UnraisableHookArgs) -> None:
    log.error("an error could not be raised", exc_info=lost.exc_value)
