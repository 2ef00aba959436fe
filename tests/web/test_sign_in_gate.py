"""The gate over HTTP: registering, signing in by key and passkey, signing out, demo cards.

Electronic Bidding Measures 9, 13, 14, 54; Bidding Law 53 (a bar asked at registration).
"""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from kernel.access import Actor, Role
from kernel.crypto.digests import b64u, canonical
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.settings import Settings
from kernel.store.signing_in import session_lives
from kernel.store.tables import OrganisationRow, SessionRow
from kernel.store.transaction import Store
from tests.decisions import barred, lifted
from tests.newcomers import (
    GOOD_USCC,
    SIGNED_AT,
    a_membership,
    a_registration,
    registered,
    signed,
    the_centre,
    verified,
)
from tests.soft_authenticator import SoftAuthenticator
from tests.tenders import a_player
from web.app import create_app
from web.call_limit import CallLimit
from web.client import Client, Problem
from web.request_scope import COOKIE
from web.routes.sign_in_gate import own_path

DSSE = {"Content-Type": "application/vnd.dsse+json"}
PAGE = {"Sec-Fetch-Site": "same-origin"}
HTML = {"Accept": "text/html"}


@pytest.fixture
async def gate(store: Store, settings: Settings) -> FastAPI:
    return create_app(store, settings)


@pytest.fixture
async def http(gate: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=gate)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def a_client(gate: FastAPI, key: PrivateKey | None = None) -> Client:
    return Client("http://localhost", key, transport=httpx.ASGITransport(app=gate))


async def newcomer(gate: FastAPI, **changes: Any) -> tuple[Client, dict[str, Any]]:
    """A registered bidder's client, not signed in yet."""
    client = a_client(gate, PrivateKey.generate())
    facts: dict[str, Any] = {
        "uscc": GOOD_USCC[0],
        "name": "江城建设工程有限公司",
        "region": "420100",
        "responsible_person": "王伟",
        "roles": ["bidder"],
        "person": "李娜",
        "identity_document": "420103199001010011",
        **changes,
    }
    return client, await client.register(**facts)


async def staff_of(gate: FastAPI, store: Store) -> Client:
    key = PrivateKey.generate()
    centre = await the_centre(store, key)
    client = a_client(gate, key)
    await client.sign_in("centre_staff", str(centre.party))
    return client


# ── registering ───────────────────────────────────────────────────────────────────────────────


async def test_an_organisation_registers_signs_in_and_is_verified(
    gate: FastAPI, store: Store
) -> None:
    client, ids = await newcomer(gate)
    signed_in = await client.sign_in("bidder", ids["organisation_id"])
    assert signed_in.person_id == ids["person_id"]
    me = await client.get("/api/v1/sessions/current")
    assert me["organisation"]["verified"] is False
    assert me["role"] == "bidder"

    staff = await staff_of(gate, store)
    waiting = await staff.get("/api/v1/organisations", verified="false")
    assert [one["id"] for one in waiting["organisations"]] == [ids["organisation_id"]]
    path = f"/api/v1/organisations/{ids['organisation_id']}"
    told = await staff.post(f"{path}/verification", {"basis": "营业执照原件"})
    assert told["verified"] is True
    assert (await a_client(gate).get(path))["name"] == "江城建设工程有限公司"


async def test_an_unverified_organisation_is_not_there_for_others(gate: FastAPI) -> None:
    client, ids = await newcomer(gate)
    path = f"/api/v1/organisations/{ids['organisation_id']}"
    with pytest.raises(Problem) as foreign:
        await a_client(gate).get(path)
    with pytest.raises(Problem) as absent:
        await a_client(gate).get(f"/api/v1/organisations/{uuid4()}")
    assert foreign.value.status == absent.value.status == 404
    await client.sign_in("bidder", ids["organisation_id"])
    assert (await client.get(path))["verified"] is False
    with pytest.raises(Problem) as hidden:
        await client.get("/api/v1/organisations", verified="false")
    assert hidden.value.status == 403


async def test_a_bidder_verifies_nobody(gate: FastAPI) -> None:
    client, ids = await newcomer(gate)
    await client.sign_in("bidder", ids["organisation_id"])
    with pytest.raises(Problem) as refused:
        await client.post(
            f"/api/v1/organisations/{ids['organisation_id']}/verification", {"basis": "自证"}
        )
    assert refused.value.status == 403


async def test_the_same_organisation_twice_is_refused_with_its_article(gate: FastAPI) -> None:
    await newcomer(gate)
    with pytest.raises(Problem) as refused:
        await newcomer(gate, identity_document="AAAAAA9")
    assert (refused.value.status, refused.value.code) == (409, "organisation_known")
    assert refused.value.refusals[0]["article"] == "《电子招标投标办法》第14条"


async def test_a_barred_organisation_is_not_verified_until_the_decision_is_lifted(
    gate: FastAPI, store: Store
) -> None:
    """Bidding Law 53: whoever registered before the decision is met by it at the verification."""
    _, ids = await newcomer(gate)
    supervisor = await a_player(store, Role.SUPERVISOR)
    decision = await barred(store, supervisor, {"organisation": ids["organisation_id"]})
    staff = await staff_of(gate, store)
    path = f"/api/v1/organisations/{ids['organisation_id']}/verification"
    with pytest.raises(Problem) as refused:
        await staff.post(path, {"basis": "营业执照原件"})
    assert (refused.value.status, set(refused.value.codes)) == (409, {"barred"})
    assert refused.value.refusals[0]["article"] == "《中华人民共和国招标投标法》第53条"
    await lifted(store, supervisor, decision)
    assert (await staff.post(path, {"basis": "营业执照原件"}))["verified"] is True


async def test_a_barred_person_is_not_registered_under_another_name(
    gate: FastAPI, store: Store
) -> None:
    """Bidding Law 56; Bidding Regulation 72."""
    client, ids = await newcomer(gate)
    await barred(
        store,
        await a_player(store, Role.SUPERVISOR),
        {"person": ids["person_id"]},
        document_number="江审罚〔2026〕3号",
        misconduct="expert_corruption",
        acts=["draw", "registration", "sign_in"],
        ends_on=None,
    )
    with pytest.raises(Problem) as refused:
        await client.register(
            uscc=GOOD_USCC[1],
            name="换了名字的公司",
            region="420100",
            responsible_person="王伟",
            roles=["bidder"],
            person="李娜",
            identity_document="420103199001010011",
        )
    assert refused.value.code == "barred"
    assert "江审罚〔2026〕3号" in refused.value.refusals[0]["reason"]
    # Whoever merely knows the number, and signs with another key, learns nothing of it.
    with pytest.raises(Problem) as told:
        await newcomer(gate, uscc=GOOD_USCC[1], identity_document="420103199001010011")
    assert told.value.codes == {"person_known"}
    assert "江审罚" not in str(told.value.body)


async def test_a_registration_with_unknown_members_is_malformed(
    http: httpx.AsyncClient, store: Store
) -> None:
    raw = a_registration(PrivateKey.generate(), verified_at=SIGNED_AT)
    answer = await http.post("/api/v1/registrations", content=raw, headers=DSSE)
    assert answer.status_code == 422
    async with store.sessions() as session:
        assert (await session.scalars(select(OrganisationRow))).all() == []


# ── people and keys ───────────────────────────────────────────────────────────────────────────


async def test_a_colleague_joins_works_and_leaves(gate: FastAPI) -> None:
    client, ids = await newcomer(gate)
    await client.sign_in("bidder", ids["organisation_id"])
    colleague = a_client(gate, PrivateKey.generate())
    asked = colleague.membership(
        organisation_id=ids["organisation_id"],
        roles=["bidder"],
        person="赵敏",
        identity_document="420103198505050022",
    )
    joined = await client.join(asked)
    await colleague.sign_in("bidder", ids["organisation_id"])
    assert (await colleague.get("/api/v1/sessions/current"))["person"]["name"] == "赵敏"
    await client.delete(f"/api/v1/people/{joined['person_id']}/roles/bidder")
    with pytest.raises(Problem) as ended:
        await colleague.get("/api/v1/sessions/current")
    assert ended.value.status == 401


async def test_a_stranger_cannot_join_by_asking(gate: FastAPI) -> None:
    _, ids = await newcomer(gate)
    raw = a_membership(PrivateKey.generate(), UUID(ids["organisation_id"]))
    with pytest.raises(Problem) as refused:
        await a_client(gate).join(raw)
    assert refused.value.status == 401


async def test_keys_are_added_listed_and_revoked(gate: FastAPI) -> None:
    client, ids = await newcomer(gate)
    await client.sign_in("bidder", ids["organisation_id"])
    assert client.key is not None
    second = PrivateKey.generate()
    payload = canonical(
        {"v": "ebid-credential/1", "public_key": b64u(second.public_bytes), "signed_at": SIGNED_AT}
    )
    kind = payload_type("credential")
    envelope = client.key.sign(kind, payload).also_signed(second.signature(kind, payload))
    added = await client.post_signed("/api/v1/credentials", envelope.to_bytes())
    assert added == {"keyid": second.keyid}

    other = a_client(gate, second)
    signed_in = await other.sign_in("bidder", ids["organisation_id"])
    assert signed_in.person_id == ids["person_id"]
    await client.post(
        "/api/v1/credentials/revocations", {"keyid": second.keyid, "reason": "笔记本丢失"}
    )
    with pytest.raises(Problem) as dead:
        await other.get("/api/v1/credentials")
    assert dead.value.status == 401
    listed = (await client.get("/api/v1/credentials"))["credentials"]
    assert {one["keyid"]: one["revoked_at"] is not None for one in listed} == {
        client.key.keyid: False,
        second.keyid: True,
    }


# ── sessions ──────────────────────────────────────────────────────────────────────────────────


async def sign_in_by_hand(
    http: httpx.AsyncClient,
    key: PrivateKey,
    organisation: str,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    given = (await http.post("/api/v1/challenges", headers=headers)).json()
    raw = signed(
        key,
        "sign-in",
        {
            "challenge": given["challenge"],
            "role": "bidder",
            "organisation": organisation,
            "origin": given["origin"],
        },
    )
    return await http.post("/api/v1/sessions", content=raw, headers={**DSSE, **(headers or {})})


async def test_a_program_gets_a_token_and_a_page_a_cookie(
    http: httpx.AsyncClient, store: Store
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    program = await sign_in_by_hand(http, key, str(who.organisation_id))
    assert program.status_code == 201
    assert len(program.json()["token"]) == 43
    assert "set-cookie" not in program.headers

    page = await sign_in_by_hand(http, key, str(who.organisation_id), PAGE)
    assert "token" not in page.json()
    cookie = page.headers["set-cookie"]
    assert re.fullmatch(
        rf"{COOKIE}=[A-Za-z0-9_-]{{43}}; HttpOnly; Path=/; SameSite=lax; Secure", cookie
    )
    assert page.headers["cache-control"] == "no-store"
    token = cookie.partition("=")[2].partition(";")[0]
    me = await http.get("/api/v1/sessions/current", headers={"Cookie": f"{COOKIE}={token}"})
    assert me.json()["person"]["id"] == str(who.person_id)


async def test_signing_out_ends_the_session_and_takes_the_cookie(
    http: httpx.AsyncClient, store: Store
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    page = await sign_in_by_hand(http, key, str(who.organisation_id), PAGE)
    token = page.headers["set-cookie"].partition("=")[2].partition(";")[0]
    cookie = {"Cookie": f"{COOKIE}={token}", **PAGE}
    out = await http.delete("/api/v1/sessions/current", headers=cookie)
    assert out.status_code == 204
    assert "Max-Age=0" in out.headers["set-cookie"]
    again = await http.delete("/api/v1/sessions/current", headers=cookie)
    assert again.status_code == 401
    async with store.sessions() as session:
        row = (await session.scalars(select(SessionRow))).one()
    assert row.ended_at is not None


async def test_signing_out_everywhere_ends_every_session(gate: FastAPI) -> None:
    client, ids = await newcomer(gate)
    twin = a_client(gate, client.key)
    for one in (client, twin):
        await one.sign_in("bidder", ids["organisation_id"])
    assert await client.delete("/api/v1/sessions") == {"ended": 2}
    twin.acts_as = None
    with pytest.raises(Problem):
        await twin.get("/api/v1/sessions/current")


async def test_a_used_challenge_an_unknown_role_and_a_foreign_key_are_refused(
    http: httpx.AsyncClient, store: Store
) -> None:
    key = PrivateKey.generate()
    who = await registered(store, key)
    given = (await http.post("/api/v1/challenges")).json()
    good = {
        "challenge": given["challenge"],
        "role": "bidder",
        "organisation": str(who.organisation_id),
        "origin": "http://localhost",
    }
    cases = [
        (signed(key, "sign-in", {**good, "role": "emperor"}), 422),
        (signed(key, "sign-in", {**good, "role": "supervisor"}), 403),
        (signed(key, "sign-in", {**good, "origin": "http://evil.example"}), 400),
        (signed(PrivateKey.generate(), "sign-in", good), 401),
        (signed(key, "registration", good), 422),
        (b"{}", 422),
        (b"\x00", 422),
        (signed(key, "sign-in", good), 201),
        (signed(key, "sign-in", good), 401),
    ]
    for raw, status in cases:
        answer = await http.post("/api/v1/sessions", content=raw, headers=DSSE)
        expected = {status} if status != 403 else {401, 403}
        assert answer.status_code in expected, raw


async def test_whoever_asks_for_too_many_challenges_waits(
    gate: FastAPI, http: httpx.AsyncClient
) -> None:
    gate.state.call_limit = CallLimit(burst=2, per_second=0.1)
    statuses = [(await http.post("/api/v1/challenges")).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    refused = await http.post("/api/v1/challenges")
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 10


def test_a_bucket_fills_up_again_and_is_each_neighbourhoods_own() -> None:
    limit = CallLimit(burst=2, per_second=0.5)
    assert [limit.take("a", now_s=0.0) for _ in range(3)] == [0, 0, 2]
    assert limit.take("b", now_s=0.0) == 0
    assert limit.take("a", now_s=1.9) == pytest.approx(0.1)
    assert limit.take("a", now_s=2.0) == 0
    assert limit.take("a", now_s=1000.0) == 0
    assert limit.take("a", now_s=1000.0) == 0
    assert limit.take("a", now_s=1000.0) > 0


# ── passkeys ──────────────────────────────────────────────────────────────────────────────────


async def test_a_passkey_is_made_and_signs_in(gate: FastAPI, http: httpx.AsyncClient) -> None:
    client, ids = await newcomer(gate)
    await client.sign_in("bidder", ids["organisation_id"])
    device = SoftAuthenticator()
    options = await client.post("/api/v1/passkeys/registration-options")
    kept = await client.post("/api/v1/passkeys/registrations", {"credential": device.make(options)})
    assert kept == {"keyid": device.keyid}

    asked = (await http.post("/api/v1/passkeys/sign-in-options", headers=PAGE)).json()
    answer = {"credential": device.assertion(asked)}
    choice = (await http.post("/api/v1/passkeys/sign-ins", json=answer, headers=PAGE)).json()
    (capacity,) = choice["capacities"]
    chosen = {
        "ticket": choice["ticket"],
        "organisation": capacity["organisation"],
        "role": capacity["role"],
    }
    session = await http.post("/api/v1/passkeys/choices", json=chosen, headers=PAGE)
    assert session.status_code == 201
    assert session.headers["set-cookie"].startswith(f"{COOKIE}=")
    again = await http.post("/api/v1/passkeys/choices", json=chosen, headers=PAGE)
    assert again.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credential": {}},
        {"credential": []},
        {"credential": {"response": {}}},
        {"credential": {"id": "x", "response": {"clientDataJSON": "e30"}}},
        {"credential": {}, "role": "supervisor"},
    ],
)
async def test_a_garbled_passkey_is_a_problem_and_no_defect(
    http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await http.post("/api/v1/passkeys/sign-ins", json=body)
    assert answer.status_code == 422


# ── pages ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_pages_of_the_gate_stand(gate: FastAPI, http: httpx.AsyncClient) -> None:
    for path in ("/sign-in", "/sign-in?to=/notices", "/register", "/demo/sign-in"):
        page = await http.get(path, headers=HTML)
        assert page.status_code == 200, path
        assert "passkey.js" in page.text
        assert "<script>" not in page.text
    assert (await http.get("/account", headers=HTML)).status_code == 401


async def test_a_role_card_makes_a_session_with_a_key_of_its_own(
    http: httpx.AsyncClient, store: Store
) -> None:
    staff = await the_centre(store, PrivateKey.generate())
    who = await verified(store, staff, PrivateKey.generate(), roles=["expert"])
    page = await http.get("/demo/sign-in", headers=HTML)
    assert str(who.person_id) in page.text
    assert "420103199001010011" not in page.text

    browser = PrivateKey.generate()
    card = {
        "person": str(who.person_id),
        "organisation": str(who.organisation_id),
        "role": "expert",
        "public_key": b64u(browser.public_bytes),
        "to": "/notices",
    }
    become = await http.post("/demo/sign-in", data=card, headers=PAGE)
    assert (become.status_code, become.headers["location"]) == (303, "/notices")
    token = become.headers["set-cookie"].partition("=")[2].partition(";")[0]
    cookie = {"Cookie": f"{COOKIE}={token}", **PAGE}
    me = await http.get("/api/v1/sessions/current", headers=cookie)
    assert me.json()["role"] == "expert"
    keys = (await http.get("/api/v1/credentials", headers=cookie)).json()["credentials"]
    assert browser.keyid in {one["keyid"] for one in keys}
    account = await http.get("/account", headers={**cookie, **HTML})
    assert account.status_code == 200
    assert account.headers["cache-control"] == "no-store"
    out = await http.post("/sign-out", headers=cookie)
    assert (out.status_code, out.headers["location"]) == (303, "/")


async def test_a_card_that_another_site_posts_is_refused(
    http: httpx.AsyncClient, store: Store
) -> None:
    who = await registered(store, PrivateKey.generate())
    card = {
        "person": str(who.person_id),
        "organisation": str(who.organisation_id),
        "role": "bidder",
    }
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await http.post("/demo/sign-in", data=card, headers=headers)).status_code == 403


async def test_a_platform_that_is_no_demo_has_no_cards(
    http: httpx.AsyncClient, store: Store, database: Any
) -> None:
    from kernel.store.database import OWNER, connect

    who = await registered(store, PrivateKey.generate())
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE kernel.platform DISABLE TRIGGER no_rewrite"))
        await connection.execute(text("UPDATE kernel.platform SET demo = false"))
    await owner.dispose()
    assert (await http.get("/demo/sign-in")).status_code == 404
    card = {
        "person": str(who.person_id),
        "organisation": str(who.organisation_id),
        "role": "bidder",
    }
    assert (await http.post("/demo/sign-in", data=card, headers=PAGE)).status_code == 404
    async with store.sessions() as session:
        assert (await session.scalars(select(SessionRow))).all() == []


@pytest.mark.parametrize(
    ("to", "own"),
    [
        ("/", "/"),
        ("/notices?page=2", "/notices?page=2"),
        ("", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\r\nSet-Cookie: x", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(to: str, own: str) -> None:
    assert own_path(to) == own


async def test_a_watched_session_is_known_to_have_ended_within_one_look(
    gate: FastAPI, store: Store
) -> None:
    client, ids = await newcomer(gate)
    await client.sign_in("bidder", ids["organisation_id"])
    async with store.sessions() as session:
        row = (await session.scalars(select(SessionRow))).one()
    actor = Actor(Role.BIDDER, session_id=row.id)  # type: ignore[arg-type]  # rows hold plain ids
    assert actor.session_id is not None
    assert await session_lives(store, actor.session_id)
    assert client.key is not None
    await client.post(
        "/api/v1/credentials/revocations", {"keyid": client.key.keyid, "reason": "遗失"}
    )
    assert not await session_lives(store, actor.session_id)
