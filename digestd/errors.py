"""The whole error tree: what a caller cannot expect, said as one sentence for a person.

Expected results (a bad record, a reply of a relay, a reason not to send) are values and live in `model`.
Each leaf has a `key`, stable for logs and tests, and the exit status that the command line ends with.
"""

from __future__ import annotations

from typing import ClassVar

FAILURE = 1  # the work failed
BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h; systemd is told not to restart on it


class DigestdError(Exception):
    """A failure whose text is a sentence: what was read, where, what was expected, what to do."""

    key: ClassVar[str] = "error"
    exit_status: ClassVar[int] = FAILURE


class ConfigError(DigestdError):
    """The configuration cannot be used: an unknown key, a wrong value, a missing file."""

    key = "config"
    exit_status = BAD_CONFIGURATION


class TemplateError(ConfigError):
    """A mail or web template is missing, does not parse, or fails on the sample edition."""

    key = "template"


class QueryError(DigestdError):
    """A query that does not parse.

    `column` counts characters from 1 in the query's own text and points at the first one that is wrong;
    `problem` is the sentence without the place.
    """

    key = "query"

    def __init__(self, problem: str, column: int) -> None:
        super().__init__(f"column {column}: {problem}")
        self.problem = problem
        self.column = column


class FileRefused(DigestdError):
    """A digest file that as a whole cannot be taken: empty, binary, cut off, too large, of no known format."""

    key = "file-refused"


class StoreError(DigestdError):
    """The store cannot be used."""

    key = "store"


class StoreBusy(StoreError):
    """Another process holds the store's write lock for longer than the busy timeout."""

    key = "store-busy"


class DeliveredElsewhere(StoreBusy):
    """Another process delivers from the store at this moment; it sends what is ready."""

    key = "delivered-elsewhere"


class ServedElsewhere(StoreBusy):
    """Another `serve` works on the store; one is enough."""

    key = "served-elsewhere"


class StoreFull(StoreError):
    """The disk has too little room for new work; it goes on by itself once there is room again."""

    key = "store-full"


class StoreHeld(StoreError):
    """The store is a copy: a backup that was put back, or a cloned machine's. Nothing is sent until it is released."""

    key = "store-held"


class StoreFailed(StoreError):
    """The disk failed to keep what was written: nothing that this process knows of the store can be trusted now.

    Only a new process, which reads what really reached the disk, may go on.
    """

    key = "store-failed"


class StoreUnusable(StoreError):
    """The database is gone, foreign, damaged, or of another version; nothing was changed in it."""

    key = "store-unusable"
    exit_status = BAD_CONFIGURATION


class NotFound(DigestdError):
    """A subscriber, paper or edition named by a person that the store does not know."""

    key = "not-found"


class NotAllowed(DigestdError):
    """A change that the rules forbid, such as resuming a person who asked to leave."""

    key = "not-allowed"


class AddressRefused(DigestdError):
    """An e-mail address that cannot stand in a header: no address at all, or one that needs SMTPUTF8."""

    key = "address-refused"
