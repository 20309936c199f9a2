"""Registers LightGBM files with a tracking server: `register.py URI NAME ALIAS=MODEL.txt...`, one version each."""

from __future__ import annotations

import sys

import lightgbm
import mlflow
import mlflow.lightgbm

uri, name, *versions = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
for version in versions:
    alias, _, path = version.partition("=")
    with mlflow.start_run():
        booster = lightgbm.Booster(model_file=path, params={"num_threads": 1})
        logged = mlflow.lightgbm.log_model(booster, name="model", registered_model_name=name)
    client.set_registered_model_alias(name, alias, logged.registered_model_version)
