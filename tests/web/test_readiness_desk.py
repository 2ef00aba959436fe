"""Looking an opening over, over HTTP: Bidding Law 34 (UX T-05)."""

from __future__ import annotations

from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.tenders import a_cast, a_published_lot
from tests.web.markup import faults_of, tree_of
from tests.web.tender_house import client_of, page
from web.app import create_app


async def test_an_owner_looks_over_whether_its_lot_can_be_opened(
    store: Store, settings: Settings
) -> None:
    house: FastAPI = create_app(store, settings)
    cast = await a_cast(store)
    lot = await a_published_lot(store, cast)
    owner = await client_of(house, cast.agency)
    told = await owner.get(f"/api/v1/lots/{lot.lot_id}/readiness")
    assert set(told["checks"].values()) == {True}
    assert (told["near"], told["machinery"]["database"]) == (False, True)
    shown = await page(house, f"/desk/lots/{lot.lot_id}/readiness", cast.agency)
    assert faults_of(tree_of(shown)) == []
    assert "密钥保管人有富余" in shown
    await page(house, f"/desk/lots/{lot.lot_id}/readiness", status=401)
