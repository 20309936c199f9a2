"""The document names every path that is served, and none that is not."""

from __future__ import annotations

import json

import pytest

from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.intake import Intake
from gyroscope.serving.openapi import REFUSALS, document


@pytest.fixture
def services(mixed, v2, version):
    return v2(mixed), Mlflow(version(mixed), Intake(mixed))


def test_every_path_is_there_with_its_method(mixed, services, version):
    served = {path: "post" for service in services for path in service.asks}
    served |= {path: page.method.lower() for service in services for path, page in service.pages.items()}
    described = document(version(mixed))["paths"]
    assert {path: next(iter(methods)) for path, methods in described.items()} == served


def test_it_is_served(services, mixed, version):
    shown = json.loads(services[0].pages["/v2/openapi.json"].show(b""))
    assert shown == json.loads(json.dumps(document(version(mixed))))


def test_every_reference_leads_somewhere(mixed, version):
    made = document(version(mixed))
    schemas = made["components"]["schemas"]
    text = json.dumps(made)
    assert {piece.split('"')[0] for piece in text.split("#/components/schemas/")[1:]} <= set(schemas)


def test_a_misfit_has_the_status_of_its_protocol(mixed, version):
    paths = document(version(mixed))["paths"]
    assert set(paths["/v2/models/flights/infer"]["post"]["responses"]) == {"200", *map(str, REFUSALS)}
    assert "422" not in paths["/invocations"]["post"]["responses"]


def test_the_examples_are_answered(services, mixed, version):
    paths = document(version(mixed))["paths"]
    for service, path in zip(services, ("/v2/models/flights/infer", "/invocations"), strict=True):
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert len(service.read(json.dumps(body).encode()).rows.matrix) == 1
