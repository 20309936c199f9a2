"""`bentoml serve`, one worker: `serve.py MODEL PORT`. The benchmark starts it in the peer's environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

path, port = sys.argv[1:]
os.environ.update(SERVED_MODEL=path, BENTOML_DO_NOT_TRACK="True")
os.chdir(Path(__file__).parent)
bentoml = str(Path(sys.executable).with_name("bentoml"))
os.execv(bentoml, [bentoml, "serve", "service:Served", "--host", "127.0.0.1", "--port", port])
