"""The files that a running service was made of: configuration, people, templates, secrets. Have they changed?

A look compares names, sizes and times; only what looks changed is read and hashed, so that a look at every tick costs
next to nothing, and a file that was touched and not changed reloads nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digestd.config import Settings

Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """The configuration file, and what the settings read from it name."""

    config: Path
    settings: Settings

    def files(self) -> Iterator[Path]:
        """Yield every file there is, in a fixed order."""
        settings = self.settings
        yield self.config
        if settings.smtp.password_file:
            yield settings.smtp.password_file
        if settings.operator.password_file:
            yield settings.operator.password_file
        people = settings.subscribers
        yield from sorted(people.glob("*.toml")) if people.is_dir() else (people,)
        if settings.paths.templates:
            for kind in ("mail", "web"):
                yield from sorted(path for path in settings.paths.templates.glob(f"{kind}/**/*") if path.is_file())

    def folders(self) -> set[Path]:
        """Return the folders in which a change is to be noticed."""
        named = {self.config.parent, self.settings.subscribers.parent, *(file.parent for file in self.files())}
        if self.settings.subscribers.is_dir():
            named.add(self.settings.subscribers)
        return {folder.resolve() for folder in named if folder.is_dir()}

    def signature(self) -> Signature:
        """Return what tells at a glance whether anything may have changed."""
        found = []
        for file in self.files():
            try:
                status = file.stat()
            except OSError:
                found.append((str(file), 0, 0, 0))
            else:
                found.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)

    def digest(self) -> str:
        """Return a hash of names and contents."""
        whole = hashlib.sha256()
        for file in self.files():
            try:
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                content = f"cannot be read: {error.errno}"
            whole.update(f"{file}\0{content}\n".encode("utf-8", "surrogateescape"))
        return whole.hexdigest()
