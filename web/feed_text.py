"""News as feed readers take it: Atom (RFC 4287, paged as RFC 5005 says) and JSON Feed 1.1.

Both tell the same items under the same ids. An item never changes once it is published.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from web.pages import iso

ATOM: Final = "application/atom+xml; charset=utf-8"
JSON_FEED: Final = "application/feed+json; charset=utf-8"
NO_NEWS_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""When a feed without news was last changed, for Atom asks for a time."""

_ATOM: Final = "http://www.w3.org/2005/Atom"
_XML: Final = "http://www.w3.org/XML/1998/namespace"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its id for ever, where it is read, and what it says."""

    id: str
    url: str
    title: str
    text: str
    author: str
    tags: tuple[str, ...]
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """One page of a feed; `url` is its own, `home` the page that people read instead."""

    id: str
    title: str
    subtitle: str
    url: str
    home: str
    first: str
    previous: str
    next: str
    last: str
    items: Sequence[Item]

    @property
    def updated_at(self) -> datetime:
        """When the newest of it was published."""
        return max((one.published_at for one in self.items), default=NO_NEWS_AT)


def atom(feed: Feed) -> bytes:
    """The feed as Atom."""
    root = Element("feed", {"xmlns": _ATOM, f"{{{_XML}}}lang": "zh-CN"})
    _say(root, "id", feed.id)
    _say(root, "title", feed.title)
    _say(root, "subtitle", feed.subtitle)
    _say(root, "updated", iso(feed.updated_at))
    SubElement(root, "link", rel="self", href=feed.url, type="application/atom+xml")
    SubElement(root, "link", rel="alternate", href=feed.home, type="text/html")
    for rel in ("first", "previous", "next", "last"):
        if href := getattr(feed, rel):
            SubElement(root, "link", rel=rel, href=href)
    for one in feed.items:
        entry = SubElement(root, "entry")
        _say(entry, "id", one.id)
        _say(entry, "title", one.title)
        _say(entry, "updated", iso(one.published_at))
        _say(entry, "published", iso(one.published_at))
        _say(SubElement(entry, "author"), "name", one.author)
        SubElement(entry, "link", rel="alternate", href=one.url, type="text/html")
        for tag in one.tags:
            SubElement(entry, "category", term=tag)
        _say(entry, "summary", one.text)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def json_feed(feed: Feed) -> bytes:
    """The feed as JSON Feed."""
    told: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "description": feed.subtitle,
        "home_page_url": feed.home,
        "feed_url": feed.url,
        "language": "zh-CN",
        "items": [
            {
                "id": one.id,
                "url": one.url,
                "title": one.title,
                "content_text": one.text,
                "date_published": iso(one.published_at),
                "authors": [{"name": one.author}],
                "tags": list(one.tags),
            }
            for one in feed.items
        ],
    }
    if feed.next:
        told["next_url"] = feed.next
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def _say(parent: Element, name: str, words: str) -> None:
    """A child with these words, without the control characters that XML cannot hold."""
    kept = "".join(one for one in words if one >= " " or one in "\n\t")
    SubElement(parent, name).text = kept
