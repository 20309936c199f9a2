"""Which names in a Host or Origin header are ours. Pure: the guard asks, settings say what is allowed.

A name that is not ours means that somebody's page had its own name pointed at this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, never bound to


def allowed_hosts(door_host: str, more: tuple[str, ...]) -> frozenset[str]:
    """Names that a browser may have in its address bar: loopback, the door's own, and what the settings add.

    >>> sorted(allowed_hosts("0.0.0.0", ("Models.Example",)))
    ['127.0.0.1', '::1', 'localhost', 'models.example']
    """
    own = {door_host} - EVERYWHERE
    return LOOPBACK | {name.lower() for name in (*own, *more)}


def is_allowed_host(header: str, hosts: frozenset[str]) -> bool:
    """Whether a Host header names us, with any port: a forwarded port is another number.

    >>> [is_allowed_host(header, LOOPBACK) for header in ("localhost:8080", "[::1]:8080", "localhost.evil", "")]
    [True, True, False, False]
    """
    return _name(header) in hosts


def is_own_origin(origin: str, host: str) -> bool:
    """Whether an Origin header is the very address, port included, that the request went to.

    >>> [is_own_origin(f"http://127.0.0.1:{port}", "127.0.0.1:8080") for port in (8080, 3000)]
    [True, False]
    """
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == host.lower()


def _name(header: str) -> str:
    """The name without its port; nothing when it is no plain `name[:port]`."""
    try:
        parts = urlsplit(f"//{header}")
        name = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return ""
    if parts.path or parts.query or parts.fragment or "@" in header:
        return ""
    try:
        return ipaddress.ip_address(name).compressed
    except ValueError:
        return name
