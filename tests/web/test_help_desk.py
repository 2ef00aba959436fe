"""The guides lead where their readers may go (UX G-30, WCAG 2.2, 3.2.6)."""

from __future__ import annotations

from fastapi import FastAPI

from kernel.access import Role
from tests.web.markup import faults_of, tree_of
from tests.web.route_matrix import EVERYBODY, ROUTES
from tests.web.tender_house import page
from web.guides import GUIDES


def test_every_capacity_of_people_has_a_guide() -> None:
    assert GUIDES.keys() == EVERYBODY


def test_every_step_leads_to_a_page_that_its_reader_may_open() -> None:
    wrong = [
        f"{role}: {step.page}"
        for role, steps in GUIDES.items()
        for step in steps
        if role not in ROUTES[f"GET {step.page}"].roles
    ]
    assert not wrong


async def test_the_guides_are_read_in_both_languages(app: FastAPI) -> None:
    for path in ("/help", "/help/bidder", "/en/help", "/en/help/supervisor"):
        assert faults_of(tree_of(await page(app, path))) == []
    assert f"/help/{Role.EXPERT}" in await page(app, "/help")
    await page(app, "/help/platform", status=404)
