"""File systems of one's own to be broken: ext4 in a file on a loop device, small tmpfs, frozen, read-only, cut off.

Needs root. Everything that was mounted is unmounted when its block ends; the machine's own disks are never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
SBIN = "/usr/sbin:/sbin"


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, image: Path, mount: Path, size_mib: int) -> None:
        self.mount = mount
        self._image = image
        image.parent.mkdir(parents=True, exist_ok=True)
        mount.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(size_mib << 20)
        run("mkfs.ext4", "-qF", str(image))
        self.attach()

    def attach(self) -> None:
        """Mount it; a journal that was not finished is replayed."""
        run("mount", "-o", "loop", str(self._image), str(self.mount))

    def detach(self, patience_s: float = 20.0) -> None:
        """Unmount it as soon as the last process that used it is gone."""
        give_up = time.monotonic() + patience_s
        while True:
            try:
                run("umount", str(self.mount))
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    def cut(self) -> None:
        """The power goes: whatever was not synced is lost, and nothing can be written any more."""
        descriptor = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def freeze(self) -> None:
        """Writers wait until `thaw`."""
        run("fsfreeze", "-f", str(self.mount))

    def thaw(self) -> None:
        run("fsfreeze", "-u", str(self.mount))

    def remount(self, mode: str) -> None:
        """`ro` or `rw`; refused by the kernel while a file is open for writing, so it is tried between two writes."""
        give_up = time.monotonic() + 20
        while subprocess.run(_argv("mount", "-o", f"remount,{mode}", str(self.mount)), capture_output=True).returncode:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{self.mount} could not be remounted {mode}")
            time.sleep(0.005)


@contextmanager
def disk(image: Path, mount: Path, size_mib: int = 256) -> Iterator[Disk]:
    """An ext4 disk for the length of a block."""
    made = Disk(image, mount, size_mib)
    try:
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            made.thaw()
        with contextlib.suppress(subprocess.CalledProcessError):
            run("umount", "--lazy", str(mount))
        image.unlink(missing_ok=True)


@contextmanager
def memory_disk(mount: Path, size_mib: int, inodes: int = 4_096) -> Iterator[Path]:
    """A tmpfs for the length of a block."""
    mount.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,nr_inodes={inodes}", "none", str(mount))
    try:
        yield mount
    finally:
        run("umount", "--lazy", str(mount))
        with contextlib.suppress(OSError):
            mount.rmdir()


def fill(folder: Path) -> Path:
    """Take all the room there is, to the last page, without writing it; returns the file that holds it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        place = 0
        for size in (16 << 20, 1 << 20, 1 << 16, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), place, size)
                    place += size
    return ballast


def fill_inodes(folder: Path) -> Path:
    """Take every inode there is; returns the folder that holds them."""
    crowd = folder / "crowd"
    crowd.mkdir()
    with contextlib.suppress(OSError):
        for number in range(1_000_000):
            (crowd / str(number)).touch()
    return crowd


def remove(path: Path) -> None:
    """Give back what `fill` or `fill_inodes` took."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def missing() -> str:
    """Why disks cannot be broken on this machine; empty when they can."""
    if os.geteuid() != 0:
        return "only root can mount file systems"
    lacking = [name for name in ("mkfs.ext4", "mount", "fsfreeze", "losetup", "strace") if not _find(name)]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    if subprocess.run(_argv("losetup", "-f"), capture_output=True).returncode:
        return "this machine has no loop devices"
    return ""


def run(*words: str) -> None:
    """A program that must succeed."""
    subprocess.run(_argv(*words), check=True, capture_output=True)


def _argv(*words: str) -> list[str]:
    return [_find(words[0]) or words[0], *words[1:]]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
