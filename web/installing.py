"""Installing a trading centre: the first organisation of a platform, with its first person.

Everybody else is let in by the centre's staff, so the first of them is let in by whoever owns the
database, at the command line, once. The key is made on this machine and stays with that person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel.access import Role
from kernel.clock import machine_clock
from kernel.crypto.digests import Malformed, b64u
from kernel.crypto.signing import PrivateKey
from kernel.identifiers import uscc_faults
from kernel.settings import Settings
from kernel.store.registering import Registered, install_staff, registration_of
from web.client import signed_statement
from web.premises import new_key_file, opened, store_over


@dataclass(frozen=True, slots=True)
class Centre:
    """The centre and its first person, as they are to be known; the identity number is hashed."""

    uscc: str
    name: str
    region_code: str
    responsible_person: str
    person: str
    identity_document: str
    roles: Sequence[Role] = (Role.CENTRE_STAFF,)


async def install(settings: Settings, centre: Centre, key_file: Path) -> Registered:
    """Let the centre in with its first person; the key is made where the file does not exist.

    `Malformed` where a name, number or code is not one, `NotPermitted` where there is a centre,
    `PostgresUnavailable` while the embedded database is running elsewhere.
    """
    if faults := uscc_faults(centre.uscc):
        raise Malformed(f"uscc: {'; '.join(faults)}", code="uscc")
    key = PrivateKey.from_pem(key_file.read_bytes()) if key_file.exists() else None
    asked = registration_of(_registration(centre, key or PrivateKey.generate()))
    if key is None:
        key_file.parent.mkdir(parents=True, exist_ok=True)
        asked = registration_of(_registration(centre, new_key_file(key_file)))

    async with opened(settings) as place:
        engine = place.lines.engine("app", pool_size=1)
        try:
            return await install_staff(store_over(engine, settings), asked)
        finally:
            await engine.dispose()


def _registration(centre: Centre, key: PrivateKey) -> bytes:
    said = {
        "uscc": centre.uscc,
        "name": centre.name,
        "region": centre.region_code,
        "responsible_person": centre.responsible_person,
        "roles": sorted({str(role) for role in (Role.CENTRE_STAFF, *centre.roles)}),
        "person": centre.person,
        "identity_document": centre.identity_document,
        "public_key": b64u(key.public_bytes),
    }
    return signed_statement(key, "registration", said, at=machine_clock())
