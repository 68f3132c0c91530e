"""Every setting: typed, with its unit and default. Read from the environment, prefix CONTENTCASTER_.

A secret may also come from a file: CONTENTCASTER_SECRET_KEY_FILE=/run/secrets/key. An unknown or unsafe value
stops the start with one clear line (`load_settings` raises SettingsError).
"""

from __future__ import annotations

import base64
import importlib.util
import ipaddress
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CONTENTCASTER_"
UNPREFIXED = ("GEMINI_API_KEY", "GEMINI_BASE_URL")
PROJECT_ROOT = Path(__file__).resolve().parent.parent

QUEUES = ("publish", "engagement", "growth", "finder", "maintenance")
BOT_QUEUES = ("engagement", "growth", "finder")


class SettingsError(Exception):
    """A setting is unknown, malformed or unsafe; the message is one line for the operator."""


class Settings(BaseSettings):
    """The settings of one process; build it with `load_settings`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    environment: Literal["simulation", "development", "production"] = "simulation"
    data_dir: Path = PROJECT_ROOT / ".data"
    database_url: str = ""
    """Empty: an SQLite file in the data dir."""
    redis_url: str = ""
    """Empty: SqliteHuey files in the data dir."""
    publish_redis_urls: Annotated[tuple[str, ...], NoDecode] = ()
    """One Redis per shard of the publish queue; empty: one shard, on REDIS_URL."""
    console_redis_url: str = ""
    """Keeps what open tabs show, so that several web processes can serve them; empty: each web process its own."""
    web_processes: int = Field(default=1, ge=1, le=32)
    """How many web processes `contentcaster up` runs on one port; more than one need CONSOLE_REDIS_URL."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = ""
    """Where people reach the console, e.g. https://social.example.org; empty: http://host:port."""

    secret_key: SecretStr = SecretStr("")
    """Signs session tokens; at least 32 characters."""
    encryption_keys: SecretStr = SecretStr("")
    """Key ring for channel credentials: comma-separated `id:base64(32 bytes)`, the first one encrypts."""
    admin_email: str = ""
    admin_password: SecretStr = SecretStr("")

    publish_lead_seconds: float = Field(default=3.0, ge=0.5, le=60)
    """How long before the due time a job is claimed and prepared."""
    publish_retries: int = Field(default=3, ge=0, le=20)
    """Tries after the first one."""
    retry_base_seconds: float = Field(default=1.0, gt=0, le=3600)
    """First wait; doubles with each try: 1, 2, 4 s."""
    retry_jitter: float | None = Field(default=None, ge=0, le=1)
    """Share of the wait that is random; unset: 0.2 in production, else 0."""
    lease_seconds: float = Field(default=60.0, ge=2, le=3600)
    send_deadline_seconds: float = Field(default=20.0, ge=0.5, le=600)
    settle_seconds: float = Field(default=30.0, ge=0.1, le=3600)
    """Wait before an unknown outcome is looked up on the network."""
    hint_timeout_seconds: float = Field(default=30.0, ge=0.5, le=3600)
    """After this a job still waiting in the queue counts as a lost hint."""
    max_snooze_hours: float = Field(default=24.0, gt=0)
    """A job that a network keeps rate limiting is given up this long after its due time."""
    missed_after_minutes: int = Field(default=15, ge=1, le=7 * 24 * 60)
    """A post that could not be started so long after its time counts as missed, where its author chose to hold or
    skip it then."""
    send_concurrency: int = Field(default=200, ge=1, le=5000)
    """Publishes in flight per worker process."""
    channel_concurrency: int = Field(default=32, ge=1, le=1000)
    """Publishes in flight per channel and worker process."""
    bot_concurrency: int = Field(default=16, ge=1, le=1000)
    """Bot actions in flight per worker process."""
    bot_niceness: int = Field(default=10, ge=0, le=19)
    """How far a process that serves only bot queues steps back for others; 0: not at all."""
    bot_log_days: int = Field(default=180, ge=1, le=3650)
    """How long lines of the bot log are kept."""
    metric_snapshot_days: int = Field(default=400, ge=120, le=3650)
    """How long each count of a post is kept as it grew; after it only the newest, which analytics shows."""
    bots_own_process: bool | None = None
    """Whether `contentcaster up` runs the bots in a process of their own, for about 100 MB; unset: in production."""

    sandbox: Literal["on", "off"] = "on"
    sandbox_port: int = Field(default=8010, ge=1, le=65535)
    egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """host:port pairs that connectors may reach although private or plain http."""

    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses or networks of reverse proxies whose X-Forwarded-For is believed."""
    otp_required_roles: Annotated[tuple[str, ...], NoDecode] = ()
    """Roles whose people can do nothing but set up two-factor sign-in until they have: admin, creator, ..."""
    metrics_token: SecretStr = SecretStr("")
    """Bearer token for /metrics; empty: loopback only."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otlp_endpoint: str = ""
    """Where traces go, an OTLP/HTTP receiver such as http://collector:4318; empty: nothing is traced."""
    otlp_headers: SecretStr = SecretStr("")
    """Sent with each export: comma-separated `name=value`."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """Share of requests and jobs that are traced."""
    sentry_dsn: SecretStr = SecretStr("")
    """Where errors are reported, in Sentry's protocol; empty: nowhere."""
    backup_passphrase: SecretStr = SecretStr("")
    """For `contentcaster backup` and `restore` without a terminal; 12 characters or more."""
    max_upload_mb: int = Field(default=20, ge=1, le=1024)
    max_video_mb: int = Field(default=100, ge=1, le=200)

    s3_endpoint: str = ""
    """Address of an S3-compatible server; with it media files are kept in a bucket that all hosts share."""
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_access_key_id: str = ""
    s3_secret_access_key: SecretStr = SecretStr("")

    smtp_url: SecretStr = SecretStr("")
    """Where notifications are mailed through: smtps://user:password@host:465, smtp://host:587 (STARTTLS), or
    smtp+plain://host:port for a server listed in EGRESS_ALLOW; empty: no mail. User and password percent-encoded."""
    smtp_from: str = ""
    """The address that those mails come from; empty: the user name of SMTP_URL, if that is an address."""

    gemini_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="GEMINI_API_KEY")
    gemini_base_url: str = Field(default="", validation_alias="GEMINI_BASE_URL")
    gemini_model: str = Field(default="gemini-2.5-flash", pattern=r"^[A-Za-z0-9._-]{1,80}$")

    x_base_url: str = ""
    """Another address for X's API (a twin in tests); empty: https://api.x.com."""
    linkedin_base_url: str = ""
    """Another address for LinkedIn's API (a twin in tests); empty: https://api.linkedin.com."""
    linkedin_version: str = Field(default="202603", pattern=r"^20\d{4}$")
    """YYYYMM of the LinkedIn API; LinkedIn serves each version for about a year."""

    @field_validator(
        "egress_allow", "trusted_proxies", "otp_required_roles", "publish_redis_urls", mode="before"
    )
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no IP address or network such as 10.0.0.0/8") from None
        return value

    @field_validator("otp_required_roles")
    @classmethod
    def _roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for role in value:
            if role not in ("admin", "creator", "monitor", "viewer"):
                raise ValueError(f"{role!r} is no role; there are admin, creator, monitor, viewer")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute_data_dir(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url")
    @classmethod
    def _supported_database(cls, value: str) -> str:
        if value.startswith(("postgres://", "postgresql://")):
            value = "postgresql+psycopg://" + value.split("://", 1)[1]
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
        return value

    @field_validator("redis_url", "console_redis_url")
    @classmethod
    def _supported_redis(cls, value: str) -> str:
        return _redis_address(value)

    @field_validator("publish_redis_urls")
    @classmethod
    def _supported_shards(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            _redis_address(url)
        if len({_redis_place(url) for url in value}) < len(value):
            raise ValueError("names the same Redis database twice; each shard needs its own")
        return value

    @model_validator(mode="after")
    def _several_processes_share_their_state(self) -> Self:
        if self.web_processes > 1 and not self.console_redis_url:
            raise ValueError("WEB_PROCESSES above 1 needs CONSOLE_REDIS_URL, where they keep what tabs show")
        if self.publish_redis_urls and not self.redis_url:
            raise ValueError("PUBLISH_REDIS_URLS needs REDIS_URL as well, for the other queues")
        queues = {_redis_place(url) for url in (self.redis_url, *self.publish_redis_urls) if url}
        if self.console_redis_url and _redis_place(self.console_redis_url) in queues:
            raise ValueError(
                "CONSOLE_REDIS_URL must be another Redis, or another database of it, than the queues': what tabs show "
                "is kept there as Python objects, which nobody else may write"
            )
        return self

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            is_good = parts.scheme in ("smtp", "smtps", "smtp+plain") and parts.hostname and parts.port != 0
        except ValueError:
            is_good = False
        if value.get_secret_value() and not is_good:
            raise ValueError("must look like smtps://user:password@host:465 or smtp://host:587")
        return value

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Self:
        if self.smtp_url.get_secret_value() and not re.fullmatch(
            r"[^\s@<>,;]+@[^\s@<>,;]+", self.mail_sender
        ):
            raise ValueError("SMTP_FROM (the address that notifications come from) is required with SMTP_URL")
        return self

    @property
    def mail_sender(self) -> str:
        """The address in From of notifications."""
        return self.smtp_from or unquote(urlsplit(self.smtp_url.get_secret_value()).username or "")

    @field_validator("public_url")
    @classmethod
    def _plain_public_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _lease_outlives_send(self) -> Self:
        if self.lease_seconds <= self.send_deadline_seconds:
            raise ValueError(
                "LEASE_SECONDS must be greater than SEND_DEADLINE_SECONDS, or a slow send could be taken over"
            )
        if self.publish_lead_seconds > self.lease_seconds / 2:
            raise ValueError(
                "PUBLISH_LEAD_SECONDS must be at most half of LEASE_SECONDS, or a job could lose its lease while it "
                "waits for its time"
            )
        return self

    @property
    def settles_too_soon(self) -> bool:
        """Whether an unclear send may be looked up, and found absent, while it is still under way."""
        return self.settle_seconds <= self.send_deadline_seconds

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.environment != "production":
            return self
        problems = []
        if len(self.secret_key.get_secret_value()) < 32:
            problems.append("SECRET_KEY (32 characters or more) is required")
        if not self.encryption_keys.get_secret_value():
            problems.append("ENCRYPTION_KEYS is required")
        if not self.public_url.startswith("https://"):
            problems.append("PUBLIC_URL must be an https address")
        if not self.is_postgres:
            problems.append("DATABASE_URL must name a Postgres database")
        if not self.redis_url:
            problems.append("REDIS_URL is required")
        if self.console_redis_url and not _is_redis_guarded(self.console_redis_url):
            problems.append(
                "CONSOLE_REDIS_URL needs a password (or a unix socket): who writes there runs code here"
            )
        if self.settles_too_soon:
            problems.append(
                "SETTLE_SECONDS must be greater than SEND_DEADLINE_SECONDS, or a post could be looked up, not found "
                "and sent again while the first request is still under way"
            )
        if self.sandbox == "on" and "sandbox" in self.model_fields_set:
            problems.append("SANDBOX must be off")
        if problems:
            raise ValueError("production refuses to start: " + "; ".join(problems))
        return self

    @model_validator(mode="after")
    def _whole_bucket(self) -> Self:
        if self.s3_endpoint and not self.s3_endpoint.startswith(("https://", "http://")):
            raise ValueError(
                "S3_ENDPOINT must start with https:// (or http:// for one listed in EGRESS_ALLOW)"
            )
        secret = self.s3_secret_access_key.get_secret_value()
        given = (self.s3_endpoint, self.s3_bucket, self.s3_access_key_id, secret)
        if any(given) and not all(given):
            raise ValueError("S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together")
        return self

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'contentcaster.sqlite'}"

    @property
    def is_postgres(self) -> bool:
        return self.database_url.startswith("postgresql")

    @field_validator("otlp_endpoint")
    @classmethod
    def _receiver_of_traces(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value

    @model_validator(mode="after")
    def _optional_libraries_are_there(self) -> Self:
        for name, value, library, extra in (
            ("OTLP_ENDPOINT", self.otlp_endpoint, "opentelemetry.exporter.otlp.proto.http", "otel"),
            ("SENTRY_DSN", self.sentry_dsn.get_secret_value(), "sentry_sdk", "sentry"),
        ):
            if value and not _is_installed(library):
                raise ValueError(
                    f"{name} needs libraries that are not installed: pip install 'contentcaster[{extra}]'"
                )
        return self

    @property
    def publish_shards(self) -> tuple[str, ...]:
        """The Redis of each shard of the publish queue; empty without Redis."""
        return self.publish_redis_urls or ((self.redis_url,) if self.redis_url else ())

    @property
    def effective_public_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def is_sandbox_on(self) -> bool:
        return self.sandbox == "on" and self.environment != "production"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def allowed_private_hosts(self) -> frozenset[str]:
        """host:port pairs that the egress client may reach although they are private or plain http."""
        own = {f"127.0.0.1:{self.sandbox_port}"} if self.is_sandbox_on else set()
        return frozenset(self.egress_allow) | own

    @property
    def has_bots_process(self) -> bool:
        if self.bots_own_process is not None:
            return self.bots_own_process
        return self.environment == "production"

    @property
    def effective_retry_jitter(self) -> float:
        if self.retry_jitter is not None:
            return self.retry_jitter
        return 0.2 if self.environment == "production" else 0.0


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment; `overrides` win (tests, command-line flags).

    Raises:
        SettingsError: unknown names, malformed or unsafe values; one line for the operator.
    """
    values = _values_from_files() | overrides
    _refuse_unknown_names()
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None
    return _with_generated_secrets(settings)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:
        return False


def _redis_address(value: str) -> str:
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return value


def _redis_place(url: str) -> tuple[str, str]:
    """Server and database of a Redis URL, the same for every way of writing them."""
    parts = urlsplit(url)
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
    if parts.scheme == "unix":
        return parts.path, query.get("db", "0")
    database = (
        query.get("db") or parts.path.strip("/") or "0"
    )  # as the client reads it: `?db=` goes before the path
    host = parts.hostname or "localhost"
    return f"{'localhost' if host in ('127.0.0.1', '::1') else host}:{parts.port or 6379}", database


def _is_redis_guarded(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" or bool(parts.password)


def _values_from_files() -> dict[str, object]:
    values: dict[str, object] = {}
    for name, path in os.environ.items():
        if not name.endswith("_FILE") or not (name.startswith(PREFIX) or name == "GEMINI_API_KEY_FILE"):
            continue
        field = name.removesuffix("_FILE")
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name}: cannot read {path}: {error.strerror}") from None
        values[field if field in UNPREFIXED else field.removeprefix(PREFIX).lower()] = content
    return values


def _refuse_unknown_names() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.removesuffix("_FILE") not in known and name not in known:
            raise SettingsError(
                f"{name} is no setting of ContentCaster; see docs/settings.md for their names"
            )


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    name = field if field in UNPREFIXED else (PREFIX + field.upper() if field else "settings")
    reason = first["msg"].removeprefix("Value error, ")
    return f"{name}: {reason}"


def _with_generated_secrets(settings: Settings) -> Settings:
    """Outside production, secrets that are not given are made once and kept in the data dir with mode 0600."""
    if settings.environment == "production":
        return settings
    update: dict[str, SecretStr] = {}
    if not settings.secret_key.get_secret_value():
        update["secret_key"] = SecretStr(_kept_secret(settings.data_dir, "secret_key", _new_secret_key))
    if not settings.encryption_keys.get_secret_value():
        update["encryption_keys"] = SecretStr(
            _kept_secret(settings.data_dir, "encryption_keys", _new_key_ring)
        )
    return settings.model_copy(update=update)


def _new_secret_key() -> str:
    return secrets.token_urlsafe(48)


def _new_key_ring() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


def _kept_secret(data_dir: Path, name: str, make: Callable[[], str]) -> str:
    path = data_dir / "keys" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        candidate = path.with_name(f".{name}.{os.getpid()}")
        candidate.touch(mode=0o600)
        candidate.write_text(make(), encoding="utf-8")
        # link() creates or fails, atomically: of two processes starting at once, both read the winner's key.
        with suppress(FileExistsError):
            os.link(candidate, path)
        candidate.unlink()
    return path.read_text(encoding="utf-8").strip()
