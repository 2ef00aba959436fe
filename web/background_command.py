"""The process that keeps time, the log and the witnesses."""

import asyncio

import typer

from kernel.store import founding
from web import background as background_process
from web import premises, structured_logs
from web.command_running import log_end, run, until_told_to_stop
from web.command_settings import settings_with
from web.exit_codes import OK

app = typer.Typer()


@app.command(hidden=True)
def background() -> None:
    """Keep time, the log and the witnesses; started by `up`, which owns the database."""
    structured_logs.write_as_json()
    settings = settings_with()
    lines = premises.lines_of(settings)

    async def work() -> int:
        engine, log_engine = lines.engine("app"), lines.engine("log", pool_size=4)
        task = asyncio.create_task(
            background_process.run(
                premises.store_over(engine, settings),
                log_engine=log_engine,
                signer=founding.read_keys(settings).log_signer,
                settings=settings,
            )
        )
        stopped = asyncio.create_task(until_told_to_stop())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        try:
            if task.done():
                await task
        finally:
            task.cancel()
            stopped.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)
            await engine.dispose()
            await log_engine.dispose()
        return OK

    run(work(), tell=log_end)
