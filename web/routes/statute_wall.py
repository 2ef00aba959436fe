"""The wall on which the rules hang: every rule the platform judges by, with its article."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kernel.statute import RULES
from web import handbook
from web.pages import render
from web.request_scope import Act

router = APIRouter()


def _day_told(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def rules_told() -> list[dict[str, Any]]:
    """Every rule, by article: what it is called, what it stops, how well its text is known."""
    handbook.load_everything()
    told = [
        {
            "id": ", ".join(rule.ids),
            "article": str(article),
            "regime": str(rule.regime),
            "severity": str(rule.severity),
            "provenance": article.provenance.name.lower(),
            "from": _day_told(article.instrument.in_force_from),
            "to": _day_told(article.instrument.in_force_to),
            "name": rule.name,
            "test": handbook.test_of(rule.name),
        }
        for rule in RULES.values()
        if rule.name.split(".")[0] in handbook.PACKAGES
        for article in rule.articles
    ]
    return sorted(told, key=lambda one: (one["article"], one["name"]))


@router.get("/api/v1/rules")
async def rules() -> dict[str, Any]:
    """The table of rules as data."""
    return {"rules": rules_told()}


@router.get("/rules", response_class=HTMLResponse)
async def rules_page(request: Request, tx: Act) -> HTMLResponse:
    """The table of rules as a page."""
    return render(request, "statute_wall/rules.html", rules=rules_told(), now=tx.now)
