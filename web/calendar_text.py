"""Dates as calendar programs take them: iCalendar (RFC 5545, RFC 7986), in Beijing's time.

The same dates give the same bytes. An event keeps its id for ever; what becomes of it is told by a
higher sequence and, where it will not be held, by its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from web.pages import in_beijing

ICS: Final = "text/calendar; charset=utf-8"
LINE_MAX: Final = 75
"""So many octets a line has at most (RFC 5545, 3.1)."""

ALARMS: Final = ("-PT60M", "-PT15M")
_ZONE: Final = (
    "BEGIN:VTIMEZONE",
    "TZID:Asia/Shanghai",
    "BEGIN:STANDARD",
    "DTSTART:19910915T020000",
    "TZOFFSETFROM:+0900",
    "TZOFFSETTO:+0800",
    "TZNAME:CST",
    "END:STANDARD",
    "END:VTIMEZONE",
)


@dataclass(frozen=True, slots=True)
class Appointment:
    """Something that is held at a time; `changed_at` is when its sequence last rose."""

    uid: str
    title: str
    begins_at: datetime
    ends_at: datetime
    text: str
    place: str
    sequence: int
    changed_at: datetime
    cancelled: bool = False


def calendar(name: str, appointments: Sequence[Appointment], *, product: str) -> bytes:
    """A calendar with these appointments, to be asked for again every hour."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//{_escaped(product)}//sunbid//ZH",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{_escaped(name)}",
        f"X-WR-CALNAME:{_escaped(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        *_ZONE,
    ]
    for one in appointments:
        lines += _event(one)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) for line in lines)


def _event(one: Appointment) -> list[str]:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{one.uid}",
        f"SEQUENCE:{one.sequence}",
        f"DTSTAMP:{one.changed_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"LAST-MODIFIED:{one.changed_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;TZID=Asia/Shanghai:{in_beijing(one.begins_at):%Y%m%dT%H%M%S}",
    ]
    if one.ends_at - one.begins_at >= timedelta(seconds=1):
        lines.append(f"DTEND;TZID=Asia/Shanghai:{in_beijing(one.ends_at):%Y%m%dT%H%M%S}")
    lines += [
        f"SUMMARY:{_escaped(one.title)}",
        f"DESCRIPTION:{_escaped(one.text)}",
        f"URL:{one.place}",
        f"STATUS:{'CANCELLED' if one.cancelled else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
    ]
    if not one.cancelled:
        for before in ALARMS:
            lines += [
                "BEGIN:VALARM",
                "ACTION:DISPLAY",
                f"DESCRIPTION:{_escaped(one.title)}",
                f"TRIGGER:{before}",
                "END:VALARM",
            ]
    return [*lines, "END:VEVENT"]


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(text.splitlines())


def _folded(line: str) -> bytes:
    """The line cut where it is too long, never within a character."""
    parts: list[bytes] = []
    part = b""
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > LINE_MAX - (1 if parts else 0):
            parts.append(part)
            part = b""
        part += octets
    return b"\r\n ".join([*parts, part]) + b"\r\n"
