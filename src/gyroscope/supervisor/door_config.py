"""The text of the door's configuration, from `DoorSpec` and the replicas that are ready: pure.

The templates beside this file hold the reasons. Names and paths are checked, since they end up in HAProxy's language.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from string import Template

from gyroscope.errors import ProcessError
from gyroscope.supervisor.wanted import DoorSpec

HEADER_ROOM_BYTES = 65_536
"""Between body and buffer: the headers (16 KiB at most) and HAProxy's own book-keeping of both."""

# A refused connection takes the server out within HAProxy itself. Without it a request that found the only other server
# full went back to the dead one and used up all its retries in the milliseconds before the supervisor could tell.
_OUT_AT_ONCE = "check inter 1s fall 1 rise 1 observe layer4 error-limit 1 on-error mark-down"
# Before the replicas have said how much may wait for them.
_FIRST_ROOM = 256
MEMORY_BYTES = 512 * 1_048_576
# What does not say its length is known to be large once more of it has come than a small body has.
_WAY_ROUND = """\
    acl is_large req.hdr_val(content-length) gt {repeat_bytes}
    acl is_large req.body_len gt {repeat_bytes}
    use_backend repeater if routed is_large"""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,150}")
_PATH = re.compile(r"/[^'\"\\\s\x00-\x1f]{1,99}")


@dataclass(frozen=True)
class Server:
    """One replica as the door sees it."""

    name: str
    model: str
    socket: str
    maxconn: int
    is_grpc: bool = False

    @property
    def key(self) -> str:
        """How HAProxy names it: backend/server."""
        return f"{backend_of(self.model, is_grpc=self.is_grpc)}/{self.name}"

    def over_grpc(self) -> Server:
        """The same replica where it speaks gRPC."""
        return replace(self, socket=grpc_socket(self.socket), is_grpc=True)


def grpc_socket(socket: str) -> str:
    """Where a replica speaks gRPC, from where it speaks HTTP.

    >>> grpc_socket("/run/a.sock")
    '/run/a.grpc'
    """
    return f"{socket.removesuffix('.sock')}.grpc"


def backend_of(model: str, *, is_grpc: bool = False) -> str:
    """The backend of a model; the prefix keeps a model called `control` apart from control.

    >>> backend_of("flights"), backend_of("flights", is_grpc=True)
    ('model.flights', 'grpc.flights')
    """
    return f"{'grpc' if is_grpc else 'model'}.{model}"


def waiting_var(model: str) -> str:
    """HAProxy's variable for how many requests may wait for a model; it knows no dashes, and a model's name no dots.

    >>> waiting_var("late-flights")
    'proc.waiting.late.flights'
    """
    return f"proc.waiting.{model.replace('-', '.')}"


def per_key_var(model: str) -> str:
    """The one for how many requests one key may have waiting and in work, while others ask too."""
    return f"proc.per_key.{model.replace('-', '.')}"


def share_var(model: str) -> str:
    """The one for the share of the requests that is offered to a canary, in ten thousandths."""
    return f"proc.share.{model.replace('-', '.')}"


def slots_var(model: str) -> str:
    """The one for how many canaries there are."""
    return f"proc.slots.{model.replace('-', '.')}"


def canary_var(model: str) -> str:
    """The one for what the canaries are called, without their slots."""
    return f"proc.canary.{model.replace('-', '.')}"


_FIRST = {
    waiting_var: f"int({_FIRST_ROOM})",
    per_key_var: f"int({_FIRST_ROOM})",
    share_var: "int(0)",
    slots_var: "int(1)",
    canary_var: "str(none)",
}


def structure_of(door: DoorSpec) -> str:
    """A digest of all that cannot be changed in a running door; the limits of its servers can.

    >>> door = DoorSpec("127.0.0.1", 8080, "/run/a.sock", {"flights": 8})
    >>> structure_of(door) == structure_of(replace(door, backends={"flights": 4}))
    True
    """
    text = json.dumps(asdict(replace(door, backends=dict.fromkeys(sorted(door.backends), 0))))
    templates = "".join(_template(f"haproxy{part}.cfg") for part in ("", "_model", "_canary", "_large", "_grpc"))
    return hashlib.sha256((text + templates).encode()).hexdigest()[:16]


def render(door: DoorSpec, servers: Iterable[Server]) -> str:
    """The whole configuration, with these servers in it so that a restarted door is complete at once.

    Raises `ProcessError` for a name or path that HAProxy's language would misread.
    """
    # To be able to repeat a request HAProxy copies a whole buffer, whatever the request's size: 1 MiB costs 0.3 ms.
    bufsize = min(door.body_bytes, door.repeat_bytes) + HEADER_ROOM_BYTES
    ready = list(servers)
    routes = list(_routes(door))
    uses = "\n".join(f"    use_backend {backend_of(model)} if {{ {condition} }}" for condition, model in routes)
    return Template(_template("haproxy.cfg")).substitute(
        maxconn=max(64, min(4096, MEMORY_BYTES // bufsize)),
        bufsize=bufsize,
        body_bytes=door.body_bytes,
        hard_stop_s=f"{hard_stop_s(door):g}s",
        server_s=f"{round(1000 * (door.deadline_s + 5))}ms",
        queue_s=f"{round(1000 * door.queue_s)}ms",
        admin_socket=quoted(door.admin_socket),
        bind=_bind(door, door.port),
        rooms="\n".join(
            f"    set-var {var(_name(model))} {first}"
            for model in sorted(door.backends)
            for var, first in _FIRST.items()
        ),
        known="\n".join(f"    acl routed {condition}" for condition, _ in routes),
        way_round=_WAY_ROUND.format(repeat_bytes=door.repeat_bytes) if has_repeater(door) else "",
        back_in=_back_in(door, uses) if has_repeater(door) else "",
        routes=uses,
        control=f"    server control 'unix@{quoted(door.control_socket)}'" if door.control_socket else "",
        backends="\n".join(_backend(model, ready) for model in sorted(door.backends)),
        grpc=_grpc(door, ready) if door.grpc_port else "",
    )


def has_repeater(door: DoorSpec) -> bool:
    """Whether bodies may come that the door cannot repeat by itself (see `repeater.py`).

    >>> has_repeater(DoorSpec("127.0.0.1", 8080, "/a.sock", body_bytes=9, repeat_bytes=9, repeater_socket="/r.sock"))
    False
    """
    return bool(door.repeater_socket) and door.body_bytes > door.repeat_bytes


def back_socket(repeater_socket: str) -> str:
    """Where the repeater brings requests back in.

    >>> back_socket("/run/repeater.sock")
    '/run/repeater.sock.back'
    """
    return f"{repeater_socket}.back"


def hard_stop_s(door: DoorSpec) -> float:
    """How long a leaving door may take to finish what it holds."""
    return min(door.deadline_s, 5.0)


def _template(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _routes(door: DoorSpec) -> Iterator[tuple[str, str]]:
    """Which paths go to which model: condition, model."""
    for model in sorted(door.backends):
        name = _name(model)
        yield f"path_beg /v2/models/{name}/", model
        yield f"path /v2/models/{name} /models/{name}/invocations", model
        yield f"path_beg /v2/repository/models/{name}/", model
    default = door.default_model or (next(iter(door.backends)) if len(door.backends) == 1 else "")
    if default:
        yield "path /v2 /v2/ /v2/openapi.json /v2/models /v2/repository/index", default
        yield "path /ping /health /version /invocations", default
        yield "path_beg /v2/health/", default


def _back_in(door: DoorSpec, uses: str) -> str:
    return Template(_template("haproxy_large.cfg")).substitute(
        repeater=quoted(door.repeater_socket), back=quoted(back_socket(door.repeater_socket)), routes=uses
    )


def _grpc(door: DoorSpec, servers: list[Server]) -> str:
    models = sorted(door.backends)
    backends = {model: backend_of(model, is_grpc=True) for model in models}
    return Template(_template("haproxy_grpc.cfg")).substitute(
        bind=_bind(door, door.grpc_port),
        routes="\n".join(f"    use_backend {backends[model]} if {_names_in_message(model)}" for model in models),
        default="\n".join(
            [f"    use_backend {one} if {{ nbsrv({one}) gt 0 }}" for one in backends.values()]
            + [f"    default_backend {backends[model]}" for model in models[:1]]
        ),
        backends="\n".join(_backend(model, [one.over_grpc() for one in servers], is_grpc=True) for model in models),
    )


def _names_in_message(model: str) -> str:
    """Behind the five bytes that gRPC puts before a message, its first field: tag, length, name.

    >>> _names_in_message("a")
    '{ var(txn.model) -m str a } || { req.body,bytes(5,3),hex -m str 0A0161 }'
    """
    field = b"\x0a" + bytes([len(_name(model))]) + model.encode()
    whole, first = f"var(txn.model) -m str {model}", f"req.body,bytes(5,{len(field)}),hex -m str {field.hex().upper()}"
    return f"{{ {whole} }} || {{ {first} }}"


def _backend(model: str, servers: list[Server], *, is_grpc: bool = False) -> str:
    text = Template(_template("haproxy_model.cfg")).substitute(
        backend=backend_of(_name(model), is_grpc=is_grpc),
        # Reflection is a stream that a client may leave open, and it takes a place meanwhile.
        brief="\n    http-request set-timeout server 2s if { path_beg /grpc. }" if is_grpc else "",
        waiting=waiting_var(model),
        per_key=per_key_var(model),
        canary="" if is_grpc else _canary(model),
        # Over HTTP/2 HAProxy 2.6 and 2.8 break off the answer to one in some hundred calls that they repeat after a
        # death, of refused connections too (RST_STREAM); the UNAVAILABLE of the others a retry policy mends.
        retries="retries 0" if is_grpc else "retries 3\n    retry-on conn-failure empty-response 500",
    )
    lines = [f"    server {_name(server.name)} {address(server)}" for server in servers if server.model == model]
    return text + "\n".join(lines)


def _canary(model: str) -> str:
    return Template(_template("haproxy_canary.cfg")).substitute(
        share=share_var(model), slots=slots_var(model), canary=canary_var(model)
    )


def _bind(door: DoorSpec, port: int) -> str:
    return f"{'[' + door.host + ']' if ':' in door.host else door.host}:{port}"


def address(server: Server) -> str:
    """The words after a server's name, the same in the file and at run time."""
    spoken = " proto h2" if server.is_grpc else ""
    return f"unix@{quoted(server.socket)}{spoken} maxconn {server.maxconn} {_OUT_AT_ONCE}"


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ProcessError(f"{name!r} cannot be a name in the door", fix="use lower-case letters, digits, '-' and '_'")
    return name


def quoted(path: str) -> str:
    """A path that may stand between quotes in HAProxy's language. Raises `ProcessError` for any other."""
    if not _PATH.fullmatch(path):
        raise ProcessError(
            "a socket's path must be absolute, without spaces or quotes, and at most 100 bytes",
            where=path,
            fix="set runtime_dir to a short plain path",
        )
    return path
