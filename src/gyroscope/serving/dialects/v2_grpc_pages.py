"""What the Open Inference Protocol says over gRPC besides inference: health, metadata, statistics, the repository.

`grpc.py` serves each as a call of its name. The words are those of REST, `v2_pages.py`; only their form differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gyroscope import __version__
from gyroscope.errors import InputError, did_you_mean
from gyroscope.records import Version
from gyroscope.serving.dialects.v2_pages import EXTENSIONS, cannot_unload, metadata, statistics
from gyroscope.serving.messages import message
from gyroscope.supervisor.pulse import Pulse

Page = Callable[[Any], Any]
"""From the message of a request to that of its answer. Raises `InputError`."""


def pages(version: Version, pulse: Pulse) -> dict[str, Page]:
    """Every call that asks the model nothing, by its name."""

    def answer(call: str, **said: Any) -> Any:
        return message(f"{call}Response")(**said)

    def ours(page: Page) -> Page:
        def checked(request: Any) -> Any:
            check_name(version, request.name, request.version)
            return page(request)

        return checked

    def load(request: Any) -> Any:
        check_name(version, request.model_name, "")
        return answer("RepositoryModelLoad")

    def unload(request: Any) -> Any:
        check_name(version, request.model_name, "")
        raise cannot_unload(version)

    entry = {"name": version.model, "version": version.version, "state": "READY"}
    return {
        "ServerLive": lambda _: answer("ServerLive", live=True),
        "ServerReady": lambda _: answer("ServerReady", ready=True),
        "ServerMetadata": lambda _: answer(
            "ServerMetadata", name="gyroscope", version=__version__, extensions=EXTENSIONS
        ),
        "ModelReady": ours(lambda _: answer("ModelReady", ready=True)),
        "ModelMetadata": ours(lambda _: answer("ModelMetadata", **metadata(version))),
        "ModelStatistics": ours(lambda _: answer("ModelStatistics", **statistics(version, pulse))),
        "RepositoryIndex": lambda _: answer("RepositoryIndex", models=[entry]),
        "RepositoryModelLoad": load,
        "RepositoryModelUnload": unload,
    }


def check_name(version: Version, model: str, number: str) -> None:
    """Raises `InputError`, status 404, for a model or a version that is not the one of this replica."""
    for kind, given, ours in (("model", model, version.model), ("version", number, version.version)):
        if given != ours and (given or kind == "model"):
            raise InputError(f"no {kind} {given!r} is served here", fix=did_you_mean(given, [ours]), status=404)
