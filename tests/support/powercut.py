"""A power cut: after SIGKILL the disk holds what was synced, and nothing else.

The shim (`powercut.c`) is built with the compiler of the system and preloaded into a warm server of processes of its
own; a child arms it. Names and contents are durable each on their own, as POSIX has it: a file whose folder was not
synced is gone, one that was not synced itself is empty, and one that was removed is back until its folder is synced.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = shutil.which("gcc") or shutil.which("cc")
FOLDERS = ("content", "names", "links")


def built() -> Path:
    """Return the shim, built when its source is newer than what there is."""
    source = SOURCE.read_bytes()
    library = Path(tempfile.gettempdir()) / f"powercut-{os.getuid()}-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if not library.exists():
        partial_ = library.with_suffix(f".{os.getpid()}")
        command = [str(COMPILER), "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(partial_), str(SOURCE)]
        subprocess.run([*command, "-ldl", "-lpthread"], check=True)
        partial_.rename(library)
    return library


def armed(disk: Path, shadow: Path, cut_at: int, full_while: Path | None = None) -> Callable[[], None]:
    """Return what arms the shim in a child: at sync number `cut_at` the power goes, with 0 never."""
    return partial(_arm, disk, shadow, cut_at, full_while)


def _arm(disk: Path, shadow: Path, cut_at: int, full_while: Path | None) -> None:
    library = ctypes.CDLL(None)
    full = os.fsencode(full_while) if full_while else b""
    library.powercut_arm(os.fsencode(disk), os.fsencode(shadow), ctypes.c_long(cut_at), full)


def begun(disk: Path, shadow: Path) -> None:
    """Make a shadow in which all that lies under `disk` is durable."""
    for name in FOLDERS:
        (shadow / name).mkdir(parents=True)
    for folder in (disk, *(path for path in disk.rglob("*") if path.is_dir())):
        lines = []
        for entry in folder.iterdir():
            inode, is_folder = entry.stat().st_ino, entry.is_dir()
            lines.append(f"{'d' if is_folder else 'f'} {inode} {entry.name}\n")
            if not is_folder:
                os.link(entry, shadow / "links" / str(inode))
                shutil.copyfile(entry, shadow / "content" / str(inode))
        (shadow / "names" / str(folder.stat().st_ino)).write_text("".join(lines))


def after_the_cut(disk: Path, shadow: Path) -> None:
    """Put back under `disk` what the shadow holds, each file with the inode it had."""
    root = disk.stat().st_ino
    lost = disk.with_name(f"{disk.name}.lost")
    kept = disk.with_name(f"{disk.name}.kept")
    kept.mkdir()
    _restore(kept, root, shadow)
    disk.rename(lost)
    kept.rename(disk)
    shutil.rmtree(lost)


def _restore(folder: Path, inode: int, shadow: Path) -> None:
    names = shadow / "names" / str(inode)
    for line in names.read_text().splitlines() if names.exists() else ():
        kind, number, name = line.split(" ", 2)
        path = folder / name
        if kind == "d":
            path.mkdir()
            _restore(path, int(number), shadow)
            continue
        content = shadow / "content" / number
        link = shadow / "links" / number
        link.write_bytes(content.read_bytes() if content.exists() else b"")
        os.link(link, path)  # the same inode: a disk that comes back has not been copied
