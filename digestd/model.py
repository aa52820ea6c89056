"""The values that every room shares: frozen dataclasses, tuples where many are made, and enums. No behaviour.

Times are aware datetimes in UTC; dates and hours of a person are local to that person's `timezone`, an IANA
name. Texts from papers and people are cleaned where they enter (`match.text.clean`), so no value here holds a
control character or a lone surrogate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import NamedTuple

from digestd.letters import Letter


class Cadence(StrEnum):
    """How often a profile is published."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class Weekday(StrEnum):
    """Days by name, because numbers count from Sunday in one program and from Monday in the next."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class SubscriberState(StrEnum):
    """`pending → active ⇄ paused → unsubscribed`, or `suppressed`. Only `active` is mailed."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


class Origin(StrEnum):
    """Who put a subscriber there, or last changed their state."""

    FILE = "file"
    OPERATOR = "operator"
    READER = "reader"


class OutboxState(StrEnum):
    """Where an edition stands on its way out; the arrows between them are in docs/architecture.md."""

    READY = "ready"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


class Field(StrEnum):
    """The parts of a paper that a query can name."""

    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    CATEGORY = "category"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Paper:
    """One work as one record tells it.

    `id` is canonical (`arXiv:2310.10637`, `doi:10.1000/x`, `pmid:123`, else `title:` and a digest of the title
    key), `other_ids` are further canonical ids of it. What a record does not say is None or empty. `published` is the
    day in UTC; `comments` are the authors' own (`12 pages, to appear in …`); `pdf`, `code` and `project` are links.
    """

    id: str
    title: str
    authors: tuple[str, ...] = ()
    abstract: str | None = None
    url: str | None = None
    published: date | None = None
    categories: tuple[str, ...] = ()
    source: str = ""
    version: int | None = None
    votes: int | None = None
    comments: str | None = None
    pdf: str | None = None
    code: str | None = None
    project: str | None = None
    other_ids: tuple[str, ...] = ()

    def __hash__(self) -> int:
        """Return the hash of its id: cards are looked up by paper, and hashing all that it says took longer."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """A paper with its place in the order of arrival (`pk`) and the revision that is current."""

    pk: int
    revision: int
    ingested_at: datetime
    paper: Paper


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A piece of a digest file that cannot become a paper. `line` counts from 1."""

    line: int
    reason: str
    excerpt: str


class WeightedQuery(NamedTuple):
    """One expression of the query language and how much a hit of it counts."""

    query: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of a person's day, from `begin` to before `end`, in which no mail is composed for them.

    They may go over midnight: 22:00 to 07:00. Written `22:00-07:00`.
    """

    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def __contains__(self, hour: time) -> bool:
        if self.begin < self.end:
            return self.begin <= hour < self.end
        return hour >= self.begin or hour < self.end

    @classmethod
    def read(cls, text: str) -> QuietHours | None:
        """Return the hours of a text that `str` made; None of an empty one."""
        begin, dash, end = text.partition("-")
        return cls(time.fromisoformat(begin), time.fromisoformat(end)) if dash else None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a subscriber follows. `at`, `days` and `timezone` say when; for `weekly` the first day counts.

    With `learning`, what the reader wanted more and less of moves the order of its papers (see `match.learn`).
    """

    name: str
    queries: tuple[WeightedQuery, ...]
    exclude: tuple[str, ...] = ()
    alert: tuple[str, ...] = ()
    cadence: Cadence = Cadence.DAILY
    at: time = time(8, 0)
    days: tuple[Weekday, ...] = tuple(Weekday)[:5]
    timezone: str = "UTC"
    max_papers: int = 20
    min_score: float = 0.0
    send_empty: bool = False
    learning: bool = True


def canonical_address(email: str) -> str:
    """Return the form of an address by which one person is known, however they write it."""
    return email.casefold()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person with one address."""

    email: str
    name: str = ""
    timezone: str = "UTC"
    profiles: tuple[Profile, ...] = ()
    state: SubscriberState = SubscriberState.ACTIVE
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where a term stands: characters `start` to `end` of the field as `match.text.plain` shows it."""

    field: Field
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Match:
    """A paper hit by a profile: the queries that hit, heaviest first, and the score."""

    queries: tuple[str, ...]
    score: float


class Place(StrEnum):
    """How a paper stands in an edition: as a whole card, by its title alone past the cap, or folded into a card.

    What is folded is a near-copy, and follows the card that it belongs to.
    """

    CARD = "card"
    TITLE = "title"
    FOLDED = "folded"


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of an edition, and why it is there. `queries` are those that hit, heaviest first.

    `score` is what chose it, `standing` what the papers of a section are ordered by (see `match.rank`), `moved` the
    words that moved it there, each with what it added (see `match.learn`).
    """

    paper: Paper
    queries: tuple[str, ...]
    score: float
    place: Place = Place.CARD
    standing: float = 0.0
    moved: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many papers that a profile's queries hit are not in its part of an edition, by the reason.

    Their score is `below` its `min_score`, they are `excluded`, they were sent as an alert since its last digest, or
    this person is told of them `elsewhere`: by another profile.
    """

    below: int = 0
    excluded: int = 0
    alerted: int = 0
    elsewhere: int = 0


class Section(NamedTuple):
    """What one profile contributes to an edition. `matched` counts also the papers that did not fit."""

    profile: str
    entries: tuple[Entry, ...]
    matched: int
    left_out: LeftOut = LeftOut()


class Reader(NamedTuple):
    """The person an edition is for, as known when it was composed. `token` opens their unsubscribe page."""

    email: str
    name: str
    timezone: str
    token: str


class Edition(NamedTuple):
    """An issue as composed for one subscriber: the unit that is sent exactly once.

    `id` is 32 hexadecimal digits, the same whenever the same issue is composed for the same person.
    `considered` is the number of papers that were looked at; `quiet_since` is when the last one came, if that was
    long before. `already` are papers that were sent as alerts, where digests list them. With a `letter` it has no
    sections: it goes through the same outbox under the same promises, and says what the letter says.
    """

    id: str
    issue: str
    cadence: Cadence
    composed_at: datetime
    reader: Reader
    sections: tuple[Section, ...]
    considered: int
    letter: Letter | None = None
    quiet_since: datetime | None = None
    already: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an edition comes from. Constant per list; part of the snapshot, so a retry does not change it.

    With `learning`, its readers may say more and less like this, and their mails lead to where.
    """

    from_address: str
    from_name: str
    reply_to: str
    list_id: str
    public_url: str
    learning: bool = False

    def __hash__(self) -> int:
        """Return the hash of its address: what is laid out for a sender is looked up several times for a message."""
        return hash(self.from_address)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that shapes a message beside the edition: the templates by name, and the sender.

    Kept by content hash, so that a message rendered again after a crash, a day or an upgrade of the
    templates is the same to the byte.
    """

    templates: Mapping[str, str]
    sender: Sender

    def to_json(self) -> str:
        """Return the canonical JSON of which `sha256` is the digest."""
        sender = {name: getattr(self.sender, name) for name in Sender.__slots__}
        return json.dumps({"templates": dict(self.templates), "sender": sender}, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Return the snapshot that `to_json` wrote."""
        read = json.loads(text)
        return cls(templates=read["templates"], sender=Sender(**read["sender"]))

    @property
    def sha256(self) -> str:
        """The content hash, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


class Phase(StrEnum):
    """How far an SMTP transaction had come; from BODY on, the relay may have the message."""

    CONNECT = "connect"
    TLS = "tls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"


class Verdict(StrEnum):
    """What an attempt came to."""

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class Blame(StrEnum):
    """Whom a reply is about, and so what must wait: one address, one message, or the whole relay."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The addresses of one SMTP transaction; one recipient per message, always."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt: the verdict, the phase it ended in, and the relay's words.

    `code` is the SMTP reply code (RFC 5321), `status` the enhanced one (RFC 3463, `5.1.1`); None where the
    relay said nothing. `reply` is a sentence for the ledger, without secrets and control characters.
    """

    verdict: Verdict
    phase: Phase
    blame: Blame
    reply: str
    code: int | None = None
    status: str | None = None
