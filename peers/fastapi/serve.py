"""FastAPI and pydantic under uvicorn without access log: `serve.py MODEL PORT def|async`, one process.

The benchmark starts it in the peer's environment. Usual handlers, nothing tuned.
"""

from __future__ import annotations

import sys

import joblib
import lightgbm
import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

path, port, kind = sys.argv[1:]
app = FastAPI()
if path.endswith(".txt"):
    booster = lightgbm.Booster(model_file=path, params={"num_threads": 1})
    answer = booster.predict
else:
    estimator = joblib.load(path)

    def answer(rows: np.ndarray) -> np.ndarray:
        return estimator.predict_proba(rows)[:, 1]


class Rows(BaseModel):
    instances: list[list[float]]


class Predictions(BaseModel):
    predictions: list[float]


if kind == "async":

    @app.post("/predict")
    async def predict(rows: Rows) -> Predictions:
        return Predictions(predictions=answer(np.array(rows.instances)).tolist())

else:

    @app.post("/predict")
    def predict(rows: Rows) -> Predictions:
        return Predictions(predictions=answer(np.array(rows.instances)).tolist())


@app.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
