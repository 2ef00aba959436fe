"""The Jinja environment: Beijing time, yuan, articles, words in two languages, static files.

There is one environment for each language and manner, so that macros that are imported without
context speak so too.
Everything is escaped; a name the view does not have is an error, not an empty space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic_core.core_schema import ErrorType

from kernel.crypto.digests import b64u, parse_instant, sha256
from kernel.money import half_up, in_capitals
from kernel.statute import Article
from trading.rules.procedures import Procedure
from web.compiled_templates import kept_for
from web.event_words import event_words
from web.frame import frame_of
from web.price_marks import price_marks
from web.procedure_words import Manner, in_manner, manner_of, speaking, telling
from web.visitor_choices import ENGLISH
from web.words import CATALOGUE, STATE_TONES, Language, Tone, say

BEIJING: Final = ZoneInfo("Asia/Shanghai")
TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
SOON: Final = timedelta(hours=72)
"""A lot that closes within three days is shown as closing soon."""

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_HASH_NAME: Final = 12
_BY_STATUS: Final = {
    400: "bad_request", 401: "not_signed_in", 403: "not_permitted", 404: "not_found",
    405: "method_not_allowed", 406: "not_acceptable", 409: "outrun", 413: "too_large",
    415: "wrong_media_type", 422: "invalid", 429: "too_many_requests", 503: "unavailable",
}  # fmt: skip


def render(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    procedure: Procedure | str | None = None,
    **view: Any,
) -> HTMLResponse:
    """The page a template and a view make, in the reader's language.

    A page about one lot speaks as that lot's `procedure` does, its macros included.

    Every page gets `frame` besides its view. `now` of the view, where there is one, is the time
    its clock shows. A page for somebody in particular is kept by no cache.
    """
    now = view.get("now")
    frame = frame_of(request, now=now if isinstance(now, datetime) else None)
    manner = Manner.TENDER if procedure is None else manner_of(Procedure(procedure))
    page = environment(frame.language, manner).get_template(template)
    body = page.render({"frame": frame, "request": request} | view)
    kept = "no-store" if frame.signed_in else "no-cache"
    return HTMLResponse(
        body,
        status_code,
        headers={
            "Cache-Control": kept,
            "Vary": "Accept, Cookie",
            "Content-Language": str(frame.language),
        },
    )


@cache
def environment(language: Language = Language.ZH, manner: Manner = Manner.TENDER) -> Environment:
    """The environment whose filters, globals and macros speak one language, in one manner."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=kept_for(TEMPLATES),
    )
    made.filters |= {
        "moment": moment,
        "moment_long": partial(moment_long, language=language),
        "clock_time": clock_time,
        "day": day,
        "iso": iso,
        "span": partial(span, language=language),
        "time_left": partial(time_left, language=language),
        "yuan": yuan,
        "yuan_words": yuan_words,
        "number": number,
        "size": size,
        "hex": as_hex,
        "short_hash": short_hash,
        "article": partial(article, language=language),
    }
    made.globals |= {
        "say": partial(say, language=language),
        "tell": speaking(manner, tell=tell, language=language),
        "spoken": partial(telling, tell=tell, language=language),
        "link": partial(link, language=language),
        "language": str(language),
        "static_url": static_url,
        "with_query": with_query,
        "state_tag": partial(state_tag, manner=manner, language=language),
        "problem_words": partial(problem_words, language=language),
        "fault_words": partial(fault_words, language=language),
        "price_marks": price_marks,
        "event_words": partial(event_words, language=language),
    }
    return made


# ── time ──────────────────────────────────────────────────────────────────────────────────────


def in_beijing(at: datetime | str) -> datetime:
    """The instant on a Beijing clock; text is read as RFC 3339. `ValueError` without a zone."""
    instant = parse_instant(at) if isinstance(at, str) else at
    if instant.tzinfo is None:
        raise ValueError("a time without a zone says nothing")
    return instant.astimezone(BEIJING)


def moment(at: datetime | str) -> str:
    """The instant as tables show it: `2026-11-25 09:30`, with seconds only where there are any."""
    here = in_beijing(at)
    return f"{here:%Y-%m-%d %H:%M:%S}" if here.second else f"{here:%Y-%m-%d %H:%M}"


def moment_long(at: datetime | str, *, language: Language = Language.ZH) -> str:
    """The instant as sentences say it: `2026年11月25日 09:30（北京时间）`."""
    here = in_beijing(at)
    clock = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    if language is Language.EN:
        when = f"{here.day} {_MONTHS[here.month - 1]} {here.year}, {clock}"
    else:
        when = f"{here.year}年{here.month}月{here.day}日 {clock}"
    return say("time.moment", language, moment=when)


def clock_time(at: datetime | str) -> str:
    """The time of day in Beijing, to the second: `09:30:00`."""
    return f"{in_beijing(at):%H:%M:%S}"


def day(on: date | datetime | str) -> str:
    """The day in Beijing: `2026-11-25`."""
    if isinstance(on, date) and not isinstance(on, datetime):
        return on.isoformat()
    return f"{in_beijing(on):%Y-%m-%d}"


def iso(at: datetime | str) -> str:
    """The instant for `datetime=` attributes and scripts: RFC 3339 with Beijing's offset."""
    return in_beijing(at).isoformat(timespec="seconds" if _whole(at) else "milliseconds")


def _whole(at: datetime | str) -> bool:
    return not in_beijing(at).microsecond


def span(length: timedelta | int | float, *, language: Language = Language.ZH) -> str:
    """A length of time in its two largest units: `3 天 4 小时`, `18 分钟 24 秒`."""
    whole = int(length.total_seconds() if isinstance(length, timedelta) else length)
    parts: list[str] = []
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, whole = divmod(abs(whole), seconds)
        if count or (unit == "second" and not parts):
            parts.append(f"{count} {say(f'time.{unit}', language)}")
        elif parts:
            break
    return " ".join(parts[:2])


def time_left(seconds: float, *, language: Language = Language.ZH) -> str:
    """What a countdown shows: `3 天 00:14:27`, within a day `06:14:27`, within an hour `18:24`."""
    days, rest = divmod(max(int(seconds), 0), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, last = divmod(rest, 60)
    clock = f"{minutes:02}:{last:02}"
    if days or hours:
        clock = f"{hours:02}:{clock}"
    return f"{days} {say('time.day', language)} {clock}" if days else clock


# ── figures ───────────────────────────────────────────────────────────────────────────────────


def yuan(amount: Decimal | int | str) -> str:
    """The amount with thousands separators and both places: `128,460,000.00`."""
    return f"{half_up(_decimal(amount)):,.2f}"


def yuan_words(amount: Decimal | int | str) -> str:
    """The amount in capital numerals, as records write it beside the figures."""
    return in_capitals(_decimal(amount))


def _decimal(amount: Decimal | int | str) -> Decimal:
    if isinstance(amount, float):
        raise TypeError("money is never a float")
    return Decimal(amount)


def number(count: int | Decimal | str) -> str:
    """A count or a score with thousands separators, its places as they are."""
    return f"{Decimal(count):,f}"


def size(count: int) -> str:
    """A size in the units file managers use: `4.8 MB`."""
    for unit, scale in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


# ── digests, articles, words ──────────────────────────────────────────────────────────────────


def as_hex(digest: bytes | str) -> str:
    """A digest as text: bytes as lower-case hexadecimal, text as it is."""
    return digest.hex() if isinstance(digest, bytes) else digest


def short_hash(digest: bytes | str) -> str:
    """Enough of a digest to compare by eye: `9f31…c07a`."""
    shown = as_hex(digest)
    return shown if len(shown) <= 12 else f"{shown[:4]}…{shown[-4:]}"


def article(cited: Article | str, *, language: Language = Language.ZH) -> str:
    """An article as the reader's language cites it; what is text already stays as it is."""
    if isinstance(cited, str) or language is Language.ZH:
        return str(cited)
    item = f"({cited.item})" if cited.item else ""
    part = "Point" if cited.instrument.unit == "项" else "Article"
    return f"{cited.instrument.name}, {part} {cited.number}{item}"


def tell(zh: str, en: str, /, *, language: Language = Language.ZH, **filled: object) -> str:
    """What one page alone has to say, in both languages where it is said."""
    words = en if language is Language.EN else zh
    return words.format(**filled) if filled else words


def state_tag(
    state: str,
    *,
    due_at: datetime | None = None,
    now: datetime | None = None,
    suspended: bool = False,
    procedure: Procedure | str | None = None,
    manner: Manner = Manner.TENDER,
    language: Language = Language.ZH,
) -> tuple[Tone, str]:
    """How a lot's state looks and reads; an open one within three days of its end closes soon.

    In a list each lot has its own procedure; on a page about one, all speak in its manner.
    """
    name = "suspended" if suspended else str(state)
    if name == "open" and due_at is not None and now is not None and due_at - now <= SOON:
        name = "open_soon"
    spoken = manner if procedure is None else manner_of(Procedure(procedure))
    return STATE_TONES[name], in_manner(spoken, say(f"state.{name}", language))


_PARSERS_CODES: Final = frozenset(get_args(ErrorType))


def problem_words(
    problem: Mapping[str, Any], *, language: Language = Language.ZH
) -> tuple[str, str]:
    """What a problem is called and what it means for the reader, by its code or else its status."""
    code = problem["code"] if f"problem.{problem['code']}.text" in CATALOGUE else ""
    code = code or ("refused" if "refusals" in problem else _BY_STATUS.get(problem["status"], ""))
    code = code or ("defect" if problem["status"] >= 500 else "http")
    return say(f"problem.{code}", language), say(f"problem.{code}.text", language)


def fault_words(fault: Mapping[str, str], *, language: Language = Language.ZH) -> str:
    """What is wrong in one place of a request: by its code where a parser found it, which knows no
    Chinese, and otherwise as we said it."""
    if f"fault.{fault['code']}" in CATALOGUE:
        return say(f"fault.{fault['code']}", language)
    return say("fault.other", language) if fault["code"] in _PARSERS_CODES else fault["detail"]


# ── addresses ─────────────────────────────────────────────────────────────────────────────────


def link(path: str, *, language: Language = Language.ZH) -> str:
    """The address of a page in the reader's language."""
    return f"{ENGLISH}{path}" if language is Language.EN else path


def with_query(path: str, query: Mapping[str, object] | None = None, **changed: object) -> str:
    """The address with a query; what is None or empty is left out."""
    pairs: list[tuple[str, object]] = []
    for name, value in {**(query or {}), **changed}.items():
        many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs += [(name, one) for one in many if one not in (None, "")]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def static_url(name: str) -> str:
    """The address of a static file, which changes with its content, so it may be kept for ever."""
    return f"/static/{name}?v={static_version(name)}"


def static_version(name: str) -> str:
    """What names a static file's content; `LookupError` where there is no such file."""
    path = STATIC / name
    inside = path.resolve().is_relative_to(STATIC.resolve())
    if not inside or not path.is_file():
        raise LookupError(f"no static file {name!r}")
    seen = path.stat()
    return _version(path, seen.st_mtime_ns, seen.st_size)


@cache
def _version(path: Path, _changed: int, _size: int) -> str:
    return b64u(sha256(path.read_bytes()))[:_HASH_NAME]
