"""Ray Serve, one replica: `serve.py MODEL PORT default|tuned`. The benchmark starts it in the peer's environment.

`tuned` is what its performance guide says: throughput before latency, many requests in a replica, no access log.
"""

from __future__ import annotations

import os
import sys
import time

path, port, kind = sys.argv[1:]
if kind == "tuned":
    os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray  # noqa: E402 - it reads the environment when it is imported
from ray import serve  # noqa: E402
from starlette.requests import Request  # noqa: E402

tuning = {"max_ongoing_requests": 64, "logging_config": {"enable_access_log": False}} if kind == "tuned" else {}


@serve.deployment(num_replicas=1, **tuning)
class Served:
    def __init__(self, path: str) -> None:
        import joblib
        import lightgbm

        if path.endswith(".txt"):
            self.answer = lightgbm.Booster(model_file=path, params={"num_threads": 1}).predict
        else:
            estimator = joblib.load(path)
            self.answer = lambda rows: estimator.predict_proba(rows)[:, 1]

    async def __call__(self, request: Request) -> dict:
        import numpy as np

        rows = await request.json()
        return {"predictions": self.answer(np.array(rows["instances"])).tolist()}


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
serve.run(Served.bind(path), route_prefix="/predict")
while True:
    time.sleep(60)
