"""Why a paper was, or was not, sent to a person: what each profile makes of it, and what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from digestd.match import learn, rank
from digestd.match.document import analyse
from digestd.match.wanted import QueryReport, Report, explain
from digestd.model import Cadence, Entry, Paper, Place, StoredPaper, SubscriberState
from digestd.publish.compose import wanted
from digestd.publish.stage import FIRST_LOOK
from digestd.store.base import LedgerRow, OutboxRow, PlacedSection, Store, StoredSubscriber


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What one cadence of a profile makes of the paper.

    `looked` tells whether it has come to the paper yet, `too_old` that it never will: its first issue is still to
    come, and does not go back so far. `then` is the part that the profile had in the first
    edition after the paper came.
    """

    profile: str
    cadence: str
    looked: bool
    too_old: bool
    report: Report
    then: PlacedSection | None

    def past(self, paper: Paper) -> str:
        """Say why it was not sent although the profile, as it is now, matches it and has come past it."""
        if self.then is None:
            return "no edition was composed after it came: the profile was another one, or it was too old for the first"
        profile, issue = self.then.profile, self.then.issue
        report = explain(wanted(profile, Cadence(self.cadence)), analyse(paper))
        if report.match is None:
            return f"the profile was another one when {issue} was composed, and did not match it"
        if self.then.placed < self.then.matched:
            return (
                f"in {issue} it stood past the cap and past the list of titles: {self.then.matched} papers matched,"
                f" {self.then.placed} were named"
            )
        return f"in {issue} it was not among the papers looked at: it was too old for a first issue, or came as another"


@dataclass(frozen=True, slots=True)
class Why:
    """The whole answer. `entry`, `edition` and `ledger` are there for a paper that was put into an edition.

    `moved` are the words by which the reader's leaning would move the paper now.
    """

    subscriber: str
    state: SubscriberState
    paper: str
    title: str
    ingested_at: datetime
    profiles: tuple[ProfileView, ...]
    entry: Entry | None
    edition: OutboxRow | None
    ledger: tuple[LedgerRow, ...]
    section: PlacedSection | None
    stored: StoredPaper
    moved: learn.Moves

    @property
    def conclusion(self) -> str:
        """The answer in one sentence."""
        if self.edition is not None and self.entry is not None:
            how = {
                Place.CARD: "as a card",
                Place.TITLE: "by its title, past the profile's cap",
                Place.FOLDED: f"folded as a near-copy into the card of “{self.section.card if self.section else ''}”",
            }[self.entry.place]
            return f"It is in the edition {self.edition.issue}, {how}; that edition is {self.edition.state}."
        hits = [view for view in self.profiles if view.report.match is not None]
        if not self.profiles:
            return "It was not sent: this person has no profile."
        if not hits:
            return f"It was not sent: {self._nearest()}."
        if self.state is not SubscriberState.ACTIVE:
            return f"It matches, but was not sent: this person is {self.state}."
        if all(view.too_old for view in hits):
            return f"It matches, but is too old: a first issue goes back {FIRST_LOOK.days} days."
        if all(view.looked or view.too_old for view in hits):
            return f"It matches now, but was not sent: {hits[0].past(self.stored.paper)}."
        return "It matches, and will be in the next edition."

    def _nearest(self) -> str:
        """Say what keeps it from the profile that comes nearest to it."""
        for view in self.profiles:
            if view.report.score and view.report.excluded_by:
                return f"the exclusion {view.report.excluded_by[0]} of {view.profile} leaves it out"
        for view in self.profiles:
            if view.report.score:
                least = view.report.min_score
                return f"its score of {view.report.score:g} is below the min_score of {view.profile}, {least:g}"
        return "no profile matches it"

    def sentences(self) -> Iterator[str]:
        """Yield the answer in lines for a person."""
        yield self.conclusion
        for view in self.profiles:
            report = view.report
            verdict = "matches" if report.match else "does not match"
            yield ""
            yield f"{view.profile} ({view.cadence}) {verdict}, score {report.score:.2f}"
            yield from (f"  {_query(query)}" for query in report.queries)
            yield from (f"  left out by the exclusion {text}" for text in report.excluded_by)
            if report.score < report.min_score:
                yield f"  below the profile's min_score of {report.min_score:g}"
        if self.entry is None and self.moved:
            yield ""
            yield f"For this reader it would be moved {_moved(self.moved)}"
        if self.edition is not None:
            yield from self._standing()
            yield ""
            yield f"Edition {self.edition.edition_id[:12]} ({self.edition.issue}) is {self.edition.state}"
            for line in self.ledger:
                yield f"  {line.at:%Y-%m-%d %H:%M:%S} attempt {line.attempt}: {line.state} {line.reply}"

    def _standing(self) -> Iterator[str]:
        """Yield what the paper's place in the edition went by."""
        if self.entry is None or self.section is None or not self.entry.standing:
            return
        there, looked = self.section, self.section.looked
        yield ""
        yield f"It stood there by {self.entry.standing:.2f} (docs/matching.md)"
        for query in explain(wanted(there.profile, _cadence(there.issue)), analyse(self.entry.paper)).queries:
            if query.spans is not None:
                hits = there.hits.get(query.query, 0)
                rare = rank.rarity(hits, looked)
                yield f"  {query.query}: {query.score:.2f} × rarity {rare:.2f}, it hits {hits} of {looked} papers"
        yield f"  all × {rank.merit(replace(self.stored, paper=self.entry.paper)):.2f} for votes and freshness"
        if self.entry.moved:
            yield f"  moved {_moved(self.entry.moved)}"


def why(store: Store, person: StoredSubscriber, paper: StoredPaper, now: datetime, *, learning: bool = True) -> Why:
    """Return why a paper was, or was not, sent to a person, as things stand at `now`."""
    document = analyse(paper.paper)
    first = store.papers.first_since(now - FIRST_LOOK)
    views = []
    for due in store.editions.profiles_of(person.pk).profiles:
        report = explain(wanted(due.profile, due.cadence), document)
        looked = due.horizon is not None and paper.pk <= due.horizon
        too_old = due.horizon is None and paper.pk < first
        then = store.sections.after(due.pk, due.cadence, paper.ingested_at)
        views.append(ProfileView(due.profile.name, due.cadence, looked, too_old, report, then))
    announced = store.editions.announcement(person.pk, paper.pk)
    leaning = store.leanings.of([person.pk]).get(person.pk) if learning else None
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
        section=store.sections.of(person.pk, paper.pk),
        stored=paper,
        moved=learn.moves(leaning.faded(now), document.keys) if leaning else (),
    )


def _cadence(issue: str) -> Cadence:
    return Cadence(issue.partition(":")[0])


def _moved(by: learn.Moves) -> str:
    return f"{learn.told(by)}: × {2 ** learn.lean(by):.2f}"


def _query(query: QueryReport) -> str:
    if query.spans is None:
        return f"no   {query.query}"
    where = ", ".join(f"{field} +{points:.2f}" for field, points in query.parts.items())
    weight = f" × weight {query.weight:g}" if query.weight != 1 else ""
    return f"yes  {query.query}: {where}{weight}"
