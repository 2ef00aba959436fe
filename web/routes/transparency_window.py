"""The transparency window: the log as anyone may read it, and as anyone may check it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from sqlalchemy import text

from kernel.access import Role
from kernel.crypto import merkle
from kernel.errors import NotFound
from kernel.events import Audience
from kernel.store import founding, opened_views
from kernel.store.transaction import Store
from kernel.store.transparency_log import cosigned_note, latest_note, nodes_at, proof_of
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED
from web.call_limit import limited
from web.pages import render
from web.places import Place
from web.request_scope import actor_of

router = Place()

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "no-cache"}


@router.get("/log/checkpoint")
async def checkpoint(
    request: Request, quorum: Annotated[int, Query(ge=0, le=16)] = 0
) -> PlainTextResponse:
    """The newest checkpoint with its cosignatures (C2SP tlog-checkpoint)."""
    store: Store = request.app.state.store
    async with store.sessions() as session:
        note = await latest_note(session, quorum=quorum)
    if note is None:
        raise NotFound("no checkpoint yet")
    return PlainTextResponse(note, headers=FRESH)


@router.get("/log/checkpoint/{size}")
async def checkpoint_of_size(
    request: Request, size: Annotated[int, Path(ge=0, lt=2**63)]
) -> PlainTextResponse:
    """One checkpoint with the cosignatures known for it now."""
    store: Store = request.app.state.store
    async with store.sessions() as session:
        note, _ = await cosigned_note(session, size)
    if note is None:
        raise NotFound("no checkpoint of that size")
    return PlainTextResponse(note, headers=FRESH)


@router.get("/log/tile/{path:path}")
async def tile(request: Request, path: str) -> Response:
    """A tile of hashes or of leaves (C2SP tlog-tiles); full tiles never change."""
    store: Store = request.app.state.store
    asked = merkle.parse_tile_path(f"tile/{path}")
    first = asked.index * merkle.TILE_WIDTH
    if (first + asked.width) << (merkle.TILE_HEIGHT * (asked.level or 0)) >= 1 << 63:
        raise NotFound("no tree is that large")
    async with store.sessions() as session:
        if asked.level is None:
            rows = await session.execute(
                text(
                    "SELECT data FROM kernel.log_leaf"
                    " WHERE index >= :first AND index < :end ORDER BY index"
                ),
                {"first": first, "end": first + asked.width},
            )
            leaves = [row[0] for row in rows]
            if len(leaves) < asked.width:
                raise NotFound("no such tile")
            return _bytes(b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves))
        wanted = [(asked.level * merkle.TILE_HEIGHT, first + place) for place in range(asked.width)]
        found = await nodes_at(session, wanted)
    if len(found) < asked.width:
        raise NotFound("no such tile")
    return _bytes(b"".join(found[place] for place in wanted))


def _bytes(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers=IMMUTABLE)


@router.get("/api/v1/log/entries")
async def opened_entries(
    request: Request, after: Annotated[int, Query(ge=0, lt=2**63)] = 0
) -> JSONResponse:
    """The entries this reader may know, each with what opens its leaf: record, salt and index.

    The public gets the public feed; a supervisor everything that is not sealed any more.
    """
    store: Store = request.app.state.store
    view = await _view_of(request)
    async with store.sessions() as session:
        entries = await opened_views.opened_entries(session, view, after=after)
    return JSONResponse({"view": view, "entries": entries}, headers={"Cache-Control": "no-store"})


@router.get("/api/v1/log/manifest", dependencies=[Depends(limited)])
async def manifest(
    request: Request,
    size: Annotated[int, Query(ge=0, lt=2**63)],
    entries: Annotated[int, Query(ge=0, lt=2**31)],
) -> PlainTextResponse:
    """The log's signed word that this reader's view has so many entries in the tree of that size.

    Whoever keeps it beside the entries can show later that none was left out or moved.
    """
    store: Store = request.app.state.store
    view = await _view_of(request)
    async with store.sessions() as session:
        note = await opened_views.manifest_of(
            session,
            view,
            size=size,
            entries=entries,
            signer=founding.read_keys(store.settings).log_signer,
            settings=store.settings,
        )
    return PlainTextResponse(note, headers={"Cache-Control": "no-store"})


async def _view_of(request: Request) -> str:
    """The feed of everything that this reader may know."""
    actor = await actor_of(request)
    return SUPERVISORS_FEED if actor.role is Role.SUPERVISOR else PUBLIC_FEED


@router.get("/api/v1/log/proofs/{entry_id}")
async def proof(
    request: Request, entry_id: UUID, quorum: Annotated[int, Query(ge=0, le=16)] = 0
) -> PlainTextResponse:
    """A tlog-proof of one entry that is public."""
    store: Store = request.app.state.store
    async with store.sessions() as session:
        known = await session.execute(
            text("SELECT 1 FROM kernel.view_entry WHERE view = :view AND entry_id = :id"),
            {"view": str(Audience.PUBLIC), "id": entry_id},
        )
        text_of_proof = await proof_of(session, entry_id, quorum=quorum) if known.first() else None
    if text_of_proof is None:
        raise NotFound("no such proof")
    return PlainTextResponse(text_of_proof)


@router.get("/transparency", response_class=HTMLResponse)
async def transparency(request: Request) -> HTMLResponse:
    """The page: the newest checkpoint, who cosigned it and when, and how to check it oneself."""
    store: Store = request.app.state.store
    async with store.sessions() as session:
        note = await latest_note(session)
        cosigned = await latest_note(session, quorum=store.settings.witness_quorum)
        witnesses = await session.execute(
            text(
                "SELECT witness, max(witnessed_at) AS at, max(size) AS size"
                " FROM kernel.log_cosignature GROUP BY witness ORDER BY witness"
            )
        )
        platform = await session.execute(
            text("SELECT log_origin, log_vkey, founded_at FROM kernel.platform")
        )
        epochs = await session.execute(
            text(
                "SELECT j.kind, j.recorded_at, j.record FROM kernel.view_entry v"
                " JOIN kernel.journal j ON j.id = v.entry_id WHERE v.view = 'public'"
                " ORDER BY v.number DESC LIMIT 20"
            )
        )
        view: dict[str, Any] = {
            "note": note,
            "cosigned": cosigned,
            "size": int(note.split("\n")[1]) if note else 0,
            "root": note.split("\n")[2] if note else "",
            "witnesses": witnesses.mappings().all(),
            "platform": platform.mappings().one(),
            "entries": epochs.mappings().all(),
            "quorum": store.settings.witness_quorum,
        }
    return render(request, "transparency_window/window.html", **view)
