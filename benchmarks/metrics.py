"""What a running house says of itself at /metrics, as a scrape would read it."""

from __future__ import annotations

import http.client
import re

from benchmarks.house import Running

LINE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


def scrape(house: Running) -> list[tuple[str, str, float]]:
    """(name, labels as they are written, value) of every line; empty when the page cannot be had."""
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=3)
    try:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {house.key}"})
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return []
    finally:
        connection.close()
    return [(found["name"], found["labels"] or "", float(found["value"])) for found in LINE.finditer(text)]


def counter(house: Running, name: str) -> float:
    """A counter, added up over its labels."""
    return sum(value for found, _, value in scrape(house) if found == name)


def alerts(house: Running) -> set[str]:
    """The complaints that stand."""
    found = (labels for name, labels, value in scrape(house) if name == "gyroscope_alert" and value > 0)
    return {match[1] for labels in found if (match := re.search(r'name="([^"]*)"', labels))}
