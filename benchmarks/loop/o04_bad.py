"""O4: twelve bad challengers as canaries of 20 % under 200 requests a second: no client sees an error.

Each stays until the loop takes it back, or its time is over. The control is a door that repeats nothing.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.house import MODEL, SIGNATURE, Running, running
from benchmarks.loop.challengers import CHAMPION, EVERY, Seen, add, settings, under_load
from benchmarks.rows import Row, at_most, control, with_control
from benchmarks.serving.wrapped import door_without
from benchmarks.target import Options
from gyroscope.models import Candidate, read_signature

RATE, NAMES = 200.0, tuple(EVERY)[:12]
REPEATS_NOTHING = "/retries 3/d; /retry-on/d; /option redispatch/d"


def measure(options: Options) -> list[Row]:
    """The row and its control."""
    tries, seconds = (1, 6.0) if options.is_quick else (10, 20.0)
    (options.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    (options.folder / "champion.py").write_text(CHAMPION, encoding="utf-8")
    signature = read_signature(options.folder / "signature.yaml")
    champion = Candidate(MODEL, "python", signature, options.folder / "champion.py", entry="champion:Model")
    seen: dict[str, list[Seen]] = {}
    with running(options.folder / "house", candidate=champion, **settings()) as house:
        for number in range(tries):
            for name in NAMES:
                seen.setdefault(name, []).append(_one(house, options, name, number, seconds))
    with (
        door_without(REPEATS_NOTHING, options.folder),
        running(options.folder / "control", candidate=champion, **settings()) as house,
    ):
        lost = _one(house, options, "5xx on 100 %", 99, seconds)
    _tell(seen)
    every = [one for each in seen.values() for one in each]
    asked, failed = sum(one.asked for one in every), sum(one.failed for one in every)
    claim = f"requests failed of {asked:,} beside {len(every)} bad canaries"
    check = control("O4", "a door that repeats nothing", lost.failed, "requests", lost.asked)
    return with_control([at_most("O4", claim, failed, 0, "requests", asked)], check)


def _one(house: Running, options: Options, name: str, number: int, seconds: float) -> Seen:
    (house.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    place = options.folder / f"{name.replace(' ', '-').replace('%', '')}-{number}" / "calls"
    return under_load(house, add(house, name, place), place, RATE, seconds)


def _tell(seen: dict[str, list[Seen]]) -> None:
    table = Table("challenger", "tries", "failed", "went back by itself", "after its first bad answer, s")
    for name, each in seen.items():
        back = sum(one.went_back for one in each)
        longest = max(one.in_all_s for one in each)
        table.add_row(name, str(len(each)), str(sum(one.failed for one in each)), str(back), f"{longest:.2f}")
    Console().print(table)
