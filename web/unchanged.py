"""Answers that are the same for everybody: asked for again, they are only said to be unchanged.

RFC 9110, 13: the entity tag is of the very bytes, so a page that did not change by a byte is never
sent twice; the time of the last change is for readers that know no tags.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from fastapi import Request, Response

from kernel.crypto.digests import b64u, sha256

SHARED: Final = "public, max-age=60, stale-while-revalidate=300"
TAG_LENGTH: Final = 22


def kept_answer(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    changed_at: datetime | None = None,
    links: str = "",
    saved_as: str = "",
) -> Response:
    """The body with its tag, or 304 where the reader has it already.

    `saved_as` is the name under which a browser keeps it as a file.
    """
    tag = f'"{b64u(sha256(body))[:TAG_LENGTH]}"'
    headers = {"ETag": tag, "Cache-Control": SHARED}
    if changed_at is not None:
        headers["Last-Modified"] = format_datetime(changed_at.replace(microsecond=0), usegmt=True)
    if links:
        headers["Link"] = links
    if _has_it(request, tag, changed_at):
        return Response(status_code=304, headers=headers)
    if saved_as:
        headers["Content-Disposition"] = f'attachment; filename="{saved_as}"'
    return Response(body, media_type=media_type, headers=headers)


def _has_it(request: Request, tag: str, changed_at: datetime | None) -> bool:
    """Whether the reader's tag or time says so; where both are sent only the tag counts."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = {one.strip().removeprefix("W/") for one in tags.split(",")}
        return tag in known or "*" in known
    since = request.headers.get("if-modified-since")
    if since is None or changed_at is None:
        return False
    try:
        return changed_at.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False
