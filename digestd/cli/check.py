"""`check` and `config`: is everything as it must be, and what is it?"""

from __future__ import annotations

import click

from digestd.cli.common import config_path, json_option, settings
from digestd.cli.output import table, tell, tell_json
from digestd.config import load
from digestd.errors import ConfigError
from digestd.publish.check import check_templates
from digestd.publish.wording import counted
from digestd.resources import shipped
from digestd.service import build
from digestd.subscribers.file import read_people


@click.command()
def check() -> None:
    """Validate the configuration, the subscribers file and its queries, and the templates. Changes nothing.

    \b
    Example:  digestd --config /etc/digestd/digestd.toml check
    """
    path = config_path()
    loaded = load(path)
    reading = read_people(loaded.subscribers, loaded)
    shown = check_templates(build.snapshot(loaded))
    build.signers(loaded)
    pages = build.pages(loaded)
    people = counted(len(reading.roster.people), "subscriber")
    profiles = counted(sum(len(person.profiles) for person in reading.roster.people), "profile")
    if reading.problems:
        raise ConfigError("\n".join(reading.problems))
    tell(f"{path}: sound; {people} with {profiles}; {len(shown)} sample mails and {len(pages)} page templates rendered")


@click.group()
def config() -> None:
    """The configuration.

    \b
    Example:  digestd config sample > digestd.toml
    """


@config.command()
@json_option
def dump(as_json: bool) -> None:
    """Print every key as it is in force, with secrets masked."""
    values = settings().dump()
    if as_json:
        tell_json(values)
        return
    rows = []
    for section, value in values.items():
        inner = value.items() if isinstance(value, dict) else ((None, value),)
        rows += [(f"{section}.{key}" if key else section, "" if one is None else one) for key, one in inner]
    table(("key", "value"), rows)


@config.command()
@click.option("--subscribers", is_flag=True, help="The subscribers file instead.")
def sample(subscribers: bool) -> None:
    """Print a commented configuration to begin with."""
    name = "subscribers.toml" if subscribers else "digestd.toml"
    tell(*(shipped("config") / name).read_text("utf-8").splitlines())
