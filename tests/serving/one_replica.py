"""A replica as its own process, for `process.py`: home, socket or port, settings as JSON.

Run as a script; it builds what the assembly builds, from a store that the test has filled. Never imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gyroscope.errors import ProcessError
from gyroscope.models.runners import open_runner
from gyroscope.models.store import ModelStore
from gyroscope.predictions.segments.log import PredictionLog
from gyroscope.serving.replica import Listen, ReplicaPlan, serve_replica
from gyroscope.supervisor.pulse import Pulse


def main(home: Path, listen: Listen, **limits: float) -> None:
    store = ModelStore(home)
    (version,) = store.versions("flights")
    serve_replica(
        ReplicaPlan(
            version=version,
            runner=open_runner(store, version),
            log=PredictionLog(home / "segments", "flights-0", version),
            pulse=Pulse.create(home / "replica.pulse"),
            listen=listen,
            key_digests=lambda: (home / "digests").read_text().split(),
            key_file=home / "digests",
            **limits,
        )
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Listen(**json.loads(sys.argv[2])), **json.loads(sys.argv[3]))
    except ProcessError as error:
        sys.exit(str(error))
