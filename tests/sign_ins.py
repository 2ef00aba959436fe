"""Sessions for tests: a token for a registered person, without the ceremony tested elsewhere."""

from __future__ import annotations

from kernel.access import PUBLIC, Role
from kernel.store.registering import Registered
from kernel.store.signing_in import begin_session
from kernel.store.transaction import Store, transaction


async def token_for(store: Store, who: Registered, role: Role) -> str:
    """A bearer token of a session in that capacity."""
    async with transaction(store, actor=PUBLIC) as tx:
        session = await begin_session(tx, who.person_id, who.organisation_id, role, keyid=None)
    return session.token
