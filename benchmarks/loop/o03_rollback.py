"""O3: the way back under 300 requests a second: by hand, and by itself on a crash, NaN, another schema, 10x latency.

Each of a canary, and the faults also of a champion that turns bad after its promotion.

It counts from the change of the routes to the last request that reached the version. The table says beside it how long
it took from the first bad answer, and by hand from the start of the command, half a second of which is Python's start.
"""

from __future__ import annotations

import subprocess
import time

from rich.console import Console
from rich.table import Table

from benchmarks.house import GYRO, MODEL, SIGNATURE, running
from benchmarks.loop.challengers import CHAMPION, Seen, add, moments, promoted, settings, under_load
from benchmarks.rows import Row, at_most
from benchmarks.target import Options
from gyroscope.models import Candidate, read_signature

RATE = 300.0
KINDS = {
    "by hand": "fine",
    "crash": "segfault on the first request",
    "NaN": "NaN",
    "schema break": "3x slow",
    "10x latency": "10x latency",
}
PROMOTED = ("crash", "NaN", "10x latency")
OTHER = SIGNATURE.replace("name: number", "name: amount")


def measure(options: Options) -> list[Row]:
    """Failed requests of all kinds together, and the longest of each way back."""
    tries = 1 if options.is_quick else 5
    (options.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
    (options.folder / "champion.py").write_text(CHAMPION, encoding="utf-8")
    signature = read_signature(options.folder / "signature.yaml")
    champion = Candidate(MODEL, "python", signature, options.folder / "champion.py", entry="champion:Model")
    seen: dict[str, list[Seen]] = {}
    with running(options.folder / "house", candidate=champion, **settings()) as house:
        (house.folder / "signature.yaml").write_text(SIGNATURE, encoding="utf-8")
        for number in range(tries):
            for kind, name in KINDS.items():
                calls = options.folder / f"{kind.replace(' ', '-')}-{number}" / "calls"
                version = add(house, name, calls, signature=OTHER if kind == "schema break" else "")
                by_hand = [0.0]

                def roll_back(by_hand: list[float] = by_hand) -> None:
                    by_hand[0] = time.time()
                    subprocess.run([GYRO, "rollback", MODEL, "-s", str(house.settings_path)], check=True)

                found = under_load(house, version, calls, RATE, 30.0, roll_back if kind == "by hand" else None)
                if kind == "by hand":
                    found = found._replace(in_all_s=float(moments(calls)[-1]) - by_hand[0])
                seen.setdefault(kind, []).append(found)
            for kind in PROMOTED:
                calls = options.folder / f"promoted-{kind.replace(' ', '-')}-{number}" / "calls"
                version = add(house, KINDS[kind], calls, turns=True)
                seen.setdefault(f"promoted, {kind}", []).append(promoted(house, version, calls, RATE, 60.0))
    _tell(seen)
    every = [one for each in seen.values() for one in each]
    asked, failed = sum(one.asked for one in every), sum(one.failed for one in every)
    stayed = sum(not one.went_back for one in every)
    rows = [
        at_most("O3", f"requests failed of {asked:,} while versions were taken back", failed, 0, "requests", asked),
        at_most("O3", "bad versions that stayed", stayed, 0, "versions", len(every)),
    ]
    for kind, each in seen.items():
        # A version that never reached a request has no last one: nothing was sent to it after the change.
        longest = max([one.after_s for one in each if one.after_s == one.after_s], default=0.0)
        rows.append(at_most("O3", f"{kind}: to the last request of the version", longest, 1.0, "s", len(each)))
    return rows


def _tell(seen: dict[str, list[Seen]]) -> None:
    table = Table(
        "way back", "tries", "failed", "after the change, s", "after the first bad answer, or the command's start, s"
    )
    for kind, each in seen.items():
        after, whole = max(one.after_s for one in each), max(one.in_all_s for one in each)
        table.add_row(kind, str(len(each)), str(sum(one.failed for one in each)), f"{after:.2f}", f"{whole:.2f}")
    Console().print(table)
