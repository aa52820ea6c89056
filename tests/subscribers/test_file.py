"""The subscribers file: each mistake with its place, and nobody else pays for it."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from digestd.config import Mail, Matching, Schedule, Settings, Smtp
from digestd.model import Cadence, Weekday
from digestd.subscribers.file import Reading, read_people

PERSON = '[[subscriber]]\nemail = "{}"\n'
PROFILE = '[[subscriber.profile]]\nname = "{}"\nqueries = ["robot"]\n'
SETTINGS = Settings(smtp=Smtp(host="x"), mail=Mail(from_address="a@example.org"))


def reading(tmp_path: Path, text: str) -> Reading:
    path = tmp_path / "people.toml"
    path.write_text(text)
    return read_people(path, SETTINGS)


def test_read_people_sample_is_sound() -> None:
    found = read_people(Path(__file__).parents[2] / "config" / "subscribers.toml", SETTINGS)
    assert found.problems == ()
    assert [person.name for person in found.roster.people] == ["Ada", "Ben", "Chen Wei"]
    ada = found.roster.people[0].profiles[0]
    assert (ada.timezone, ada.at.hour, ada.max_papers, ada.queries[2].weight) == ("Europe/London", 8, 20, 2.0)
    chen = found.roster.people[2].profiles[0]
    assert (chen.cadence, chen.days) == (Cadence.WEEKLY, (Weekday.MON,))


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ('queries = ["robot AND"]', "line 5, column 22: the query 'robot AND'"),
        ("queries = ['\"never closed']", "line 5, column 13"),
        ('queries = [{query = "(a", weight = 2}]', "line 5, column 22: the query '(a': this bracket is never closed"),
        ('queries = ["ok"]\nexclude = ["NOT x"]', "line 6, column 13"),
        ('queries = ["ok"]\nalert = ["titel:x"]', "did you mean title"),
        ("queries = []", "has no queries"),
        ('queries = ["ok"]\ncadence = "hourly"', "line 6, column 11: cadence: input should be 'immediate', 'daily' or 'weekly'"),  # noqa: E501
        ('queries = ["ok"]\ndays = [1]', "line 6, column 9: days.0: input should be 'mon'"),
        ('queries = ["ok"]\nat = "25:00"', "line 6, column 6: at: '25:00' is not an hour"),
        ('queries = ["ok"]\nmax_paper = 3', "line 6, column 1: max_paper is not a known key; did you mean max_papers?"),
        ('queries = ["ok"]\nmin_score = nan', "min_score"),
        ('queries = "ok"', "queries: expected a list, in brackets"),
        ('queries = [{query = "ok", weight = -1}]', "greater than 0"),
    ],
)  # fmt: skip
def test_read_people_profile_with_a_mistake_is_refused_alone(tmp_path: Path, profile: str, problem: str) -> None:
    text = (
        PERSON.format("ada@example.org") + f'[[subscriber.profile]]\nname = "Bad"\n{profile}\n' + PROFILE.format("Good")
    )
    found = reading(tmp_path, text)
    (said,) = found.problems
    assert problem in said
    assert said.startswith(str(tmp_path / "people.toml"))
    assert [one.name for one in found.roster.people[0].profiles] == ["Good"]
    assert found.roster.refused_profiles == {"ada@example.org": {"Bad"}}
    assert found.roster.complete


def test_read_people_person_with_a_mistake_keeps_what_they_had(tmp_path: Path) -> None:
    text = PERSON.format("Ada@example.org") + 'timezone = "Mars/Base"\n' + PERSON.format("ben@example.org")
    found = reading(tmp_path, text)
    assert "is not a time zone" in found.problems[0]
    assert found.roster.refused_people == {"ada@example.org"}
    assert ([person.email for person in found.roster.people], found.roster.complete) == (["ben@example.org"], True)


def test_read_people_entry_of_nobody_known_removes_nobody(tmp_path: Path) -> None:
    found = reading(tmp_path, PERSON.format("nobody") + PERSON.format("ben@example.org"))
    assert "line 2, column 9: email: 'nobody' is not an e-mail address" in found.problems[0]
    assert not found.roster.complete


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[subscriber]\n", "not valid TOML"),
        ('[subscriber]\nemail = "a@example.org"\n', "write [[subscriber]], with two brackets"),
        ("subscriber = [1]\n", "expected a table"),
    ],
)
def test_read_people_file_that_cannot_be_understood_removes_nobody(tmp_path: Path, text: str, problem: str) -> None:
    found = reading(tmp_path, text)
    assert problem in found.problems[0]
    assert not found.roster.complete


def test_read_people_doubles_and_unknown_tables_are_said(tmp_path: Path) -> None:
    text = (
        "extra = 1\n"
        + (PERSON.format("a@example.org") + PROFILE.format("P") + PROFILE.format("P"))
        + PERSON.format("A@example.org")
    )
    found = reading(tmp_path, text)
    assert len(found.problems) == 3
    assert any("stands twice" in problem for problem in found.problems)
    assert any("a second profile named 'P'" in problem for problem in found.problems)
    assert any("extra is not a known key" in problem for problem in found.problems)


def test_read_people_folder_is_read_by_name(tmp_path: Path) -> None:
    for name, email in (("b.toml", "b@example.org"), ("a.toml", "a@example.org"), ("x.txt", "no@example.org")):
        (tmp_path / name).write_text(PERSON.format(email))
    found = read_people(tmp_path, SETTINGS)
    assert [person.email for person in found.roster.people] == ["a@example.org", "b@example.org"]


def test_read_people_file_that_is_missing_removes_nobody(tmp_path: Path) -> None:
    found = read_people(tmp_path / "none.toml", SETTINGS)
    assert "cannot be read: No such file or directory" in found.problems[0]
    assert not found.roster.complete


def test_read_people_hostile_names_are_cleaned(tmp_path: Path) -> None:
    text = PERSON.format("a@example.org") + 'name = "a\\r\\nBcc: x\\u202e"\n' + PROFILE.format("p\\u0000q")
    (person,) = reading(tmp_path, text).roster.people
    assert (person.name, person.profiles[0].name) == ("a Bcc: x", "pq")


def test_read_people_sound_profile_takes_what_it_leaves_out_from_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "people.toml"
    told = PROFILE.format("Told") + 'max_papers = 3\nmin_score = 0.5\nat = "07:30"\n'
    path.write_text(PERSON.format("a@example.org") + PROFILE.format("Left out") + told)
    settings = Settings(
        smtp=Smtp(host="x"),
        mail=Mail(from_address="a@example.org"),
        matching=Matching(max_papers=7, min_score=0.25),
        schedule=Schedule(timezone="Asia/Tokyo", at="06:00"),
    )
    roster = read_people(path, settings).roster
    left_out, said = roster.people[0].profiles
    assert (left_out.max_papers, left_out.min_score, left_out.at) == (7, 0.25, time(6))
    assert (said.max_papers, said.min_score, said.at) == (3, 0.5, time(7, 30))
    assert {roster.people[0].timezone, left_out.timezone} == {"Asia/Tokyo"}
    assert (left_out.days, left_out.cadence, left_out.send_empty) == (tuple(Weekday)[:5], Cadence.DAILY, False)
    assert (roster.refused_profiles, roster.refused_people, roster.complete) == ({}, frozenset(), True)


@pytest.mark.parametrize(
    "entry",
    [
        'name = "{}"',
        "queries = [{}]",
        "exclude = [{}]",
        "alert = [{}]",
        "queries = [{{query = 'robot', weight = {}}}]",
        "max_papers = {}",
    ],
)
def test_read_people_value_at_its_limit_is_taken_and_one_beyond_is_not(tmp_path: Path, entry: str) -> None:
    key = entry.partition(" ")[0]
    most = {"name": "x" * 100, "max_papers": "200"}.get(key, "'robot'," * 200 if "weight" not in entry else "1000")
    more = {"name": "x" * 101, "max_papers": "201"}.get(key, "'robot'," * 201 if "weight" not in entry else "1000.5")
    for value, sound in ((most, True), (more, False)):
        lines = {"name": 'name = "P"', "queries": "queries = ['robot']", key: entry.format(value)}
        found = reading(
            tmp_path, PERSON.format("a@example.org") + "[[subscriber.profile]]\n" + "\n".join(lines.values())
        )
        assert (found.problems == ()) is sound


def test_read_people_name_of_a_person_and_excerpt_of_a_query_have_their_limits(tmp_path: Path) -> None:
    for length, sound in ((200, True), (201, False)):
        found = reading(tmp_path, PERSON.format("a@example.org") + f'name = "{"x" * length}"\n')
        assert (found.problems == ()) is sound
    long = f"({'x' * 78}y{'z' * 20}"
    (problem,) = reading(tmp_path, PERSON.format("a@example.org") + PROFILE.format("P").replace("robot", long)).problems
    assert f"'({'x' * 78}y':" in problem
