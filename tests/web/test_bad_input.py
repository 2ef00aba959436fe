"""What no column can hold is told to be invalid, to whoever sends it: no defect, no traceback."""

from __future__ import annotations

import json

import httpx
import pytest

from kernel.crypto.signing import Envelope, PrivateKey
from kernel.store.parties import payload_type
from kernel.store.transaction import Store
from tests.newcomers import a_registration

DSSE = {"Content-Type": "application/vnd.dsse+json"}
LOT = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/lots/{LOT}/timetable?version=9999999999",
        f"/api/v1/lots/{LOT}/timetable?version=0",
        f"/api/v1/lots/{LOT}/opening-policy?version=2147483648",
        f"/api/v1/lots/{LOT}/notices/99999999999",
        f"/api/v1/lots/{LOT}/notices/-1",
    ],
)
async def test_a_number_beyond_its_column_is_no_defect(
    http: httpx.AsyncClient, store: Store, path: str
) -> None:
    told = 400 if "?" in path else 404
    assert (await http.get(path)).status_code == told


@pytest.mark.parametrize("member", ["uscc", "name", "person", "identity_document"])
async def test_a_registration_with_a_zero_character_is_malformed(
    http: httpx.AsyncClient, store: Store, member: str
) -> None:
    key = PrivateKey.generate()
    said = json.loads(Envelope.from_bytes(a_registration(key)).payload)
    said[member] += "\0"
    raw = key.sign(payload_type("registration"), json.dumps(said).encode()).to_bytes()
    answer = await http.post("/api/v1/registrations", content=raw, headers=DSSE)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "malformed"
