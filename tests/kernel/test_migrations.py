"""What migrations make is what the row classes say: tables, constraints, triggers, grants."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.store import migrating
from kernel.store.database import OWNER, SCHEMAS, connect, create_all
from kernel.store.embedded_postgres import EmbeddedPostgres

CATALOGUE = {
    "columns": (
        "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default,"
        " is_identity, generation_expression FROM information_schema.columns"
        " WHERE table_schema = ANY(:schemas) ORDER BY 1, 2, 3"
    ),
    "constraints": (
        "SELECT n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = ANY(:schemas) ORDER BY 1, 2, 3, 4"
    ),
    "indexes": (
        "SELECT schemaname, tablename, indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = ANY(:schemas) ORDER BY 1, 2, 3"
    ),
    "triggers": (
        "SELECT n.nspname, t.relname, g.tgname, pg_get_triggerdef(g.oid) FROM pg_trigger g"
        " JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = ANY(:schemas) AND NOT g.tgisinternal ORDER BY 1, 2, 3"
    ),
    "functions": (
        "SELECT n.nspname, p.proname, regexp_replace(pg_get_functiondef(p.oid), '\\s+', ' ', 'g')"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = ANY(:schemas) ORDER BY 1, 2"
    ),
    "grants": (
        "SELECT table_schema, table_name, grantee, privilege_type"
        " FROM information_schema.role_table_grants WHERE table_schema = ANY(:schemas)"
        " AND grantee <> 'sunbid_owner' ORDER BY 1, 2, 3, 4"
    ),
    "rows": "SELECT came_from, went_to FROM trading.lawful_move ORDER BY 1, 2",
}


async def _catalogue(connection: AsyncConnection) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for name, query in CATALOGUE.items():
        values = {"schemas": list(SCHEMAS)} if ":schemas" in query else {}
        rows = await connection.execute(text(query), values)
        found[name] = [tuple(row) for row in rows if "alembic_version" not in row]
    return found


async def test_models_equal_migrations(postgres: EmbeddedPostgres) -> None:
    for package in ("kernel.store", "blacklist", "expert_pool", "trading", "evaluation"):
        import_module(f"{package}.tables")
    catalogues = []
    for name in ("by_migration", "by_model"):
        await postgres.create_database(name)
        engine = connect(postgres.url(role=OWNER, database=name), pool_size=2)
        try:
            if name == "by_migration":
                await migrating.migrate(engine)
            else:
                async with engine.begin() as connection:
                    await create_all(connection)
            async with engine.connect() as connection:
                catalogues.append(await _catalogue(connection))
        finally:
            await engine.dispose()
            await postgres.drop_database(name)
    migrated, modelled = catalogues
    for part in CATALOGUE:
        assert migrated[part] == modelled[part], part
    assert migrated["columns"]
    assert migrated["triggers"]


async def test_migrations_go_up_down_and_up_again(postgres: EmbeddedPostgres) -> None:
    await postgres.create_database("up_down")
    engine = connect(postgres.url(role=OWNER, database="up_down"), pool_size=2)

    def down(connection: Connection) -> None:
        config = migrating.configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    try:
        await migrating.migrate(engine)
        async with engine.connect() as connection:
            before = await _catalogue(connection)
        async with engine.connect() as connection:
            await connection.run_sync(down)
            await connection.commit()
        await migrating.migrate(engine)
        async with engine.connect() as connection:
            assert await _catalogue(connection) == before
    finally:
        await engine.dispose()
        await postgres.drop_database("up_down")


def test_there_is_one_newest_migration_and_its_name_is_written_down() -> None:
    scripts = ScriptDirectory.from_config(migrating.configuration())
    assert scripts.get_current_head() == Path(migrating.SCRIPTS / "HEAD").read_text().strip()
