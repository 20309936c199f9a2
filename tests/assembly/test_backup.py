"""A backup taken beside writers, restored elsewhere: everything acknowledged before it is there, exactly once."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.assembly.conftest import Lived, record

from gyroscope.assembly import House
from gyroscope.assembly import backup as backup_module
from gyroscope.assembly.backup import STAGE, backup
from gyroscope.assembly.restore import SETTINGS_KEPT, restore
from gyroscope.assembly.verifying import verify_home
from gyroscope.clock import sleep
from gyroscope.errors import StoreError


def elsewhere(archive: Path, tmp_path: Path) -> House:
    """The restored home, in a house of its own."""
    done = restore(archive, tmp_path / "there" / "home")
    (tmp_path / "there" / "gyroscope.yaml").write_text(
        f"home: home\nruntime_dir: {tmp_path / 'there' / 'run'}\nmonitoring: {{timezone: America/New_York}}\n"
    )
    house = House(tmp_path / "there" / "gyroscope.yaml")
    assert done.home == str(house.home)
    return house


def rows(house: House) -> list[str]:
    table = house.table("flights")
    return sorted(str(one) for file in table.files() for one in table.read(file, ["request_id"])["request_id"])


@pytest.mark.parametrize("name", ["home.tar", "home.tar.gz", "home.tgz"])
def test_a_restored_home_is_the_same_home(lived, tmp_path, name):
    live = lived.fill()
    done = backup(lived.house, tmp_path / name)
    assert (done.segments, done.has_keys, list(done.tables)) == (1, True, ["flights"])
    assert oct((tmp_path / name).stat().st_mode & 0o777) == "0o600"
    lived.predict(live, 60)

    house = elsewhere(tmp_path / name, tmp_path)
    assert verify_home(house.home, house.runtime).is_well
    assert record(house) == 10, "the segment's rows that the table did not have"
    assert rows(house) == [f"r-{number:06d}" for number in range(60)]
    assert record(house) == 0
    assert verify_home(house.home, house.runtime).is_well
    assert house.models.versions("flights") == [lived.version]
    assert house.labels.counts("flights")["joined"] + house.labels.counts("flights")["pending"] == 70
    house.labels.settle("flights", 10**15)
    assert house.labels.counts("flights")["joined"] == 60
    assert [signal.value for signal in house.signals.newest("drift")] == [0.5]
    assert house.routes.routes("flights")[0].version == lived.version.version
    assert house.keys.api_key_path.read_text() == lived.house.keys.api_key_path.read_text()
    assert (house.home / SETTINGS_KEPT).read_text() == lived.house.settings_path.read_text()
    assert list(lived.home.glob(f"{STAGE}*")) == []
    house.labels.close()
    house.signals.close()


def test_under_load_nothing_acknowledged_before_is_lost_and_nothing_doubled(lived, tmp_path):
    log = lived.fill()
    acknowledged = list(range(60))
    stop = threading.Event()

    def write() -> None:
        number = 60
        while not stop.is_set():
            lived.predict(log, number)
            acknowledged.append(number)
            number += 1
            if number % 20 == 0:
                log.close()  # sealed, so that the recorder deletes it under the backup
            sleep(0.001)

    def drain() -> None:
        while not stop.is_set():
            lived.drain_once()

    threads = [threading.Thread(target=job) for job in (write, drain)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(3):
            before = list(acknowledged)
            backup(lived.house, tmp_path / f"{turn}.tar")
            house = elsewhere(tmp_path / f"{turn}.tar", tmp_path / str(turn))
            record(house)
            found = rows(house)
            assert len(found) == len(set(found)), "nothing twice"
            assert {f"r-{number:06d}" for number in before} <= set(found), "nothing lost"
            assert verify_home(house.home, house.runtime).faults == ()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("step", ["_add_databases", "snapshot"])
def test_a_segment_that_is_drained_and_deleted_meanwhile_is_not_doubled(lived, tmp_path, monkeypatch, step):
    live = lived.fill()
    real = getattr(backup_module, step)

    def drain_first(*args: Any, **more: Any) -> Any:
        live.close()
        lived.record()
        later = lived.log()
        lived.predict(later, 60)
        later.close()
        lived.record()  # the offsets of this commit know nothing of the segment before
        return real(*args, **more)

    monkeypatch.setattr(backup_module, step, drain_first)
    assert backup(lived.house, tmp_path / "home.tar").segments == 0, "the table has all of it"
    house = elsewhere(tmp_path / "home.tar", tmp_path)
    assert record(house) == 0
    assert rows(house) == [f"r-{number:06d}" for number in range(61)]


def test_keys_can_be_left_out(lived, tmp_path):
    lived.fill()
    assert not backup(lived.house, tmp_path / "home.tar", with_keys=False).has_keys
    with tarfile.open(tmp_path / "home.tar") as tar:
        names = tar.getnames()
    assert not [name for name in names if "keys" in name]
    assert "home/labels.db" in names


def test_what_belongs_to_processes_stays_here(lived, tmp_path):
    lived.fill()
    for name in ("run/wanted.json", "logs/control.log", f"{STAGE}old/x", "models/flights/.adding-1/x"):
        (lived.home / name).parent.mkdir(exist_ok=True)
        (lived.home / name).write_text("x")
    (lived.home / "logs" / "audit.log").write_text("kept")
    backup(lived.house, tmp_path / "home.tar")
    with tarfile.open(tmp_path / "home.tar") as tar:
        names = [name for name in tar.getnames() if name.startswith("home/")]
    assert "home/logs/audit.log" in names
    wrong = ("home/run", "home/logs/control", f"home/{STAGE}", "home/models/flights/.adding", "home/recorder.lock")
    assert [name for name in names if name.startswith(wrong)] == []
    assert not (lived.home / f"{STAGE}old").exists(), "what a killed backup left is removed"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("home.zip", "a backup is"),
        ("there.tar", "something there"),
        ("no/such/home.tar", "no such folder"),
        ("here/home/home.tar", "inside the home"),
    ],
)
def test_a_bad_target_is_refused_before_anything_is_read(lived, tmp_path, target, said):
    (tmp_path / "there.tar").write_text("x")
    with pytest.raises(StoreError, match=said):
        backup(lived.house, tmp_path / target)


def test_a_disk_that_is_too_small_is_said_first(lived, tmp_path, monkeypatch):
    lived.fill()
    monkeypatch.setattr("gyroscope.assembly.backup.shutil.disk_usage", lambda _: type("Free", (), {"free": 10}))
    with pytest.raises(StoreError, match="10 are free"):
        backup(lived.house, tmp_path / "home.tar")
    monkeypatch.undo()
    backup(lived.house, tmp_path / "home.tar")
    monkeypatch.setattr("gyroscope.assembly.restore.shutil.disk_usage", lambda _: type("Free", (), {"free": 10}))
    with pytest.raises(StoreError, match="10 are free"):
        restore(tmp_path / "home.tar", tmp_path / "new")


def test_a_backup_that_fails_leaves_nothing(lived, tmp_path, monkeypatch):
    lived.fill()
    monkeypatch.setattr("gyroscope.assembly.backup._add_files", lambda *_, **__: Path("/no/such").read_bytes())
    with pytest.raises(StoreError, match="cannot be written"):
        backup(lived.house, tmp_path / "home.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert list(lived.home.glob(f"{STAGE}*")) == []


def test_a_damaged_database_is_named(lived, tmp_path):
    lived.fill()
    (lived.home / "monitoring.db").write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    with pytest.raises(StoreError, match="cannot be copied"):
        backup(lived.house, tmp_path / "home.tar")


def test_an_old_backup_never_comes_over_newer_data(lived, tmp_path):
    lived.fill()
    backup(lived.house, tmp_path / "home.tar")
    with pytest.raises(StoreError, match="not empty"):
        restore(tmp_path / "home.tar", lived.home)
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    with pytest.raises(StoreError, match="not empty"):
        restore(tmp_path / "home.tar", tmp_path / "link")
    (tmp_path / "empty").mkdir()
    assert restore(tmp_path / "home.tar", tmp_path / "empty").files > 5


def test_a_backup_that_is_not_there_is_said(tmp_path):
    with pytest.raises(StoreError, match="no such backup"):
        restore(tmp_path / "home.tar", tmp_path / "new")


class Forged:
    """An archive by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tar = tarfile.open(path, "w")  # noqa: SIM115  # closed by `end`
        self.members: list[dict[str, object]] = []

    def add(self, name: str, data: bytes = b"x", **info: object) -> Forged:
        from hashlib import sha256

        made = tarfile.TarInfo(name)
        made.size = len(data)
        for key, value in info.items():
            setattr(made, key, value)
        self.tar.addfile(made, io.BytesIO(data))
        self.members.append({"name": name, "bytes": len(data), "sha256": sha256(data).hexdigest()})
        return self

    def close(self, **changes: object) -> Path:
        manifest = {
            "format": 1, "made_by": "0", "began_at": "now", "tables": {}, "has_keys": False, "members": self.members,
        }  # fmt: skip
        members = self.members
        self.add("manifest.json", json.dumps(manifest | changes).encode())
        members.pop()
        return self.end()

    def end(self) -> Path:
        self.tar.close()
        return self.path


FORGERIES = {
    "a name that leads out": lambda f: f.add("../evil").close(),
    "a name that leads out later": lambda f: f.add("home/../../evil").close(),
    "an absolute name": lambda f: f.add("/tmp/evil").close(),
    "a link": lambda f: f.add("home/evil", b"", type=tarfile.SYMTYPE, linkname="/etc").close(),
    "a hard link": lambda f: f.add("home/evil", b"", type=tarfile.LNKTYPE, linkname="home/a").close(),
    "a device": lambda f: f.add("home/evil", b"", type=tarfile.CHRTYPE).close(),
    "a folder": lambda f: f.add("home/evil", b"", type=tarfile.DIRTYPE).close(),
    "a name twice": lambda f: f.add("home/a").add("home/a").close(),
    "a name in another spelling": lambda f: f.add("home//a").close(),
    "no list": lambda f: f.add("home/a").end(),
    "a member that is not listed": lambda f: f.add("home/a").close(members=[]),
    "a listed member that is not there": lambda f: f.close(members=[{"name": "home/a", "bytes": 1, "sha256": ""}]),
    "another content": lambda f: f.add("home/a").close(members=[{"name": "home/a", "bytes": 1, "sha256": "0" * 64}]),
    "a list that is none": lambda f: f.close(members=7),
    "something after the list": lambda f: (f.close(), append(f.path))[1],
    "a later format": lambda f: f.close(format=2),
}


def append(path: Path) -> Path:
    with tarfile.open(path, "a") as tar:
        tar.addfile(tarfile.TarInfo("home/late"), io.BytesIO())
    return path


@pytest.mark.parametrize("kind", FORGERIES)
def test_what_is_not_as_listed_is_refused_whole(tmp_path, kind):
    archive = FORGERIES[kind](Forged(tmp_path / "forged.tar"))
    with pytest.raises(StoreError) as refused:
        restore(archive, tmp_path / "new" / "home")
    assert "damaged or none of ours" in str(refused.value) or "of format 2" in str(refused.value)
    assert list((tmp_path / "new").iterdir()) == []
    assert not Path("/tmp/evil").exists() and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["home.tar", "home.tar.gz"])
def test_a_backup_that_was_cut_or_changed_anywhere_is_refused(lived, tmp_path, name):
    lived.fill()
    backup(lived.house, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    bad = tmp_path / f"bad-{name}"
    for place in range(600, len(whole) - 1, len(whole) // 9):
        bad.write_bytes(whole[:place])
        with pytest.raises(StoreError):
            restore(bad, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    for member in content_places(tmp_path / name) if name.endswith(".tar") else [len(whole) // 2]:
        bad.write_bytes(whole[:member] + bytes([whole[member] ^ 1]) + whole[member + 1 :])
        with pytest.raises(StoreError):
            restore(bad, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def content_places(path: Path) -> list[int]:
    """A byte inside each member's content."""
    with tarfile.open(path) as tar:
        return [info.offset_data + info.size // 2 for info in tar if info.size]


def test_lived_is_really_lived_in(lived: Lived):
    lived.fill()
    assert rows(lived.house) == [f"r-{number:06d}" for number in range(50)]
