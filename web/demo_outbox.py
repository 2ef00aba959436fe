"""The letters a demonstration shows on a page, since it sends none to anybody.

Each is composed again from what it was made of; the page itself is there in demonstrations alone,
where everybody is fictional and anybody may be anybody.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kernel.settings import Settings
from kernel.store.outbox import DeliveryState, Parcel
from kernel.store.tables import ContactRow, DeliveryAttemptRow, DeliveryRow, NotificationRow
from web.delivering import letter_in
from web.notification_texts import Letter

LETTERS_MAX: Final = 50


async def letters(session: AsyncSession, settings: Settings) -> list[Letter]:
    """The newest letters that were shown instead of sent."""
    rows = await session.execute(
        select(DeliveryRow, ContactRow, NotificationRow)
        .join(ContactRow, col(ContactRow.id) == col(DeliveryRow.contact_id))
        .join(DeliveryAttemptRow, col(DeliveryAttemptRow.delivery_id) == col(DeliveryRow.id))
        .outerjoin(NotificationRow, col(NotificationRow.id) == col(DeliveryRow.notification_id))
        .where(
            col(DeliveryRow.state) == DeliveryState.SENT,
            col(DeliveryAttemptRow.answer) == "demo",
            # A code that has been typed back, or replaced, is nobody's any more.
            col(NotificationRow.id).is_not(None) | (col(ContactRow.code_salt) != b""),
        )
        .order_by(col(DeliveryAttemptRow.tried_at).desc(), col(DeliveryRow.id))
        .limit(LETTERS_MAX)
    )
    found = (letter_in(Parcel(*row), settings) for row in rows)
    return [one for one in found if one is not None]
