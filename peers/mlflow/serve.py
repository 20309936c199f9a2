"""`mlflow models serve`, one worker: `serve.py MODEL PORT [COLUMNS]`. Benchmarks and tests start it in its environment.

A scikit-learn classifier answers with its probabilities, as the other peers do. With columns (their names, with commas)
the model has a signature of doubles.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

path, port = sys.argv[1:3]
saved = Path(tempfile.mkdtemp(dir=Path(path).parent)) / "model"
if path.endswith(".txt"):
    import lightgbm
    import mlflow.lightgbm

    mlflow.lightgbm.save_model(lightgbm.Booster(model_file=path, params={"num_threads": 1}), saved)
else:
    import joblib
    import mlflow.sklearn
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema

    names = sys.argv[3].split(",") if len(sys.argv) > 3 else []
    signature = ModelSignature(Schema([ColSpec("double", name) for name in names])) if names else None
    estimator = joblib.load(path)
    asked = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    mlflow.sklearn.save_model(estimator, saved, pyfunc_predict_fn=asked, signature=signature)
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
