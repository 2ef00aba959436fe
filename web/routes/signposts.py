"""The signposts: where search engines may go, and what there is to find.

Only what everybody may read is on them: the pages of the house that are for all, and lots that were
published. Desks are named as places that lead nowhere without signing in; nothing else is.
"""

from datetime import datetime
from typing import Annotated, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import Path, Request, Response

from kernel.errors import NotFound
from kernel.settings import Settings
from trading import published_news
from web.pages import iso
from web.places import Place
from web.request_scope import Visit
from web.unchanged import kept_answer

router = Place()

XML: Final = "application/xml; charset=utf-8"
SHEETS_MAX: Final = 50_000
_NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"

PLACES: Final = (
    "/",
    "/notices",
    "/openings",
    "/awards",
    "/contracts",
    "/settlements",
    "/terminations",
    "/stats",
    "/data",
    "/listings",
    "/prequalifications",
    "/complaints",
    "/bars",
    "/catalogue",
    "/rules",
    "/transparency",
    "/verify",
    "/status",
    "/help",
)
"""The pages of the house that are always there and for everybody."""

PRIVATE: Final = (
    "/account",
    "/account-desk",
    "/bids",
    "/centre",
    "/custodian",
    "/demo/",
    "/desk",
    "/inbox",
    "/library",
    "/me/",
    "/sign-in",
    "/sites",
    "/supervision",
)
"""Desks, where nobody finds anything who is not signed in."""


@router.get("/robots.txt")
async def robots(request: Request) -> Response:
    """What programs that gather pages may gather."""
    site: Settings = request.app.state.settings
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in PRIVATE), "Allow: /", ""]
    lines.append(f"Sitemap: {site.origin}/sitemap.xml")
    return kept_answer(request, "\n".join([*lines, ""]).encode(), "text/plain; charset=utf-8")


@router.get("/sitemap.xml")
async def sitemap(request: Request, tx: Visit) -> Response:
    """The index of the sheets below."""
    site: Settings = request.app.state.settings
    root = Element("sitemapindex", {"xmlns": _NAMESPACE})
    for number in range(1, await published_news.sheets(tx) + 1):
        sheet = SubElement(root, "sitemap")
        SubElement(sheet, "loc").text = f"{site.origin}/sitemaps/{number}.xml"
    return _written(request, root)


@router.get("/sitemaps/{number}.xml")
async def sitemap_sheet(
    request: Request, tx: Visit, number: Annotated[int, Path(ge=1, le=SHEETS_MAX)]
) -> Response:
    """Some of the pages there are; the first sheet begins with those that are always there."""
    site: Settings = request.app.state.settings
    found = await published_news.places(tx, sheet=number)
    if not found and number > 1:
        raise NotFound("no such sheet")
    root = Element("urlset", {"xmlns": _NAMESPACE})
    if number == 1:
        for path in PLACES:
            _place(root, site.origin + path)
    for lot_id, changed_at in found:
        _place(root, f"{site.origin}/notices/{lot_id}", changed_at)
    return _written(request, root)


def _place(root: Element, address: str, changed_at: datetime | None = None) -> None:
    url = SubElement(root, "url")
    SubElement(url, "loc").text = address
    if changed_at is not None:
        SubElement(url, "lastmod").text = iso(changed_at)


def _written(request: Request, root: Element) -> Response:
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return kept_answer(request, body, XML)
