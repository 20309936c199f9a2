"""`python -m gyroscope.supervisor [--daemon] <home>/run`: the process itself.

In the foreground for systemd and containers; `client.start` asks for a daemon. Exit code 1 when the folder already
has a supervisor. It ends on SIGTERM or SIGINT, after everything it keeps has ended.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from gyroscope.errors import ProcessError
from gyroscope.supervisor.loop import Supervisor
from gyroscope.supervisor.state import RunDir


def main(arguments: list[str]) -> int:
    """Hold the folder's lock and supervise until told to stop."""
    folders = [word for word in arguments if word != "--daemon"]
    if len(folders) != 1:
        sys.stderr.write("usage: python -m gyroscope.supervisor [--daemon] RUN_DIR\n")
        return 2
    os.umask(0o077)
    run = RunDir(Path(folders[0]).resolve())
    lock = run.take_lock()
    if lock < 0:
        sys.stderr.write(f"{ProcessError('a supervisor already runs', where=str(run.path), fix='stop it first')}\n")
        return 1
    # The lock belongs to the open file, so it passes to the daemon: there is no moment without a holder.
    if "--daemon" in arguments and os.fork():
        os._exit(0)
    if "--daemon" in arguments:
        os.setsid()
    run.sign_lock(lock)
    told: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _frame: told.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    supervisor = Supervisor(run)
    supervisor.adopt()
    supervisor.run_forever(told)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
