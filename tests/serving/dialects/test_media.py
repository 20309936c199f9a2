"""What a Content-Type says, and which are refused."""

from __future__ import annotations

import pytest

from gyroscope.errors import InputError
from gyroscope.serving.dialects.media import JSON, media_type


@pytest.mark.parametrize(
    ("given", "media"),
    [
        (b"", JSON),
        (b"application/json", JSON),
        (b"Application/JSON ; Charset=UTF-8", JSON),
        (b'text/csv;charset="utf-8"', "text/csv"),
        (b"text/csv;", "text/csv"),
        (b";charset=utf8", JSON),
    ],
)
def test_reads_the_type_without_its_parameters(given, media):
    assert media_type({b"content-type": given}) == media


@pytest.mark.parametrize("given", [b"application/json; charset=latin-1", b"text/csv; header=present", b"a/b; \xff"])
def test_refuses_other_parameters(given):
    with pytest.raises(InputError) as refusal:
        media_type({b"content-type": given})
    assert (refusal.value.status, refusal.value.where) == (415, "Content-Type")
