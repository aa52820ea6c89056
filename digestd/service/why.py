"""Why a paper was, or was not, sent to a person: what each profile makes of it, and what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from digestd.match.document import analyse
from digestd.match.wanted import QueryReport, Report, explain
from digestd.model import Entry, Place, StoredPaper, SubscriberState
from digestd.publish.compose import wanted
from digestd.publish.stage import FIRST_LOOK
from digestd.store.base import LedgerRow, OutboxRow, Store, StoredSubscriber


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What one cadence of a profile makes of the paper.

    `looked` tells whether it has come to the paper yet, `too_old` that it never will: its first issue is still to
    come, and does not go back so far.
    """

    profile: str
    cadence: str
    looked: bool
    too_old: bool
    report: Report


@dataclass(frozen=True, slots=True)
class Why:
    """The whole answer. `entry`, `edition` and `ledger` are there for a paper that was put into an edition."""

    subscriber: str
    state: SubscriberState
    paper: str
    title: str
    ingested_at: datetime
    profiles: tuple[ProfileView, ...]
    entry: Entry | None
    edition: OutboxRow | None
    ledger: tuple[LedgerRow, ...]

    @property
    def conclusion(self) -> str:
        """The answer in one sentence."""
        if self.edition is not None and self.entry is not None:
            how = "as a card" if self.entry.place is Place.CARD else "by its title, past the profile's cap"
            return f"It is in the edition {self.edition.issue}, {how}; that edition is {self.edition.state}."
        hits = [view for view in self.profiles if view.report.match is not None]
        if not self.profiles:
            return "It was not sent: this person has no profile."
        if not hits:
            return "It was not sent: no profile matches it."
        if self.state is not SubscriberState.ACTIVE:
            return f"It matches, but was not sent: this person is {self.state}."
        if all(view.too_old for view in hits):
            return f"It matches, but is too old: a first issue goes back {FIRST_LOOK.days} days."
        if all(view.looked or view.too_old for view in hits):
            return (
                "It matches now, but was not sent: when its issue was composed the profile was another one, the"
                " paper was too old for a first issue, or it stood past the cap and past the list of titles."
            )
        return "It matches, and will be in the next edition."

    def sentences(self) -> Iterator[str]:
        """Yield the answer in lines for a person."""
        yield self.conclusion
        for view in self.profiles:
            report = view.report
            verdict = "matches" if report.match else "does not match"
            yield f"\n{view.profile} ({view.cadence}) {verdict}, score {report.score:g}"
            yield from (f"  {_query(query)}" for query in report.queries)
            yield from (f"  left out by the exclusion {text}" for text in report.excluded_by)
            if report.score < report.min_score:
                yield f"  below the profile's min_score of {report.min_score:g}"
        if self.edition is not None:
            yield f"\nEdition {self.edition.edition_id[:12]} ({self.edition.issue}) is {self.edition.state}"
            for line in self.ledger:
                yield f"  {line.at:%Y-%m-%d %H:%M:%S} attempt {line.attempt}: {line.state} {line.reply}"


def why(store: Store, person: StoredSubscriber, paper: StoredPaper, now: datetime) -> Why:
    """Return why a paper was, or was not, sent to a person, as things stand at `now`."""
    document = analyse(paper.paper)
    first = store.papers.first_since(now - FIRST_LOOK)
    views = []
    for due in store.editions.profiles_of(person.pk).profiles:
        report = explain(wanted(due.profile, due.cadence), document)
        looked = due.horizon is not None and paper.pk <= due.horizon
        too_old = due.horizon is None and paper.pk < first
        views.append(ProfileView(due.profile.name, due.cadence, looked, too_old, report))
    announced = store.editions.announcement(person.pk, paper.pk)
    row, ledger = store.outbox.row(str(announced[0])) if announced else (None, [])
    return Why(
        subscriber=person.subscriber.email,
        state=person.subscriber.state,
        paper=paper.paper.id,
        title=paper.paper.title,
        ingested_at=paper.ingested_at,
        profiles=tuple(views),
        entry=announced[1] if announced else None,
        edition=row,
        ledger=tuple(ledger),
    )


def _query(query: QueryReport) -> str:
    if query.spans is None:
        return f"no   {query.query}"
    where = ", ".join(f"{field} +{points:.2f}" for field, points in query.parts.items())
    weight = f" × weight {query.weight:g}" if query.weight != 1 else ""
    return f"yes  {query.query}: {where}{weight}"
