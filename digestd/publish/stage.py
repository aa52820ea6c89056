"""Publish: due issues → editions → outbox.

Subscribers are taken in batches; each batch is composed in memory and written in one transaction, in which
every profile's progress moves on only from where it was read. A publisher that loses that race, or dies before
the commit, leaves the issue due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from digestd.match.fold import NEAR
from digestd.match.learn import Term
from digestd.model import Cadence, Edition, LeftOut, Reader, Section, Snapshot
from digestd.publish.alerts import FEW, Warm
from digestd.publish.compose import select, wanted
from digestd.publish.due import AT_ONCE, AlertRules, Hours, Standing, decide
from digestd.publish.news import Findings, News
from digestd.publish.schedule import day_of, following
from digestd.publish.tokens import edition_id, unsubscribe_token
from digestd.store.base import Advance, Announced, Composed, ComposedSection, DueProfile, DueSubscriber, Store

BATCH = 1_000  # subscribers composed and committed together: bounds memory and the time the write lock is held
TOGETHER = 5_000  # profiles passed over together: tens of milliseconds with the write lock
FIRST_LOOK = timedelta(days=7)  # how far back a new subscriber's first issue goes
QUIET = timedelta(days=1)  # without a paper; a digest that is short says since when


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was composed: `editions` written, and the `papers` in them, each counted once for each edition."""

    editions: int = 0
    papers: int = 0


class _Open(NamedTuple):
    """A profile's issue that is to be composed, the paper it begins after, and when: now, or at a coming hour."""

    due: DueProfile
    issue: str
    after: int
    at: datetime
    advance: Advance


class _Issue(NamedTuple):
    """The open profiles that make one edition of one subscriber."""

    person: DueSubscriber
    opened: tuple[_Open, ...]

    @property
    def key(self) -> str:
        return self.opened[0].issue

    @property
    def at(self) -> datetime:
        return self.opened[0].at

    @property
    def cadence(self) -> Cadence:
        return self.opened[0].due.cadence


def publish(
    store: Store,
    snapshot: Snapshot,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    warm: Warm | None = None,
    rules: AlertRules = AT_ONCE,
    near: float = NEAR,
    *,
    learning: bool = True,
) -> PublishReport:
    """Compose and store every edition that is due. `progress` is told the subscribers of each batch.

    `stop` is asked before each batch; once it says yes, what is left stays due. `warm` is what an earlier call
    has compiled of immediate profiles; papers whose abstracts overlap by `near` are near-copies; without `learning`
    no order is moved by what readers wanted more and less of.
    """
    now = _kept(now)
    news = _news(store, now, near)
    _pass_over(store, news, warm or Warm())
    key, kept = store.editions.key(), ""
    editions = papers = 0
    while not (stop and stop()) and (batch := store.editions.due(now, news.newest, BATCH)):
        idle, issues = _due(store, batch, news, now, rules)
        composed = idle + _compose(store, news, issues, key, rules, now if learning else None)
        kept = kept or store.editions.keep(snapshot)
        written = store.editions.save(composed, kept, now)
        editions += written.editions
        papers += written.papers
        if not written.issues:
            break  # another publisher is at it; what it leaves is due at the next tick
        if progress:
            progress(len(batch))
    return PublishReport(editions, papers)


def preview(
    store: Store,
    subscriber: int,
    now: datetime,
    near: float = NEAR,
    rules: AlertRules = AT_ONCE,
    *,
    learning: bool = True,
) -> list[Edition]:
    """Return the next editions of a subscriber as the papers of now would make them. Changes nothing.

    Those that are due come first, then those to come, dated at their hour.
    """
    now = _kept(now)
    person = store.editions.profiles_of(subscriber)
    news, key = _news(store, now, near), store.editions.key()
    issues = _grouped(person, [_next(person, due, news, now) for due in person.profiles])
    token = unsubscribe_token(key, person.pk, person.email)
    reader = Reader(person.email, person.name, person.timezone, token)
    return [
        Edition(
            id=one.edition_id,
            issue=one.issue,
            cadence=one.cadence,
            composed_at=issue.at,
            reader=reader,
            sections=tuple(
                Section(
                    section.due.profile.name,
                    tuple(entry for _, entry in section.entries),
                    section.matched,
                    section.left_out,
                )
                for section in one.sections
            ),
            considered=one.considered,
            quiet_since=one.quiet_since,
            already=store.editions.revisions(one.already),
        )
        for issue, one in zip(issues, _compose(store, news, issues, key, rules, now if learning else None), strict=True)
        if one.edition_id
    ]


def _news(store: Store, now: datetime, near: float) -> News:
    papers, last = store.papers, store.notices.newest()
    quiet_since = last if last and now - last >= QUIET else None
    return News(papers.between, papers.newest(), lambda: papers.first_since(now - FIRST_LOOK) - 1, near, quiet_since)


def _pass_over(store: Store, news: News, warm: Warm) -> None:
    """Let the many immediate profiles that no new paper hits have looked at it."""
    waiting = store.alerts.waiting(news.newest)
    if len(waiting) < FEW:
        return
    warm.hold((one.spec for one in waiting), store.alerts.profiles)
    hits = warm.newest_hits(news.documents(min(one.horizon for one in waiting)))
    # One that was hit at its horizon and not since was told of it: to compose it again would find nothing.
    idle = [one for one in waiting if hits.get(one.spec, 0) <= one.horizon]
    for first in range(0, len(idle), TOGETHER):
        store.alerts.pass_over(idle[first : first + TOGETHER], news.newest)


def _kept(now: datetime) -> datetime:
    """Return the moment in whole milliseconds, as the store keeps it.

    Were it rounded up there, an issue could be due to the store and not yet to the schedule, for ever.
    """
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _due(
    store: Store, batch: Sequence[DueSubscriber], news: News, now: datetime, rules: AlertRules
) -> tuple[list[Composed], list[_Issue]]:
    """Return the mere steps of progress of a batch, and its open issues."""
    idle: list[Composed] = []
    issues: list[_Issue] = []
    for person, hours in _hours(store, batch, now):
        opened: list[_Open] = []
        for due in person.profiles:
            standing = Standing(due.issue, due.due_at)
            decision = decide(due.profile, due.cadence, standing, news.newest, hours, rules, now)
            if decision.issue is not None:
                opened.append(_opened(due, decision.issue, decision.again_at, news, now))
            else:
                step = Advance(due.pk, due.cadence, due.issue, due.issue, due.horizon, decision.again_at)
                idle.append(Composed(person, (step,), due.issue or "", due.cadence, None, 0, ()))
        issues += _grouped(person, opened)
    return idle, issues


def _hours(store: Store, batch: Sequence[DueSubscriber], now: datetime) -> Iterator[tuple[DueSubscriber, Hours]]:
    """Yield each person with their day: the alerts in it are counted for those who may get another one."""
    alerted = {
        person.pk: day_of(person.timezone, now)[0]
        for person in batch
        for due in person.profiles
        if due.cadence is Cadence.IMMEDIATE
    }
    counts = store.editions.alerts_since(alerted)
    for person in batch:
        yield person, Hours(person.timezone, person.quiet_hours, counts.get(person.pk, 0))


def _next(person: DueSubscriber, due: DueProfile, news: News, now: datetime) -> _Open:
    """Return the issue of a profile that is open now, or else the one to come."""
    decision = decide(
        due.profile, due.cadence, Standing(due.issue, now), news.newest, Hours(person.timezone), AT_ONCE, now
    )
    if decision.issue is not None:
        return _opened(due, decision.issue, None, news, now)
    coming = following(due.profile, now)
    while due.issue is not None and coming.issue <= due.issue:  # the clock was ahead, or the time zone is another
        coming = following(due.profile, coming.at)
    return _opened(due, coming.issue, None, news, coming.at)


def _opened(due: DueProfile, issue: str, coming: datetime | None, news: News, at: datetime) -> _Open:
    after = news.first if due.horizon is None else due.horizon
    return _Open(due, issue, after, at, Advance(due.pk, due.cadence, due.issue, issue, news.newest, coming))


def _grouped(person: DueSubscriber, opened: Sequence[_Open]) -> list[_Issue]:
    """Return a person's issues, alerts first, so that the digest of the same moment does not repeat them."""
    if len(opened) == 1:
        return [_Issue(person, tuple(opened))]
    groups: dict[tuple[str, datetime], list[_Open]] = {}
    for one in opened:
        groups.setdefault((one.issue, one.at), []).append(one)
    issues = (_Issue(person, tuple(group)) for group in groups.values())
    return sorted(issues, key=lambda issue: (issue.cadence is not Cadence.IMMEDIATE, issue.at))


def _compose(
    store: Store,
    news: News,
    issues: Sequence[_Issue],
    key: bytes,
    rules: AlertRules,
    learned_until: datetime | None,
) -> list[Composed]:
    after = min((one.after for issue in issues for one in issue.opened), default=news.newest)
    people = list({issue.person.pk for issue in issues})
    told = store.editions.announced(people, after)
    leanings = store.leanings.of(people) if learned_until else {}
    terms = {pk: leaning.faded(learned_until) for pk, leaning in leanings.items() if learned_until}
    return [
        _composed(issue, told[issue.person.pk], news, key, rules, terms.get(issue.person.pk, ())) for issue in issues
    ]


def _composed(
    issue: _Issue, told: dict[int, Announced], news: News, key: bytes, rules: AlertRules, terms: Sequence[Term]
) -> Composed:
    """Return an issue as composed; what it announces is added to `told` where that person has another profile."""
    person, cadence = issue.person, issue.cadence
    is_digest = cadence is not Cadence.IMMEDIATE  # an alert has something to say, or is none
    sections = []
    already: dict[int, int] = {}
    considered = 0
    for one in issue.opened:
        due, profile = one.due, one.due.profile
        findings = news.findings(wanted(profile, cadence), one.after)
        alerted = _alerted(one, findings, told) if told else {}
        left_out = findings.left_out(told, alerted) if is_digest else LeftOut()
        already |= alerted
        considered = max(considered, findings.looked)
        moves = partial(news.moves, terms) if terms and profile.learning else None
        chosen = select(findings.found, profile, told, news.near, moves)
        if len(person.profiles) > 1:  # the next one does not repeat them
            told.update((paper.pk, Announced(paper.revision, cadence, due.pk)) for paper, _ in chosen.entries)
        if chosen.entries or (is_digest and profile.send_empty):
            sections.append(
                ComposedSection(due, chosen.entries, chosen.matched, findings.looked, findings.hits, left_out)
            )
    names = [one.due.profile.name for one in issue.opened]
    advances = tuple([one.advance for one in issue.opened])
    if not (is_digest or sections):  # nothing was sent that an interval could follow
        advances = tuple(advance._replace(due_at=None) for advance in advances)
    return Composed(
        subscriber=person,
        advances=advances,
        issue=issue.key,
        cadence=cadence,
        edition_id=edition_id(key, person.pk, issue.key, names) if sections else None,
        considered=considered,
        sections=tuple(sections),
        already=tuple(already[pk] for pk in sorted(already, reverse=True)) if rules.listed and is_digest else (),
        quiet_since=news.quiet_since if is_digest else None,
    )


def _alerted(one: _Open, findings: Findings, told: Mapping[int, Announced]) -> dict[int, int]:
    """Return the revisions, by paper, that came as alerts and so do not stand in a profile's digest.

    They are those it found itself since its last digest, and those that it finds and another profile was told of.
    """
    alerts = {pk: by for pk, by in told.items() if pk > one.after and by.cadence is Cadence.IMMEDIATE}
    found = {each.stored.pk for each in findings.found} if alerts else set()
    return {pk: by.revision for pk, by in alerts.items() if by.profile == one.due.pk or pk in found}
