"""Where a Redis is, as its URL says: one server, a cluster, or the primary that some Sentinels know."""

import re
import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

Node = tuple[str, int]
Kind = Literal["server", "cluster", "sentinel"]
FORMS = (
    "redis://HOST:PORT[/DB], unix://PATH, redis+cluster://HOST:PORT,HOST:PORT,... or"
    " redis+sentinel://HOST:PORT,HOST:PORT,.../SERVICE[/DB]; rediss instead of redis for TLS"
)
_KINDS: dict[str, Kind] = {
    "redis": "server",
    "unix": "server",
    "redis+cluster": "cluster",
    "redis+sentinel": "sentinel",
}
# Not urllib's: it takes one host only.
_URL = re.compile(
    r"(?P<scheme>rediss?(\+cluster|\+sentinel)?|unix)://(?P<hosts>[^/?#]*)(?P<path>[^?#]*)(\?(?P<query>[^#]*))?"
)
_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "sentinel_username", "sentinel_password"}
)


@dataclass(frozen=True)
class Place:
    """`nodes` are where to begin: the server, some of the cluster's nodes, or the Sentinels. A unix socket has a
    `path` instead."""

    kind: Kind
    nodes: tuple[Node, ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    options: dict[str, str] = field(default_factory=dict, repr=False)

    def ssl_options(self) -> dict[str, str]:
        """As redis-py's connections take them."""
        return {name: value for name, value in self.options.items() if name.startswith("ssl_")}

    def ssl_context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.options.get("ssl_ca_certs"))
        if self.options.get("ssl_cert_reqs") == "none":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate := self.options.get("ssl_certfile"):
            context.load_cert_chain(certificate, self.options.get("ssl_keyfile"))
        return context


def place(url: str) -> Place:
    """Raises ValueError that says what is wrong, without any password."""
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError(f"must be {FORMS}")
    scheme, tls = re.sub("^rediss", "redis", parts["scheme"]), parts["scheme"].startswith("rediss")
    kind = _KINDS[scheme]
    login, _, hosts = parts["hosts"].rpartition("@")
    username, _, password = login.partition(":")
    options = dict(parse_qsl(parts["query"] or ""))
    db = options.pop("db", "")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"has the unknown option {unknown[0]}; known are {', '.join(sorted(_OPTIONS))}")
    path = unquote(parts["path"])
    service = ""
    if scheme == "unix":
        if not path:
            raise ValueError("names no socket: unix:///folder/redis.sock")
    else:
        words = path.strip("/").split("/")
        if kind == "sentinel":
            service, words = words[0], words[1:] or [""]
            if not service:
                raise ValueError("must end in the service's name: redis+sentinel://HOST:PORT/SERVICE")
        db, path = db or words[0], ""
        if len(words) > 1 or (db and not db.isdecimal()):
            raise ValueError(f"must be {FORMS}")
    if kind == "cluster" and db not in ("", "0"):
        raise ValueError("names a database, of which a cluster has only one")
    nodes = () if scheme == "unix" else tuple(_node(host, kind) for host in hosts.split(",") if host)
    if scheme != "unix" and (not nodes or (kind == "server" and len(nodes) > 1)):
        raise ValueError(f"must be {FORMS}")
    return Place(
        kind, nodes, path, service, int(db or 0), unquote(username), unquote(password), tls, options
    )  # fmt: skip


def _node(text: str, kind: str) -> Node:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?", text)
    if not found or not 0 < int(found[2] or 1) < 65536:
        raise ValueError(f"must be {FORMS}")
    return found[1].strip("[]"), int(found[2] or (26379 if kind == "sentinel" else 6379))
