"""The process that answers HTTP for the platform."""

import typer
import uvicorn

from web import premises, structured_logs
from web.answering import ANSWERING, answered
from web.app import create_app
from web.command_running import log_end, run
from web.command_settings import settings_with

app = typer.Typer()


@app.command(hidden=True)
def serve() -> None:
    """Answer HTTP; started by `up`, which owns the database."""
    structured_logs.write_as_json()
    settings = settings_with()

    async def work() -> int:
        engine = premises.lines_of(settings).engine("app")
        app = create_app(premises.store_over(engine, settings), settings)
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=10,
            **ANSWERING,
        )
        try:
            return await answered(config)
        finally:
            await engine.dispose()

    run(work(), tell=log_end)
