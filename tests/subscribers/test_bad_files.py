"""A folder of bad subscribers files, each with the sentences expected of it; FILE stands for its path.

Whatever is wrong, nobody named in the file may be taken for somebody who was removed from it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.world import MONDAY

from digestd.config import Mail, Settings, Smtp
from digestd.match.query import parse_query
from digestd.model import SubscriberState
from digestd.store.open import SqliteStore
from digestd.subscribers.file import read_people

BAD = sorted(Path(__file__).with_name("bad").glob("*.toml"))
SETTINGS = Settings(smtp=Smtp(host="x"), mail=Mail(from_address="a@example.org"))
GOOD = """
[[subscriber]]
email = "ada@example.org"
  [[subscriber.profile]]
  name = "Birds"
  queries = ["bird", "egg"]
  [[subscriber.profile]]
  name = "Rivers"
  queries = ["river"]
[[subscriber]]
email = "ben@example.org"
  [[subscriber.profile]]
  name = "Eggs"
  queries = ["egg"]
"""


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_file_is_refused_in_the_expected_sentences(path: Path) -> None:
    said = "\n".join(read_people(path, SETTINGS).problems)
    assert said.replace(str(path), "FILE").splitlines() == path.with_suffix(".expected").read_text().splitlines()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_file_unsubscribes_nobody_whom_it_may_mean(path: Path, tmp_path: Path) -> None:
    (tmp_path / "people.toml").write_text(GOOD)
    store = SqliteStore(tmp_path / "digestd.db")
    store.subscribers.sync(read_people(tmp_path / "people.toml", SETTINGS).roster, MONDAY)
    before = store.subscribers.find("ada@example.org").subscriber
    store.subscribers.sync(read_people(path, SETTINGS).roster, MONDAY)
    ada = store.subscribers.find("ada@example.org").subscriber
    assert ada.state is SubscriberState.ACTIVE
    text = path.read_text()
    named_in_it = re.findall(r'name = "(Birds|Rivers)"', text)
    if named_in_it != ["Birds", "Birds"] and "same" not in path.stem:
        kept = [profile for profile in ada.profiles if profile.name == "Birds"]
        assert kept == [profile for profile in before.profiles if profile.name == "Birds"]
    store.close()


def test_profile_whose_name_cannot_be_told_keeps_all_that_person_has(tmp_path: Path) -> None:
    path = tmp_path / "people.toml"
    path.write_text(GOOD)
    store = SqliteStore(tmp_path / "digestd.db")
    store.subscribers.sync(read_people(path, SETTINGS).roster, MONDAY)
    path.write_text(GOOD.replace('name = "Birds"', "name = 7"))
    reading = read_people(path, SETTINGS)
    assert reading.roster.refused_people == {"ada@example.org"}
    store.subscribers.sync(reading.roster, MONDAY)
    profiles = store.subscribers.find("ada@example.org").subscriber.profiles
    assert [profile.name for profile in profiles] == ["Birds", "Rivers"]
    assert store.subscribers.find("ben@example.org").subscriber.state is SubscriberState.ACTIVE
    store.close()


def test_folder_without_files_removes_nobody(tmp_path: Path) -> None:
    reading = read_people(tmp_path, SETTINGS)
    assert reading.problems == (f"{tmp_path}: no *.toml file is in this folder",)
    assert not reading.roster.complete


def test_file_without_people_removes_everybody_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "people.toml"
    path.write_text("# nobody any more\n")
    reading = read_people(path, SETTINGS)
    assert (reading.problems, reading.roster.people, reading.roster.complete) == ((), (), True)


def test_query_as_it_is_kept_parses_as_it_was_read(tmp_path: Path) -> None:
    queries = ["caf\u0065\u0301 OR th\u200bé", "\ufeffbird", '"bird\t nest"', "=RAG"]
    path = tmp_path / "people.toml"
    path.write_text(
        '[[subscriber]]\nemail = "a@example.org"\n[[subscriber.profile]]\nname = "P"\nqueries = ['
        + ", ".join('"' + query.replace('"', '\\"').replace("\t", "\\t") + '"' for query in queries)
        + "]\n",
        "utf-8",
    )
    (person,) = read_people(path, SETTINGS).roster.people
    for kept, query in zip(person.profiles[0].queries, queries, strict=True):
        assert str(parse_query(kept.query)) == str(parse_query(query))
        assert kept.query.isprintable()
