"""Mail that carries no digest: questions, welcomes, search words no longer read, and notices to the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LetterKind(StrEnum):
    """What a mail that carries no digest is for."""

    CONFIRM = "confirm"
    WELCOME = "welcome"
    NOTICE = "notice"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail that carries no digest says: what is followed and when it comes, and, to confirm, the key to it.

    `token` opens the confirm page. `taste` holds titles of papers with their links, best first. A notice is for the
    operator: sentences about what was found to need them, and about what is over. A mistake tells a reader in `found`
    which of their search words are no longer read; `queries` are those left.
    """

    kind: LetterKind
    queries: tuple[str, ...]
    exclude: tuple[str, ...]
    rhythm: str
    token: str = ""
    taste: tuple[tuple[str, str], ...] = ()
    found: tuple[str, ...] = ()
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator was told of, by its key, and when; `lasts` until they are told that it is over."""

    key: str
    sentence: str
    told_at: datetime
    lasts: bool
