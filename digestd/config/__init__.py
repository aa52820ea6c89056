"""What the operator says: `tables` holds every key, `kinds` the values they share, `load` reads and checks it all.

`toml_file` and `places` read TOML so that each mistake is said with its line and column.
"""

from digestd.config.kinds import Address, ClockText, QuietText, Zone, address, clock, quiet_hours, timezone
from digestd.config.load import Settings, find, load
from digestd.config.tables import Disk, Dkim, Ingest, Mail, Matching, Operator, Paths, Schedule, Smtp, Strict, Web

__all__ = [
    "Address",
    "ClockText",
    "Disk",
    "Dkim",
    "Ingest",
    "Mail",
    "Matching",
    "Operator",
    "Paths",
    "QuietText",
    "Schedule",
    "Settings",
    "Smtp",
    "Strict",
    "Web",
    "Zone",
    "address",
    "clock",
    "find",
    "load",
    "quiet_hours",
    "timezone",
]
