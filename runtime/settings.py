"""Settings: the one reader of the environment; every HAOKA_* variable is a field here with its meaning."""

import base64
import binascii
import json
import os
import secrets
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runtime.redis_place import place

KEY_NAMES = ("master_key", "index_key", "signing_key")


class SettingsError(Exception):
    """A setting is unusable; the message names the variable and the fix."""


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Settings:
    """Everything a deployment may choose. The variable of a field is HAOKA_ + its name in capitals."""

    home: Path = _setting(Path(".haoka"), "Data folder: database, Redis files, documents, keys, logs.")
    port: int = _setting(8000, "Port of the web process.")
    host: str = _setting("127.0.0.1", "Address the web process listens on.")
    public_url: str = _setting(
        "", "Address shoppers see; https makes cookies Secure. Default: host and port."
    )
    database_url: str = _setting("", "SQLAlchemy URL. Default: SQLite in the data folder.")
    redis_url: str = _setting(
        "",
        "Redis that holds the stock: a server, a cluster or Sentinels (see below). Default: an embedded server.",
    )
    queue_redis_url: str = _setting(
        "",
        "Redis that holds the job queues. Default: the stock's, or for a stock on a cluster the embedded server.",
    )
    sandbox_url: str = _setting("", "Base address of the offline twins; empty in production.")
    stripe_url: str = _setting("", "Stripe's API address. Default: the twin, else https://api.stripe.com.")
    stripe_key: str = _setting("sk_test_haoka", "Stripe's secret key.")
    stripe_publishable_key: str = _setting("pk_test_haoka", "Stripe's publishable key, sent to browsers.")
    stripe_webhook_secret: str = _setting(
        "", "Secret that signs Stripe's webhooks. Default: the twin's, else none, and no webhook is believed."
    )
    stripe_js_url: str = _setting("", "Stripe.js. Default: the twin's, else https://js.stripe.com/v3/.")
    identity_url: str = _setting("", "Identity service. Default: the twin.")
    identity_key: str = _setting("idk_sandbox", "Bearer key for the identity service.")
    sms_url: str = _setting("", "SMS gateway. Default: the twin.")
    sms_key: str = _setting("sms_sandbox", "Bearer key for the SMS gateway.")
    master_key: bytes = _setting(b"", "Key that wraps personal data keys, 32 bytes in base64.")
    index_key: bytes = _setting(b"", "Key of the blind index over ID numbers, 32 bytes in base64.")
    signing_key: bytes = _setting(b"", "Key for derived ids, tokens and codes, 32 bytes in base64.")
    max_numbers_per_id: int = _setting(5, "How many live numbers one ID document may have.")
    hold_seconds: int = _setting(900, "How long a picked number is held for a shopper, in seconds.")
    pay_seconds: int = _setting(1800, "How long an order may stay unpaid, in seconds.")
    min_age_card: int = _setting(16, "Youngest buyer of a number card, in years.")
    min_age_bundle: int = _setting(18, "Youngest buyer of a contract handset, in years.")
    code_seconds: int = _setting(300, "How long a code sent by SMS is valid, in seconds.")
    codes_per_address: int = _setting(30, "Login codes one client address may ask for in an hour.")
    cooling_days: int = _setting(
        30, "How long a number that came back rests before it is sold again, in days."
    )
    redis_timeout_ms: int = _setting(
        800, "How long the stock's Redis may be silent before a request is refused, in milliseconds."
    )
    answer_ms: int = _setting(
        3_000, "How long a request may wait for the database before it is refused, in milliseconds."
    )
    manifest_seconds: int = _setting(60, "How often manifests are cut, in seconds.")
    orphan_seconds: int = _setting(
        60, "Age at which a claimed number without an order is given back, seconds."
    )
    forwarded_allow_ips: str = _setting("", "Proxies whose X-Forwarded-For is believed; empty: none.")
    allowed_hosts: str = _setting("", "Host names the shop answers to, by comma. Default: its own address.")
    log_level: str = _setting("INFO", "Least level that is logged: DEBUG, INFO, WARNING, ERROR.")
    crash_point: str = _setting("", "Tests only: name of the crash point at which the process kills itself.")

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")


def read(environ: dict[str, str]) -> Settings:
    """Settings from an environment, completed with defaults that depend on others.

    Keys not in the environment come from `keys.json` in the data folder, made once with mode 0600.
    Raises SettingsError that names the variable and the fix."""
    given: dict[str, Any] = {}
    for f in fields(Settings):
        raw = environ.get(f"HAOKA_{f.name.upper()}", "")
        if raw:
            given[f.name] = _parse(f.name, str(f.type), raw)
    home = Path(given.get("home", Settings.home)).absolute()
    given["home"] = home
    host, port = given.get("host", Settings.host), given.get("port", Settings.port)
    given.setdefault("public_url", f"http://{host}:{port}")
    given["public_url"] = given["public_url"].rstrip("/")
    given.setdefault("database_url", f"sqlite:///{home / 'haoka.db'}")
    given.update(_redis_urls(home, given.get("redis_url", ""), given.get("queue_redis_url", "")))
    sandbox = given.get("sandbox_url", "").rstrip("/")
    given["sandbox_url"] = sandbox
    given.setdefault("stripe_url", f"{sandbox}/stripe" if sandbox else "https://api.stripe.com")
    given.setdefault(
        "stripe_js_url",
        f"{given['public_url']}/sandbox/stripe/v3/" if sandbox else "https://js.stripe.com/v3/",
    )
    if sandbox:
        given.setdefault("stripe_webhook_secret", "whsec_haoka_sandbox")
        given.setdefault("identity_url", f"{sandbox}/identity")
        given.setdefault("sms_url", f"{sandbox}/sms")
    if missing := [name for name in KEY_NAMES if name not in given]:
        kept = _kept_keys(home)
        given.update({name: base64.b64decode(kept[name]) for name in missing})
    return Settings(**given)


def embedded_redis(home: Path) -> str:
    """The URL of the server that `haoka run` starts in that data folder."""
    return f"unix://{quote(str(home / 'redis' / 'redis.sock'))}"


def _redis_urls(home: Path, stock: str, queue: str) -> dict[str, str]:
    stock = stock or embedded_redis(home)
    try:
        is_cluster = place(stock).kind == "cluster"
    except ValueError as trouble:
        raise SettingsError(f"HAOKA_REDIS_URL {trouble}") from None
    queue = queue or (embedded_redis(home) if is_cluster else stock)
    try:
        if place(queue).kind == "cluster":
            raise ValueError(
                "is a cluster, which cannot hold job queues: name another Redis or its Sentinels"
            )
    except ValueError as trouble:
        raise SettingsError(f"HAOKA_QUEUE_REDIS_URL {trouble}") from None
    return {"redis_url": stock, "queue_redis_url": queue}


def need_queue(own: Settings) -> None:
    """Raises SettingsError where nobody can have started the queue's default server: a stock on a cluster, without
    `haoka run`."""
    default = embedded_redis(own.home)
    if own.redis_url != default == own.queue_redis_url and not (own.home / "redis" / "redis.sock").exists():
        raise SettingsError(
            "HAOKA_QUEUE_REDIS_URL must be set: HAOKA_REDIS_URL is a cluster, which cannot hold job queues."
            " Name a Redis or Sentinels for them"
        )


def _parse(name: str, kind: str, raw: str) -> Any:
    variable = f"HAOKA_{name.upper()}"
    try:
        if "int" in kind:
            return int(raw)
        if "bytes" in kind:
            key = base64.b64decode(raw, validate=True)
            if len(key) != 32:
                raise SettingsError(f"{variable} must be 32 bytes in base64, it has {len(key)}")
            return key
        return Path(raw).expanduser() if "Path" in kind else raw
    except (ValueError, binascii.Error):
        wanted = "a whole number" if "int" in kind else "base64 of 32 bytes"
        raise SettingsError(f"{variable} must be {wanted}, not {raw!r}") from None


def _kept_keys(home: Path) -> dict[str, str]:
    """Keys of this data folder. Linked into place, so two first starts agree on one file."""
    path = home / "keys.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        made = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in KEY_NAMES}
        draft = home / f"keys.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
            json.dump(made, f, indent=1)
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    loaded: dict[str, str] = json.loads(path.read_text())
    return loaded


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return read(dict(os.environ))


def give(name: str, value: str) -> None:
    """Set a setting for this process and the processes it starts."""
    os.environ[f"HAOKA_{name.upper()}"] = value
    settings.cache_clear()
