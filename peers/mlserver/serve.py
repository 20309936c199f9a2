"""`mlserver start` with one model called `probe`: `serve.py MODEL PORT GRPC_PORT WORKERS`; 0 workers mean no pool.

Benchmarks and tests start it in the peer's environment.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

path, port, grpc_port, workers = sys.argv[1:]
folder = Path(tempfile.mkdtemp(dir=Path(path).parent))
kind = "mlserver_lightgbm.LightGBMModel" if path.endswith((".txt", ".bst")) else "mlserver_sklearn.SKLearnModel"
model = {"name": "probe", "implementation": kind, "parameters": {"uri": path, "version": "v1"}}
settings = {
    "host": "127.0.0.1",
    "http_port": int(port),
    "grpc_port": int(grpc_port),
    "parallel_workers": int(workers),
    "metrics_endpoint": None,
    "debug": False,
}
(folder / "model-settings.json").write_text(json.dumps(model))
(folder / "settings.json").write_text(json.dumps(settings))
mlserver = str(Path(sys.executable).with_name("mlserver"))
os.execv(mlserver, [mlserver, "start", str(folder)])
