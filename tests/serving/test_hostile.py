"""The corpus of hostile bodies and thousands made from sound ones: each is read or refused, nothing else happens."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from benchmarks.house import MODEL, SIGNATURE
from benchmarks.serving.hostile import corpus, fuzzed, sound

from gyroscope.clock import EventTime
from gyroscope.errors import InputError
from gyroscope.models import read_signature
from gyroscope.records import Version
from gyroscope.serving.dialects import Service
from gyroscope.serving.dialects.mlflow import Mlflow
from gyroscope.serving.dialects.v2 import V2
from gyroscope.serving.intake import Intake
from gyroscope.serving.openapi import REFUSALS
from gyroscope.supervisor.pulse import Pulse


@pytest.fixture
def ask(tmp_path):
    """Reads one case; the status that it is refused with, 200 when it is read."""
    (tmp_path / "signature.yaml").write_text(SIGNATURE)
    signature = read_signature(tmp_path / "signature.yaml")
    version = Version(MODEL, "0a1b2c3d4e5f", "python", "model", "", signature, EventTime(0))
    intake = Intake(signature)
    services: list[Service] = [V2(version, intake, Pulse.create(tmp_path / "pulse")), Mlflow(version, intake)]
    served = {path: service for service in services for path in service.asks}

    def read(case):
        headers = {name.lower().encode(): value.encode() for name, value in case.headers.items()}
        try:
            question = served[case.path].dialect(headers).read(case.body)
        except InputError as error:
            return error.status
        assert question.rows.matrix.shape == (len(question.rows.matrix), 20)
        return 200

    return read


def test_what_is_sound_is_read(ask):
    assert {ask(case) for case in sound()} == {200}


def test_the_corpus_is_read_or_refused(ask):
    assert {ask(case) for case in corpus()} <= {200, *REFUSALS}


def test_what_was_sound_is_read_or_refused(ask):
    seen = [ask(case) for case in islice(fuzzed(random.Random(18)), 5_000)]
    assert set(seen) <= {200, *REFUSALS}
    # Were all refused at the first byte, the generator would find nothing.
    assert 250 < seen.count(200) < 4_000
    assert seen.count(422) > 500
