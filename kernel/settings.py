"""What the operator decides, read once from the environment and then frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kernel.identifiers import uscc_faults
from kernel.working_days import STATE_CALENDAR, Calendar, read_calendar

ENCRYPTED = frozenset({"smtps", "smtp+starttls", "https"})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class Settings(BaseSettings):
    """The settings of one process; every name is read from `SUNBID_<NAME>`.

    `database_url` names an outside server; empty means the embedded one under `data`. On an outside
    server the platform connects with that login and takes the role each task needs
    (`sunbid_owner`, `sunbid_app`, `sunbid_log`, `sunbid_read`) unless a URL of its own is given.
    `site_…` is what a public body's pages say about who runs them; the defaults are placeholders.
    """

    model_config = SettingsConfigDict(env_prefix="SUNBID_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    data: Path = Path(".sunbid")
    origin: str = Field(default_factory=lambda told: f"http://localhost:{told['port']}")
    """The address by which browsers reach the platform; this machine's own where none is set."""
    database_url: str = ""
    app_database_url: str = ""
    log_database_url: str = ""
    take_roles: bool = True
    blob_url: str = ""
    log_origin: str = "sunbid.example/log"
    witnesses: Annotated[tuple[str, ...], NoDecode] = ()
    """`<vkey> <url>` pairs, separated by semicolons."""
    witness_quorum: int = 2
    log_tick_s: float = 1.0
    sequencer_nap_s: float = 0.1
    filler_epoch_s: float = 86_400.0
    closer_settle_s: float = 2.0
    drain_bound_s: float = 120.0
    lease_s: float = 15.0
    session_idle_min: int = 30
    session_hours: int = 12
    upload_bytes_max: int = 2 * 1024**3
    site_name: str = "阳光交易"
    site_name_en: str = "Sunbid"
    site_host: str = "（主办单位）"
    site_id_code: str = "0000000000"
    site_icp: str = "（ICP 备案号）"
    site_police: str = "（公安备案号）"
    site_uscc: str = "000000000000000000"
    """The operator's unified social credit code, which stands in every deal's code."""
    site_phone: str = "000-0000-0000"
    site_hours: str = "09:00–17:30"
    mail_server: str = ""
    """`smtps://host:465`, `smtp+starttls://host:587`, or `smtp://` on this machine's loopback."""
    mail_from: str = ""
    mail_user: str = ""
    mail_password_file: Path | None = None
    gateway_url: str = ""
    """Where texts and calls are asked for, by Standard Webhooks; `https://` but on the loopback."""
    gateway_secret_file: Path | None = None
    """One `whsec_…` a line; with two, both sign, so that the gateway can change from one to the
    other."""
    failpoints: str = ""
    testing: bool = False
    calendar: Annotated[Calendar, NoDecode] = STATE_CALENDAR
    """In the environment the path of a JSON file with the State Council's yearly notices of days
    off, as `read_calendar` takes them; needed for the years after 2026."""

    @field_validator("witnesses", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(";") if part.strip())
        return value

    @field_validator("mail_server", "gateway_url")
    @classmethod
    def _travels_in_secret(cls, value: str) -> str:
        if value:
            parts = urlsplit(value)
            if parts.hostname is None:
                raise ValueError("an address begins with its scheme and names a host")
            if parts.scheme not in ENCRYPTED and parts.hostname not in LOOPBACK_HOSTS:
                raise ValueError(f"{parts.scheme}:// would go out in the clear")
        return value

    catalogue: Path | None = None
    """The path of a JSON file with a region's own trading catalogue, beside the national lines."""

    @field_validator("site_uscc")
    @classmethod
    def _credit_code(cls, value: str) -> str:
        if faults := uscc_faults(value):
            raise ValueError("; ".join(faults))
        return value

    @field_validator("calendar", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if not isinstance(value, str | Path):
            return value
        try:
            return read_calendar(Path(value).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{value}: {error.strerror}") from None
        except ValueError as error:
            raise ValueError(f"{value}: {error}") from None

    @property
    def witness_list(self) -> list[tuple[str, str]]:
        """The witnesses' verifier keys and addresses, as (vkey, url)."""
        return [(vkey, url) for vkey, _, url in (item.partition(" ") for item in self.witnesses)]
