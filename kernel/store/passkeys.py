"""Passkeys: a P-256 key that lives in a person's device and speaks after the device knows them.

The verification of what authenticators send is `webauthn`'s. What is kept is the plain public key,
so that a statement a passkey signs can be verified like any other, without this platform.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    encode_cbor,
    parse_authentication_credential_json,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import DecodedEC2PublicKey
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, unb64u
from kernel.crypto.signing import WEBAUTHN, loaded_public_key, passkey_keyid
from kernel.errors import BrokenSeal, NotSignedIn, Outrun
from kernel.identifiers import PartyId, PersonId
from kernel.store.parties import relying_party
from kernel.store.registering import MEMBERS, keep_credential
from kernel.store.signing_in import (
    CHALLENGE_LIFE,
    CHALLENGE_SIZE,
    Capacity,
    Purpose,
    Session,
    begin_session,
    capacities,
    issue_challenge,
    spend_challenge,
)
from kernel.store.tables import CredentialRow, PersonRow
from kernel.store.transaction import Transaction

PLATFORM_NAME: Final = "阳光交易 sunbid"
_ES256: Final = [COSEAlgorithmIdentifier.ECDSA_SHA_256]
_PATIENCE_MS: Final = int(CHALLENGE_LIFE.total_seconds() * 1000)


@dataclass(frozen=True, slots=True)
class Choice:
    """A person whose passkey was verified, and the capacities to choose from with this ticket."""

    ticket: bytes
    capacities: list[Capacity]


@by(*MEMBERS)
async def registration_options(tx: Transaction) -> dict[str, Any]:
    """What a browser needs in order to make a passkey for the acting person."""
    person = await tx.session.get_one(PersonRow, tx.actor.person)
    present = await tx.session.scalars(
        select(col(CredentialRow.keyid)).where(
            col(CredentialRow.person_id) == tx.actor.person,
            col(CredentialRow.kind) == "webauthn",
        )
    )

    challenge = await issue_challenge(tx, Purpose.PASSKEY_REGISTRATION, person_id=tx.actor.person)

    options = generate_registration_options(
        rp_id=relying_party(tx.settings).rp_id,
        rp_name=PLATFORM_NAME,
        user_id=tx.actor.person.bytes,
        user_name=person.name,
        challenge=challenge.nonce,
        timeout=_PATIENCE_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=unb64u(keyid.removeprefix(WEBAUTHN)))
            for keyid in present
        ],
        supported_pub_key_algs=_ES256,
    )
    answer: dict[str, Any] = json.loads(options_to_json(options))
    return answer


@by(*MEMBERS)
async def add_passkey(tx: Transaction, credential: dict[str, Any]) -> str:
    """Let a passkey speak for the acting person; its key id."""
    nonce = _challenge_in(credential)
    row = await spend_challenge(tx, nonce, Purpose.PASSKEY_REGISTRATION)
    party = relying_party(tx.settings)
    if row.person_id != tx.actor.person:
        raise NotSignedIn("the challenge was given to someone else")

    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=nonce,
            expected_rp_id=party.rp_id,
            expected_origin=sorted(party.origins),
            require_user_verification=True,
            supported_pub_key_algs=_ES256,
        )
        public_key = _plain_key(verified.credential_public_key)
    except (WebAuthnException, ValueError, TypeError, KeyError) as fault:
        raise BrokenSeal(f"the passkey does not verify: {fault}") from None
    keyid = passkey_keyid(verified.credential_id)
    if await tx.session.get(CredentialRow, keyid) is not None:
        raise Outrun("this passkey is registered already")

    keep_credential(
        tx,
        tx.actor.person,
        keyid,
        kind="webauthn",
        public_key=public_key,
        sign_count=verified.sign_count,
        backed_up=verified.credential_backed_up,
    )

    return keyid


@by(Role.PUBLIC)
async def sign_in_options(tx: Transaction) -> dict[str, Any]:
    """What a browser needs in order to ask any passkey of this platform for a signature."""
    challenge = await issue_challenge(tx, Purpose.PASSKEY_SIGN_IN)
    options = generate_authentication_options(
        rp_id=relying_party(tx.settings).rp_id,
        challenge=challenge.nonce,
        timeout=_PATIENCE_MS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    answer: dict[str, Any] = json.loads(options_to_json(options))
    return answer


@by(Role.PUBLIC)
async def recognise(tx: Transaction, credential: dict[str, Any]) -> Choice:
    """The capacities of the person whose passkey answered, with a ticket to choose one of them."""
    nonce = _challenge_in(credential)
    await spend_challenge(tx, nonce, Purpose.PASSKEY_SIGN_IN)
    row = await _passkey_row(tx, credential)
    party = relying_party(tx.settings)

    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=nonce,
            expected_rp_id=party.rp_id,
            expected_origin=sorted(party.origins),
            credential_public_key=_cose_key(row.public_key),
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as fault:
        raise BrokenSeal(f"the passkey does not verify: {fault}") from None

    row.sign_count = verified.new_sign_count
    row.backed_up = verified.credential_backed_up
    ticket = await issue_challenge(tx, Purpose.CHOICE, person_id=row.person_id, keyid=row.keyid)

    return Choice(ticket.nonce, await capacities(tx.session, person_id=row.person_id))


@by(Role.PUBLIC)
async def choose(tx: Transaction, ticket: bytes, organisation_id: UUID, role: Role) -> Session:
    """Begin the session that a recognised person chose."""
    row = await spend_challenge(tx, ticket, Purpose.CHOICE)
    credential = await tx.session.get(CredentialRow, row.keyid)
    if credential is None or credential.revoked_at is not None:
        raise NotSignedIn("no such credential")
    return await begin_session(
        tx,
        PersonId(credential.person_id),
        PartyId(organisation_id),
        role,
        keyid=credential.keyid,
    )


async def _passkey_row(tx: Transaction, credential: dict[str, Any]) -> CredentialRow:
    try:
        keyid = passkey_keyid(parse_authentication_credential_json(credential).raw_id)
    except (WebAuthnException, ValueError, TypeError, KeyError) as fault:
        raise Malformed(f"not a passkey's answer: {fault}") from None
    row = await tx.session.get(CredentialRow, keyid, with_for_update=True)
    if row is None or row.revoked_at is not None:
        raise NotSignedIn("no such credential")
    return row


def _challenge_in(credential: dict[str, Any]) -> bytes:
    """The challenge an authenticator says it signed; verified later, here only looked up."""
    try:
        response = credential["response"]
        client = parse_client_data_json(unb64u(response["clientDataJSON"]))
    except (WebAuthnException, ValueError, TypeError, KeyError) as fault:
        raise Malformed(f"not a passkey's answer: {fault}") from None
    if len(client.challenge) != CHALLENGE_SIZE:
        raise Malformed("not a challenge of ours")
    return client.challenge


def _plain_key(cose_key: bytes) -> bytes:
    """The uncompressed point of a COSE P-256 key."""
    key = decode_credential_public_key(cose_key)
    if not isinstance(key, DecodedEC2PublicKey) or key.alg != COSEAlgorithmIdentifier.ECDSA_SHA_256:
        raise ValueError("not a P-256 key")
    point = b"\x04" + key.x.rjust(32, b"\0") + key.y.rjust(32, b"\0")
    loaded_public_key(point)
    return point


def _cose_key(public_key: bytes) -> bytes:
    """A P-256 key as RFC 9053 writes it: EC2, ES256, the curve, and the two coordinates."""
    encoded: bytes = encode_cbor({1: 2, 3: -7, -1: 1, -2: public_key[1:33], -3: public_key[33:]})
    return encoded
