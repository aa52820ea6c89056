"""`subscribers`: the people and their profiles."""

from __future__ import annotations

import json
from pathlib import Path

import click

from digestd.cli.common import json_option, rounds
from digestd.cli.output import as_json as dump_json
from digestd.cli.output import table
from digestd.config import address, timezone
from digestd.errors import DigestdError
from digestd.match.query import parse_query
from digestd.match.text import clean
from digestd.model import Cadence, Origin, Profile, Subscriber, SubscriberState, WeightedQuery
from digestd.store.base import StoredSubscriber
from digestd.store.subscribers import profile_of, spec_of

EMAIL = click.argument("email")


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
            click.echo(dump_json(_record(one)))
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
        click.echo(dump_json(_record(one)))
        return
    person = one.subscriber
    click.echo(f"{person.email}  {person.name}\n{person.state}, by {one.state_by}; {person.timezone}")
    for profile in person.profiles:
        hours = "at once" if profile.cadence is Cadence.IMMEDIATE else f"{profile.at:%H:%M} {' '.join(profile.days)}"
        click.echo(f"\n{profile.name}: {profile.cadence}, {hours}, up to {profile.max_papers} papers")
        for query in profile.queries:
            click.echo(f"  follows  {query.query}" + (f"  (weight {query.weight:g})" if query.weight != 1 else ""))
        for text in profile.alert:
            click.echo(f"  alerts   {text}")
        for text in profile.exclude:
            click.echo(f"  excludes {text}")


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
    click.echo(f"{checked} follows {profile.name}")


def _moved(email: str, state: SubscriberState, word: str) -> None:
    with rounds(sync=True) as (made, _):
        one = made.store.subscribers.set_state(email, state, Origin.OPERATOR, made.clock())
    click.echo(f"{one.subscriber.email} is {word}")


@subscribers.command()
@EMAIL
def pause(email: str) -> None:
    """Send nothing until `resume`; what was found meanwhile comes then."""
    _moved(email, SubscriberState.PAUSED, "paused")


@subscribers.command()
@EMAIL
def resume(email: str) -> None:
    """Send again."""
    _moved(email, SubscriberState.ACTIVE, "active")


@subscribers.command()
@EMAIL
def remove(email: str) -> None:
    """Unsubscribe a person; whatever waits for them is cancelled."""
    _moved(email, SubscriberState.UNSUBSCRIBED, "unsubscribed")


@subscribers.command("export")
def export() -> None:
    """Print everybody as JSON lines, which `import` reads."""
    with rounds(sync=True) as (made, _):
        for one in made.store.subscribers.all():
            click.echo(dump_json(_record(one)))


@subscribers.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_(file: Path) -> None:
    """Add the people of a file that `export` wrote. Whoever asked to leave stays away."""
    added, problems = 0, []
    with rounds(sync=True) as (made, _):
        for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1):
            if not line.strip():
                continue
            try:
                person = _person(line)
                made.store.subscribers.add(person, Origin.OPERATOR, made.clock())
                if person.state is not SubscriberState.ACTIVE:
                    made.store.subscribers.set_state(person.email, person.state, Origin.OPERATOR, made.clock())
                added += 1
            except (DigestdError, ValueError, KeyError, TypeError) as error:
                problems.append(f"{file}, line {number}: {error if str(error) else 'not a subscriber'}")
    click.echo(f"{added} people imported")
    if problems:
        raise DigestdError("\n".join(problems))


def _record(one: StoredSubscriber) -> dict[str, object]:
    """Return a subscriber as `export` writes it and `import` reads it."""
    person = one.subscriber
    return {
        "email": person.email,
        "name": person.name,
        "timezone": person.timezone,
        "state": person.state,
        "state_by": one.state_by,
        "origin": one.origin,
        "profiles": [{"name": profile.name, **json.loads(spec_of(profile))} for profile in person.profiles],
    }


def _person(line: str) -> Subscriber:
    record = json.loads(line)
    profiles = []
    for entry in record["profiles"]:
        profile = profile_of(clean(str(entry["name"])), line_spec(entry))
        for query in (*(one.query for one in profile.queries), *profile.exclude, *profile.alert):
            parse_query(query)
        timezone(profile.timezone)
        profiles.append(profile)
    state = SubscriberState(record.get("state", "active"))
    email, zone = address(record["email"]), timezone(record["timezone"])
    return Subscriber(email, clean(str(record.get("name", ""))), zone, tuple(profiles), state)


def line_spec(entry: dict[str, object]) -> str:
    """Return a profile's spec from an exported line: all but its name."""
    return json.dumps({key: value for key, value in entry.items() if key != "name"})
