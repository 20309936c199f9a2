"""Which version is meant by a name, or by none.

Whoever takes predictions in from elsewhere asks here. It changes nothing.
"""

from __future__ import annotations

from gyroscope.errors import ModelError, did_you_mean
from gyroscope.models.routes import Routes
from gyroscope.models.store import ModelStore
from gyroscope.records import Version


def which_version(store: ModelStore, routes: Routes, model: str, name: str = "") -> Version:
    """The version of this id, or of this name where it is served; without a name the one with the most traffic, else
    the newest.

    Raises `ModelError` for a model or version that is not known.
    """
    known = store.versions(model)
    if not known:
        raise ModelError(f"no model is called {model!r}", where="model", fix=did_you_mean(model, store.models()))
    if not name:
        shares = {route.version: route.share for route in routes.routes(model)}
        return max(known, key=lambda version: (shares.get(version.version, 0.0), version.created_at))
    named = [version for version in known if name in (version.version, version.entry)]
    if not named:
        names = [version.entry if version.runner == "external" else version.version for version in known]
        raise ModelError(
            f"{model!r} has no version {name!r}", where="version", fix=did_you_mean(name, filter(None, names))
        )
    return named[-1]
