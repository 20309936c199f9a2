"""Asking a running house from Python: `Client` for threads, `AsyncClient` for event loops, equal in all else.

Programs import both from `gyroscope`. What they say over the wire is in `requests.py`, once for both. It needs no
server on this machine, and only the base libraries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from os import PathLike
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from gyroscope.client.asynchronous import Streams
from gyroscope.client.blocking import Sockets
from gyroscope.client.conversation import Steps, T
from gyroscope.client.place import find
from gyroscope.client.requests import Answer, LabelReport, Requests
from gyroscope.client.wire import Origin

__all__ = ["Answer", "AsyncClient", "Client", "LabelReport"]

P = ParamSpec("P")
Driver = TypeVar("Driver")
_Request = Callable[Concatenate[Requests, P], Steps[T]]


def _blocking(request: _Request[P, T]) -> Callable[Concatenate[Client, P], T]:
    @functools.wraps(request)
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._links.run(request(client._requests, *args, **kwargs))

    return method


def _awaited(request: _Request[P, T]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    @functools.wraps(request)
    async def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._links.run(request(client._requests, *args, **kwargs))

    return method


class _Made(Generic[Driver]):
    """How both are made."""

    _driver: Callable[[Origin], Driver]

    def __init__(
        self,
        address: str = "",
        *,
        key: str = "",
        model: str = "",
        home: str | PathLike[str] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Choose whom to ask.

        Parameters
        ----------
        address : str
            Of the door, such as `http://127.0.0.1:8080`; without one, what the settings of `home` say.
        key : str
            The API key; without one and without an address, the one of the home.
        model : str
            Who is asked where a call names nobody.
        home : path, optional
            A settings file, or a folder that has one; else the nearest `gyroscope.yaml` from here upwards.
        timeout_s : float
            How long a call may take, attempts and pauses included.
        """
        origin, found = find(address, key, home)
        self._requests = Requests(origin, found, model, timeout_s)
        self._links: Driver = self._driver(origin)


class Client(_Made[Sockets]):
    """A client that any number of threads may share."""

    _driver = staticmethod(Sockets)

    predict = _blocking(Requests.predict)
    label = _blocking(Requests.label)
    labels = _blocking(Requests.labels)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._links.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(_Made[Streams]):
    """A client that any number of tasks of one event loop may share; called as `Client` is, and awaited."""

    _driver = staticmethod(Streams)

    predict = _awaited(Requests.predict)
    label = _awaited(Requests.label)
    labels = _awaited(Requests.labels)

    async def close(self) -> None:
        """Close the connections that are kept."""
        self._links.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
