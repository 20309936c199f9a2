"""`mlflow models serve`, one worker: `serve.py MODEL PORT`. Benchmarks and tests start it in the peer's environment.

A scikit-learn model answers with its probabilities, as the other peers do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

path, port = sys.argv[1:]
saved = Path(tempfile.mkdtemp()) / "model"
if path.endswith(".txt"):
    import lightgbm
    import mlflow.lightgbm

    mlflow.lightgbm.save_model(lightgbm.Booster(model_file=path, params={"num_threads": 1}), saved)
else:
    import joblib
    import mlflow.sklearn

    mlflow.sklearn.save_model(joblib.load(path), saved, pyfunc_predict_fn="predict_proba")
mlflow = str(Path(sys.executable).with_name("mlflow"))
served = [
    mlflow,
    "models",
    "serve",
    "-m",
    str(saved),
    "-h",
    "127.0.0.1",
    "-p",
    port,
    "-w",
    "1",
    "--env-manager",
    "local",
]
# The command starts uvicorn by its name.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
os.execv(mlflow, served)
