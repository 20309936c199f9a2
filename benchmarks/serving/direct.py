"""One replica without a door, as on a machine without HAProxy: it listens on the door's port itself.

`python -m benchmarks.serving.direct SETTINGS MODEL VERSION`; what is measured as "direct" is this process.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gyroscope.assembly import replica

if __name__ == "__main__":
    replica.haproxy = lambda: ""
    replica.run_replica(Path(sys.argv[1]), sys.argv[2], sys.argv[3], 0)
