"""Nothing of the machine it was written on is in the files a clone holds: no registry, no path, no key."""

from __future__ import annotations

import re

import pytest

FORBIDDEN = {
    "a package registry": r"pythonhoste[d]|pyp[i]\.org|npmj[s]\.org|deb\.debia[n]",
    "a path of a machine": r"(?<![A-Za-z0-9._-])/(wor[k]|far[m]|roo[t]|hom[e]/[a-z]+)/",
    "a private key": r"BEGIN [A-Z ]*PRIVATE KE[Y]",
    "an address with a password": r"https?://[^/\s:@{}<>'\"]+:[^/\s@{}<>'\"]+@",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(tracked, root, what):
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in tracked:
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [
            f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if pattern.search(line)
        ]
    assert not found, f"{what} is named; say it without: {found}"


def test_no_large_or_binary_file_is_tracked(tracked, root):
    large = [
        f"{path.relative_to(root)}: {path.stat().st_size // 1024} KiB"
        for path in tracked
        if path.stat().st_size > 300_000
    ]
    assert not large, f"over 300 kB; make it when it is needed instead: {large}"
