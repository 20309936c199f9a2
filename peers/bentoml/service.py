"""A BentoML service with its defaults; `serve.py` beside it starts `bentoml serve` with it."""

from __future__ import annotations

import os

import bentoml
import joblib
import lightgbm
import numpy as np


@bentoml.service(workers=1)
class Served:
    def __init__(self) -> None:
        path = os.environ["SERVED_MODEL"]
        if path.endswith(".txt"):
            self.answer = lightgbm.Booster(model_file=path, params={"num_threads": 1}).predict
        else:
            estimator = joblib.load(path)
            self.answer = lambda rows: estimator.predict_proba(rows)[:, 1]

    @bentoml.api
    def predict(self, instances: np.ndarray) -> np.ndarray:
        return self.answer(instances)
