"""Publish: due issues → editions → outbox.

Subscribers are taken in batches; each batch is composed in memory and written in one transaction, in which
every profile's progress moves on only from where it was read. A publisher that loses that race, or dies before
the commit, leaves the issue due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from digestd.match.document import Document, analyse
from digestd.match.index import Index, Wanted
from digestd.model import Cadence, Edition, Reader, Section, Snapshot, StoredPaper
from digestd.publish.compose import Found, Selection, counting, select
from digestd.publish.schedule import following, immediate_issue, latest
from digestd.publish.tokens import edition_id, unsubscribe_token
from digestd.store.base import Advance, Composed, ComposedSection, DueProfile, DueSubscriber, Store

BATCH = 500  # subscribers composed and committed together: bounds memory and the time the write lock is held
FIRST_LOOK = timedelta(days=7)  # how far back a new subscriber's first issue goes


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was composed: `editions` written, and the `papers` in them, each counted once for each edition."""

    editions: int = 0
    papers: int = 0


class _News:
    """The papers of one publishing, analysed once each."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._papers = store.papers
        self.newest = store.papers.newest()
        self._first_since = now - FIRST_LOOK
        self._after = self.newest
        self._found: list[tuple[StoredPaper, Document]] = []

    @cached_property
    def first(self) -> int:
        """The paper that a profile without progress begins after."""
        return self._papers.first_since(self._first_since) - 1

    def after(self, horizon: int) -> list[tuple[StoredPaper, Document]]:
        """Return the papers that arrived after `horizon`, in order of arrival."""
        if horizon < self._after:
            older = self._papers.between(horizon, self._after)
            self._found = [(stored, analyse(stored.paper)) for stored in older] + self._found
            self._after = horizon
        return [one for one in self._found if one[0].pk > horizon]


@dataclass(frozen=True, slots=True)
class _Open:
    """A profile's issue that is to be composed now, with the paper it begins after."""

    due: DueProfile
    issue: str
    after: int
    advance: Advance


def publish(
    store: Store, snapshot: Snapshot, now: datetime, progress: Callable[[int], None] | None = None
) -> PublishReport:
    """Compose and store every edition that is due. `progress` is told the subscribers of each batch."""
    news = _News(store, now)
    key, kept = store.editions.key(), ""
    editions = papers = 0
    while batch := store.editions.due(now, news.newest, BATCH):
        composed = _compose(store, news, batch, key, now)
        kept = kept or store.editions.keep(snapshot)
        written = store.editions.save(composed, kept, now)
        editions += written.editions
        papers += written.papers
        if not written.issues:
            break  # another publisher is at it; what it leaves is due at the next tick
        if progress:
            progress(len(batch))
    return PublishReport(editions, papers)


def preview(store: Store, subscriber: int, now: datetime) -> list[Edition]:
    """Return the next editions of a subscriber as they would be composed now. Changes nothing."""
    person = store.editions.profiles_of(subscriber)
    news, key = _News(store, now), store.editions.key()
    ready = tuple(replace(due, issue=None) for due in person.profiles)
    composed = _compose(store, news, [replace(person, profiles=ready)], key, now)
    token = unsubscribe_token(key, person.pk, person.email)
    reader = Reader(person.email, person.name, person.timezone, token)
    return [
        Edition(
            id=one.edition_id,
            issue=one.issue,
            cadence=one.cadence,
            composed_at=now,
            reader=reader,
            sections=tuple(
                Section(section.due.profile.name, tuple(entry for _, entry in section.entries), section.matched)
                for section in one.sections
            ),
            considered=one.considered,
        )
        for one in composed
        if one.edition_id
    ]


def _compose(store: Store, news: _News, batch: Sequence[DueSubscriber], key: bytes, now: datetime) -> list[Composed]:
    issues: list[tuple[DueSubscriber, str, list[_Open]]] = []
    idle: list[Composed] = []
    for person in batch:
        grouped: dict[str, list[_Open]] = {}
        for due in person.profiles:
            step = _step(due, news, now)
            if isinstance(step, Advance):
                idle.append(Composed(person, (step,), due.issue or "", due.cadence, None, 0, ()))
            else:
                grouped.setdefault(step.issue, []).append(step)
        # alerts first, so that the digest of the same moment does not repeat them
        for issue in sorted(grouped, key=lambda issue: not issue.startswith(Cadence.IMMEDIATE)):
            issues.append((person, issue, grouped[issue]))
    found = _match(issues, news)
    after = min((one.after for _, _, opened in issues for one in opened), default=news.newest)
    taken = store.editions.announced([person.pk for person in batch], after)
    return idle + [
        _issue(person, issue, opened, found, taken.setdefault(person.pk, set()), news, key)
        for person, issue, opened in issues
    ]


def _step(due: DueProfile, news: _News, now: datetime) -> _Open | Advance:
    """Return the issue of a profile that is open now, or only when to look again."""
    after = due.horizon if due.horizon is not None else news.first
    if due.cadence is Cadence.IMMEDIATE:
        issue = immediate_issue(news.newest)
        return _Open(due, issue, after, Advance(due.pk, due.cadence, due.issue, issue, news.newest, None))
    slot, coming = latest(due.profile, now), following(due.profile, now).at
    if due.issue is not None and slot.issue <= due.issue:
        return Advance(due.pk, due.cadence, due.issue, due.issue, due.horizon, coming)
    return _Open(due, slot.issue, after, Advance(due.pk, due.cadence, due.issue, slot.issue, news.newest, coming))


def _match(issues: Sequence[tuple[DueSubscriber, str, list[_Open]]], news: _News) -> dict[tuple[int, str], list[Found]]:
    """Return the papers each open profile hits, by profile and issue."""
    wanted: dict[tuple[int, str], Wanted] = {}
    after: dict[tuple[int, str], int] = {}
    for _, issue, opened in issues:
        for one in opened:
            profile = one.due.profile
            counted = counting(profile, one.due.cadence)
            wanted[one.due.pk, issue] = Wanted(counted, profile.exclude, profile.min_score)
            after[one.due.pk, issue] = one.after
    found: dict[tuple[int, str], list[Found]] = {}
    if not wanted:
        return found
    index = Index(wanted)
    for stored, document in news.after(min(after.values())):
        for key, match in index.match(document).items():
            if stored.pk > after[key]:
                found.setdefault(key, []).append(Found(stored, match))
    return found


def _issue(
    person: DueSubscriber,
    issue: str,
    opened: list[_Open],
    found: dict[tuple[int, str], list[Found]],
    taken: set[int],
    news: _News,
    key: bytes,
) -> Composed:
    sections = []
    for one in opened:
        chosen: Selection = select(found.get((one.due.pk, issue), ()), one.due.profile, taken)
        if chosen.entries or one.due.profile.send_empty:
            sections.append(ComposedSection(one.due, chosen.entries, chosen.matched))
    filled = any(section.entries for section in sections)
    empty_wanted = sections and opened[0].due.cadence is not Cadence.IMMEDIATE
    names = [one.due.profile.name for one in opened]
    return Composed(
        subscriber=person,
        advances=tuple(one.advance for one in opened),
        issue=issue,
        cadence=opened[0].due.cadence,
        edition_id=edition_id(key, person.pk, issue, names) if filled or empty_wanted else None,
        considered=len(news.after(min(one.after for one in opened))),
        sections=tuple(sections) if filled or empty_wanted else (),
    )
