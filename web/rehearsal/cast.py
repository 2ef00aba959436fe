"""Who is on the stage: organisations, people, their keys, and how they come in.

Every participant registers over HTTP as a stranger would, and is verified by the centre's staff.
Names are invented; credit codes carry right check characters and belong to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.access import Role
from kernel.crypto.digests import b64u
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import organisation_check_character, uscc_check_character
from kernel.store.registering import Registration, registration_of
from web.client import Client
from web.rehearsal.stage import Player, Stage

REGIONS = {"310100": "临江市", "320500": "东湖市", "330400": "南溪市"}
HOST_REGION = "310100"
SITES = (("310100", "临江主场"), ("320500", "东湖副场"))

SPECIALISM_WORKS, SPECIALISM_COST = "A0801", "A0601"

BIDDERS = (
    "华岳市政工程有限公司",
    "云溪第二建设有限公司",
    "中恒水务建设股份有限公司",
    "青石路桥工程有限公司",
    "东湖环境工程有限公司",
    "临港建设集团有限公司",
    "远山建工有限公司",
    "北原机电安装有限公司",
    "西岭基础工程有限公司",
)
"""In order: the first five stay in, the sixth is rejected, the seventh does not release; the
eighth is barred and the ninth is late."""

BARRED, LATE, REVOKED, REJECTED, ESCROWED = 7, 8, 6, 5, 4
EXPERTS = 40


@dataclass(frozen=True, slots=True)
class Part:
    """One organisation of the cast, with the capacities its first person acts in."""

    name: str
    called: str
    roles: tuple[Role, ...]
    region: str = HOST_REGION


PARTS: tuple[Part, ...] = (
    Part(
        "tenderee",
        "临江市政建设投资有限公司",
        (Role.TENDEREE, Role.CUSTODIAN, Role.OWNER_REPRESENTATIVE),
    ),
    Part("agency", "正信招标代理有限公司", (Role.AGENCY, Role.CUSTODIAN)),
    Part("supervisor", "临江市住房和城乡建设局", (Role.SUPERVISOR, Role.CUSTODIAN)),
    Part("second_centre", "东湖市公共资源交易中心", (Role.SITE_ADMINISTRATOR,), "320500"),
    Part("unverified", "新来建设开发有限公司", (Role.TENDEREE,)),
    *(
        Part(f"bidder{number}", name, (Role.BIDDER,))
        for number, name in enumerate(BIDDERS, start=1)
    ),
)

# (player, organisation's player, capacity, person)
COLLEAGUES: tuple[tuple[str, str, Role, str], ...] = (
    ("custodian_tenderee", "tenderee", Role.CUSTODIAN, "周保管"),
    ("custodian_agency", "agency", Role.CUSTODIAN, "吴保管"),
    ("custodian_supervisor", "supervisor", Role.CUSTODIAN, "郑保管"),
    ("custodian_centre", "centre", Role.CUSTODIAN, "王保管"),
    ("owner_representative", "tenderee", Role.OWNER_REPRESENTATIVE, "冯代表"),
    ("site_host", "centre", Role.SITE_ADMINISTRATOR, "陈场务"),
)

CENTRE = "临江市公共资源交易中心"


def credit_code(number: int, *, region: str = HOST_REGION) -> str:
    """A credit code with right check characters that no organisation has."""
    stem = f"MAX{number:05d}"
    body = stem + organisation_check_character(stem)
    code = f"91{region}{body}"
    return code + uscc_check_character(code)


def identity_document(number: int) -> str:
    """An identity document's number for a person of the cast."""
    return f"REHEARSAL{number:06d}"


def centre_registration(key: PrivateKey) -> tuple[Registration, bytes]:
    """The centre's own registration, which the operator installs at the command line."""
    client = Client("http://localhost", key)
    raw = client.statement(
        "registration",
        _said(
            key,
            uscc=credit_code(1),
            name=CENTRE,
            region=HOST_REGION,
            roles=(Role.CENTRE_STAFF, Role.CUSTODIAN, Role.SITE_ADMINISTRATOR, Role.EXPERT),
            person="李中心",
            number=1,
        ),
    )
    return registration_of(raw), raw


def _said(
    key: PrivateKey,
    *,
    uscc: str,
    name: str,
    region: str,
    roles: Sequence[Role],
    person: str,
    number: int,
) -> dict[str, object]:
    return {
        "uscc": uscc,
        "name": name,
        "region": region,
        "responsible_person": person,
        "roles": sorted(str(role) for role in roles),
        "person": person,
        "identity_document": identity_document(number),
        "public_key": b64u(key.public_bytes),
    }


async def bring_in(stage: Stage, *, centre_key: PrivateKey, centre_id: str) -> None:
    """Bring everyone in: register, verify, join, sign in."""
    staff = Player("centre", Role.CENTRE_STAFF, CENTRE, centre_key, Client(stage.url, centre_key))
    staff.organisation_id = centre_id
    await staff.client.sign_in(Role.CENTRE_STAFF, centre_id)
    stage.players["centre"] = staff
    stage.staff_client = staff.client
    for number, part in enumerate(PARTS, start=10):
        await _register(stage, part, number)
    for number, (name, organisation, role, person) in enumerate(COLLEAGUES, start=100):
        await _join(stage, name, stage.players[organisation], role, person, number)
    for start in range(0, EXPERTS, 8):
        await asyncio.gather(
            *(
                _join(stage, f"expert{n}", staff, Role.EXPERT, f"专家{n:02d}", 200 + n)
                for n in range(start + 1, start + 9)
            )
        )


async def _register(stage: Stage, part: Part, number: int) -> None:
    key = PrivateKey.generate()
    client = Client(stage.url, key)
    person = f"{part.called[:2]}负责人"
    told = await client.register(
        uscc=credit_code(number, region=part.region),
        name=part.called,
        region=part.region,
        responsible_person=person,
        roles=part.roles,
        person=person,
        identity_document=identity_document(number),
    )
    player = Player(part.name, part.roles[0], part.called, key, client)
    player.organisation_id, player.person_id = told["organisation_id"], told["person_id"]
    stage.players[part.name] = player
    if part.name != "unverified":
        await stage["centre"].post(
            f"/api/v1/organisations/{player.organisation_id}/verification",
            {"basis": "营业执照原件与单位负责人身份证件核验一致"},
        )
    await client.sign_in(part.roles[0], player.organisation_id)


async def _join(
    stage: Stage, name: str, colleague: Player, role: Role, person: str, number: int
) -> None:
    key = PrivateKey.generate()
    client = Client(stage.url, key)
    told = await colleague.client.join(
        client.membership(
            organisation_id=colleague.organisation_id,
            roles=(role,),
            person=person,
            identity_document=identity_document(number),
        )
    )
    await client.sign_in(role, colleague.organisation_id)
    player = Player(name, role, colleague.organisation, key, client)
    player.organisation_id, player.person_id = colleague.organisation_id, told["person_id"]
    stage.players[name] = player
