"""Which server to ask and with which key: as the call says, else as the settings of a home on this machine say.

Both clients ask here when they are made. It reads the settings file and the file of the key, and nothing else.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from urllib.parse import urlsplit

from gyroscope.client.wire import Origin
from gyroscope.errors import InputError, ProcessError, SettingsError
from gyroscope.settings import FILE_NAME, Settings, find_settings, read_settings


def find(address: str, key: str, home: str | PathLike[str] | None) -> tuple[Origin, str]:
    """The origin and the key; the key is empty where nobody said one.

    Raises `SettingsError` without an address and a settings file, `ProcessError` when the key cannot be read.
    """
    if address and home is None:
        return origin_of(address), key
    settings = _settings(home)
    return origin_of(address or address_of(settings)), key or read_key(api_key_path(settings.home_path))


def address_of(settings: Settings) -> str:
    """Where the door of a home listens."""
    door = settings.door
    return Origin("http", door.host, door.port).address


def api_key_path(home: Path) -> Path:
    """Where a home keeps its API key."""
    return home / "keys" / "api_key"


def origin_of(address: str) -> Origin:
    """Raises `InputError` for what is no address of a server."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise InputError("this is no address", where=address, fix="as in http://127.0.0.1:8080") from None
    if not parts.hostname or parts.path.strip("/"):
        raise InputError("an address is a host and a port", where=address, fix="as in http://127.0.0.1:8080")
    return Origin(parts.scheme, parts.hostname, port)


def read_key(path: Path) -> str:
    """The key in a file. Raises `ProcessError` when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        fix = "'gyro up' makes it at the first start"
        raise ProcessError(f"the API key cannot be read: {error.strerror}", where=str(path), fix=fix) from error


def _settings(home: str | PathLike[str] | None) -> Settings:
    if home is not None:
        path = Path(home)
        return read_settings(path / FILE_NAME if path.is_dir() else path)
    found = find_settings(Path.cwd())
    if found is None:
        fix = "say where the server is, Client('http://host:8080', key=...), or name a home"
        raise SettingsError(f"there is no {FILE_NAME} here or in a folder above", where=str(Path.cwd()), fix=fix)
    return read_settings(found)
