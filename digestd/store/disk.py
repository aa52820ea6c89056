"""Room on the disk: below a floor no new work is begun, and a ballast makes room for what must be written down.

The floor is looked at before papers, editions and claims are written. What settles an edition, or a reader's wish
to leave, is written whatever the floor: when even that finds the disk full, the ballast is given up for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from digestd.errors import StoreFull

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk under the database at `path`. `floor` and `ballast` are bytes; 0 switches either off."""

    path: Path
    floor: int = 0
    ballast: int = 0

    @property
    def ballast_file(self) -> Path:
        """Where the ballast stands."""
        return self.path.with_name(f"{self.path.name}.ballast")

    def free(self) -> int:
        """Return the free bytes, as far as this user may take them."""
        status = os.statvfs(self.path.parent)
        return status.f_bavail * status.f_frsize

    def require(self) -> None:
        """Return when there is room for new work, the ballast laid. Raises StoreFull when there is not."""
        free = self.free() if self.floor or self.ballast else 0
        if free < self.floor:
            raise StoreFull(
                f"{self.path.parent}: only {free / MEGABYTE:,.0f} MB are free on the disk; nothing new is taken or"
                f" sent until {self.floor / MEGABYTE:,.0f} MB are (disk.min_free_mb)"
            )
        if self.ballast and free >= self.floor + self.ballast and not self.ballast_file.exists():
            self._lay()

    def give_up_ballast(self) -> bool:
        """Remove the ballast. Returns whether there was one."""
        try:
            self.ballast_file.unlink()
        except OSError:
            return False
        return True

    def _lay(self) -> None:
        """Take up the ballast's bytes; that there is none for want of room is no failure yet."""
        partial = self.ballast_file.with_suffix(".ballast-partial")
        try:
            with partial.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.ballast)
            partial.replace(self.ballast_file)
        except OSError:
            partial.unlink(missing_ok=True)
