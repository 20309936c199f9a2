"""A folder of Parquet files profiled by Ray and by one process: `profile.py FOLDER` says whether the bytes are equal.

Runs with our own interpreter; Ray comes from this peer's environment by PYTHONPATH.
"""

from __future__ import annotations

import sys

import ray

import gyroscope

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
folder = sys.argv[1]
fitted_local, fitted_ray = (gyroscope.profile(folder, engine=engine) for engine in ("local", "ray"))
again = gyroscope.profile(folder, reference=fitted_local, engine="ray")
print("equal" if fitted_local.to_bytes() == fitted_ray.to_bytes() == again.to_bytes() else "different", fitted_ray.n)
ray.shutdown()
