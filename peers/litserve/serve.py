"""LitServe with its defaults, one worker: `serve.py MODEL PORT`. The benchmark starts it in the peer's environment."""

from __future__ import annotations

import sys

import joblib
import lightgbm
import litserve
import numpy as np


class Served(litserve.LitAPI):
    def setup(self, device: str) -> None:
        path = sys.argv[1]
        if path.endswith(".txt"):
            self.answer = lightgbm.Booster(model_file=path, params={"num_threads": 1}).predict
        else:
            estimator = joblib.load(path)
            self.answer = lambda rows: estimator.predict_proba(rows)[:, 1]

    def decode_request(self, request: dict) -> np.ndarray:
        return np.array(request["instances"])

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.answer(x)

    def encode_response(self, output: np.ndarray) -> dict:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Served(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning", num_api_servers=1
    )
