"""What a lot's archive holds: E-Bidding Measures 40; Government Procurement Law 42."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import Table

import evaluation.tables
import expert_pool.tables
import trading.tables
from kernel.access import Role
from kernel.store.database import Row
from trading.archived_papers import LEFT_OUT, PAPERS, Reach, archived_tables
from trading.archiving import KEEPERS

LOT = "trading.lot"
SCHEMAS = {one.__name__.partition(".")[0] for one in (evaluation.tables, expert_pool.tables)} | {
    trading.tables.__name__.partition(".")[0]
}


def belongs_to_a_lot(table: Table, seen: frozenset[str] = frozenset()) -> bool:
    """Whether each row is about one lot, by its own column or by the row it hangs on."""
    if table.fullname == LOT or table.fullname in seen:
        return False
    others = [key.column.table for key in table.foreign_keys]
    return "lot_id" in table.columns or any(
        other.fullname == LOT or belongs_to_a_lot(other, seen | {table.fullname})
        for other in others
    )


def test_every_table_of_a_lot_is_archived_or_left_out_for_a_reason() -> None:
    of_a_lot = {
        name
        for name, table in Row.metadata.tables.items()
        if table.schema in SCHEMAS and belongs_to_a_lot(table)
    }
    left_out = [table for one in LEFT_OUT for table in one.tables]
    assert archived_tables() | set(left_out) == of_a_lot
    assert not archived_tables() & set(left_out)
    assert max(Counter(left_out).values()) == 1
    assert all(all(words.strip() for words in one.why) for one in LEFT_OUT)


def test_no_kind_of_paper_is_kept_twice() -> None:
    assert max(Counter(one.table for one in PAPERS).values()) == 1


@pytest.mark.parametrize("role", KEEPERS)
def test_of_a_lot_that_never_closed_nobody_gets_what_would_tell_who_meant_to_bid(
    role: Role,
) -> None:
    early = {reach for reach in Reach if reach.lets(role, closed=False)}
    later = {reach for reach in Reach if reach.lets(role, closed=True)}
    supervises = role is Role.SUPERVISOR
    assert early == {Reach.KEEPERS} | ({Reach.ORDERED} if supervises else set())
    assert (Reach.CONCERNED in later) is (role is not Role.CENTRE_STAFF)
    assert (Reach.SUPERVISORS in later) is supervises
