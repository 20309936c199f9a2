"""Settings of who is told of incidents, and of rules on signals: `notifiers` and `rules` of `gyroscope.yaml`.

`settings.py` puts them into the tree, checks them through `faults` and reads the secrets they name. Nothing here reads
a file or the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from gyroscope.settings_tree import Section


class NotifierSettings(Section, frozen=True):
    """Somebody who is told when an incident opens and when it is over; the key is its name."""

    kind: Annotated[Literal["log", "webhook", "alertmanager"], Meta(description="how: docs/alerts.md")] = "log"
    url: Annotated[
        str, Meta(description="where to post, as in https://example.org/hook; redirects are not followed")
    ] = ""
    secret_file: Annotated[str, Meta(description="file with the secret that signs, relative to this file")] = ""
    secret_env: Annotated[str, Meta(description="or the environment variable of control that holds it")] = ""
    timeout_s: Annotated[float, Meta(ge=0.1, le=120, description="seconds a receiver may take for one answer")] = 10.0
    give_up_hours: Annotated[
        float, Meta(ge=0.001, le=720, description="hours after which a notification is given up")
    ] = 24.0


class RuleSettings(Section, frozen=True):
    """A plain limit on a signal that opens an incident; the key is its name. Durations are of event time."""

    signal: Annotated[str, Meta(description="name of the signal, as GET /v1/signals knows it")] = ""
    labels: Annotated[
        dict[str, str],
        Meta(description="labels of the series meant, such as {model: flights}; each is watched by itself"),
    ] = {}
    when: Annotated[Literal["above", "below"], Meta(description="on which side of the threshold it is wrong")] = "above"
    threshold: Annotated[float, Meta(ge=-1e300, le=1e300, description="the limit, in the signal's own unit")] = 0.0
    hysteresis: Annotated[
        float, Meta(ge=0, le=1e300, description="how far back past the threshold it must come to be over")
    ] = 0.0
    for_s: Annotated[float, Meta(ge=0, le=31_536_000, description="seconds it must stay beyond before it fires")] = 0.0
    clear_for_s: Annotated[
        float, Meta(ge=0, le=31_536_000, description="seconds it must stay back before it is over")
    ] = 0.0
    severity: Annotated[
        Literal["page", "inform"], Meta(description="page: notifiers are told; inform: it is listed, nobody is told")
    ] = "page"


ByName = Mapping[str, NotifierSettings]


def told(notifiers: ByName) -> ByName:
    """Everybody who is told: with nobody named, the log of control."""
    return notifiers or {"log": NotifierSettings()}


def faults(notifiers: ByName, rules: Mapping[str, RuleSettings]) -> Iterator[tuple[str, str, str]]:
    """What types cannot say: the key, what is wrong with it, how to mend it."""
    for name, one in notifiers.items():
        key = f"notifiers.{name}"
        if one.kind != "log" and not _is_web(one.url):
            yield f"{key}.url", f"{name} has no address to post to", "https://host/path, without user or password"
        if one.kind == "webhook" and bool(one.secret_file) == bool(one.secret_env):
            yield key, f"{name} cannot sign what it sends", "give it a secret_file or a secret_env"
    for name, rule in rules.items():
        if not rule.signal:
            yield f"rules.{name}", f"{name} watches nothing", "give it the name of a signal (docs/monitoring.md)"


def _is_web(url: str) -> bool:
    """Whether it is a plain address of http or https.

    >>> [_is_web(url) for url in ("https://example.org/a", "file:///etc/passwd", "https://me@example.org", "http://")]
    [True, False, False, False]
    """
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_clean = url.isascii() and url.isprintable() and " " not in url
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and has_port and is_clean
    )
