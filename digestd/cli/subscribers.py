"""`subscribers`: the people and their profiles."""

from __future__ import annotations

import itertools
from datetime import datetime, time
from typing import BinaryIO
from zoneinfo import ZoneInfo

import click

from digestd.cli.common import fail_unless, json_option, rounds
from digestd.cli.output import progress, say, table, tell, tell_json
from digestd.config import address, timezone
from digestd.errors import DigestdError
from digestd.ingest.inbox import shown
from digestd.match.query import parse_query
from digestd.match.text import clean
from digestd.model import Cadence, Origin, Profile, Subscriber, SubscriberState, WeightedQuery
from digestd.publish.schedule import instant
from digestd.publish.wording import counted
from digestd.service import hand
from digestd.subscribers.exchange import NotAPerson, person_of, record_of

EMAIL = click.argument("email")
BATCH = 500  # people of one transaction of `import`


@click.group()
def subscribers() -> None:
    """People and their profiles.

    \b
    Example:  digestd subscribers add ada@example.org --query '"language agent"'
    """


@subscribers.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List everybody, by address."""
    with rounds(sync=True) as (made, _):
        people = list(made.store.subscribers.all())
    if as_json:
        for one in people:
            tell_json(record_of(one))
        return
    table(
        ("address", "name", "state", "time zone", "profiles"),
        (
            (
                one.subscriber.email,
                one.subscriber.name,
                one.subscriber.state.value,
                one.subscriber.timezone,
                ", ".join(f"{profile.name} ({profile.cadence})" for profile in one.subscriber.profiles),
            )
            for one in people
        ),
    )


@subscribers.command()
@EMAIL
@json_option
def show(email: str, as_json: bool) -> None:
    """Show one person and every profile, whole."""
    with rounds(sync=True) as (made, _):
        one = made.store.subscribers.find(email)
    if as_json:
        tell_json(record_of(one))
        return
    person = one.subscriber
    until = f" until {one.paused_until.astimezone(ZoneInfo(person.timezone)):%Y-%m-%d}" if one.paused_until else ""
    quiet = f"; quiet {person.quiet_hours}" if person.quiet_hours else ""
    tell(f"{person.email}  {person.name}", f"{person.state}{until}, by {one.state_by}; {person.timezone}{quiet}")
    for profile in person.profiles:
        hours = "at once" if profile.cadence is Cadence.IMMEDIATE else f"{profile.at:%H:%M} {' '.join(profile.days)}"
        tell("", f"{profile.name}: {profile.cadence}, {hours}, up to {counted(profile.max_papers, 'paper')}")
        for query in profile.queries:
            tell(f"  follows  {query.query}" + (f"  (weight {query.weight:g})" if query.weight != 1 else ""))
        for text in profile.alert:
            tell(f"  alerts   {text}")
        for text in profile.exclude:
            tell(f"  excludes {text}")


@subscribers.command()
@EMAIL
@click.option("--query", "queries", multiple=True, required=True, help="A query to follow; repeat it for more.")
@click.option("--name", default="", help="The person's name.")
@click.option("--profile", "profile_name", default="Papers", show_default=True, help="The profile's name.")
@click.option("--timezone", "zone", help="IANA time zone. Default: schedule.timezone.")
@click.option("--cadence", type=click.Choice([str(one) for one in Cadence]), default="daily", show_default=True)
def add(email: str, queries: tuple[str, ...], name: str, profile_name: str, zone: str | None, cadence: str) -> None:
    """Add a person, or a profile to one who is there."""
    with rounds(sync=True) as (made, _):
        for query in queries:
            parse_query(query)
        try:
            checked, where = address(email), timezone(zone or made.settings.schedule.timezone)
        except ValueError as error:
            raise DigestdError(str(error)) from None
        profile = Profile(
            clean(profile_name),
            tuple(WeightedQuery(query) for query in queries),
            cadence=Cadence(cadence),
            timezone=where,
            max_papers=made.settings.matching.max_papers,
            min_score=made.settings.matching.min_score,
        )
        person = Subscriber(checked, clean(name), where, (profile,))
        made.store.subscribers.add(person, Origin.OPERATOR, made.clock())
    tell(f"{checked} follows {profile.name}")


def _moved(email: str, word: str) -> None:
    with rounds(sync=True) as (made, _):
        one = hand.move(made.store, email, word, made.clock())
    tell(f"{one.subscriber.email} is {hand.MOVES[word][1]}")


@subscribers.command()
@EMAIL
@click.option(
    "--until",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day, in that person's time zone, on which mail comes again. Default: `resume` ends the pause.",
)
def pause(email: str, day: datetime | None) -> None:
    """Send nothing for a while; one edition afterwards holds what was found meanwhile.

    \b
    Example:  digestd subscribers pause ada@example.org --until 2026-12-27
    """
    if day is None:
        _moved(email, "pause")
        return
    with rounds(sync=True) as (made, _):
        zone = ZoneInfo(made.store.subscribers.find(email).subscriber.timezone)
        until, now = instant(day.date(), time.min, zone), made.clock()
        if until <= now:
            raise DigestdError(f"{day:%Y-%m-%d} has begun already for {email} ({zone.key}); name a later day")
        one = made.store.subscribers.set_state(email, SubscriberState.PAUSED, Origin.OPERATOR, now, until)
    tell(f"{one.subscriber.email} is paused until {day:%Y-%m-%d}")


@subscribers.command()
@EMAIL
def resume(email: str) -> None:
    """Send again."""
    _moved(email, "resume")


@subscribers.command()
@EMAIL
def remove(email: str) -> None:
    """Unsubscribe a person; whatever waits for them is cancelled."""
    _moved(email, "remove")


@subscribers.command()
@EMAIL
@click.option("--on/--off", "active", default=None, help="Let it move the order of their papers, or not.")
@click.option("--reset", is_flag=True, help="Forget what they said and what was learned of it.")
@json_option
def learned(email: str, active: bool | None, reset: bool, as_json: bool) -> None:
    """Show what "more like this" and "less like this" have taught of a person.

    \b
    Example:  digestd subscribers learned ada@example.org --reset
    """
    with rounds(sync=True) as (made, _):
        one, now = made.store.subscribers.find(email), made.clock()
        if active is not None:
            made.store.leanings.switch(one.pk, now, active=active)
        if reset:
            made.store.leanings.reset(one.pk)
        said = made.store.leanings.said(one.pk)
        terms = said.leaning.faded(now) if said.leaning else ()
        enabled = said.active and made.settings.matching.learning
    if as_json:
        words = {term.word: term.weight for term in terms}
        tell_json({"email": one.subscriber.email, "on": enabled, "opinions": said.opinions, "words": words})
        return
    papers, moves = counted(said.opinions, "paper"), "moves" if enabled else "does not move"
    tell(f"{one.subscriber.email} said more or less of {papers}, which {moves} the order of theirs")
    table(("word", "weight"), ((term.word, f"{term.weight:+.2f}") for term in terms))


@subscribers.command("export")
def export() -> None:
    """Print everybody as JSON lines, which `import` reads."""
    with rounds(sync=True) as (made, _), progress("people", beside_output=True) as step:
        for one in made.store.subscribers.all():
            tell_json(record_of(one))
            step(1)


@subscribers.command("import")
@click.argument("file", type=click.File("rb"))
def import_(file: BinaryIO) -> None:
    """Take over the people of a FILE that `export` wrote, each as they were: state, who set it, profiles.

    Of a person who is known already, only profiles they lack are added, and a wish to leave is taken over. People
    who came from a subscribers file still belong to it: bring that file along, or they leave with its next reading.

    \b
    Example:  digestd subscribers import people.jsonl
    """
    fine, count, added = True, 0, 0
    with rounds(sync=True) as (made, _), progress("people") as step:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        while batch := list(itertools.islice(lines, BATCH)):
            people = []
            for number, line in batch:
                try:
                    people.append(person_of(line))
                except NotAPerson as error:
                    say(f"{shown(file.name)}, line {number}: {error}")
                    fine = False
            added += made.store.subscribers.restore(people, made.clock())
            count += len(people)
            step(len(batch))
    tell(f"{counted(count, 'subscriber')} imported, {added:,} of them new")
    fail_unless(fine)
