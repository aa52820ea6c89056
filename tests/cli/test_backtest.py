"""`digestd backtest` on a terminal and for a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from digestd.cli import main
from digestd.cli.backtest import WIDEST, bucketed, chart

SETTINGS = """subscribers = "people.toml"
[smtp]
host = "localhost"
tls = "none"
[mail]
from_address = "papers@example.org"
"""
PEOPLE = """[[subscriber]]
email = "ada@example.org"
  [[subscriber.profile]]
  name = "Robots"
  queries = ["robot", { query = "title:graph", weight = 2.0 }, "zebra"]
  alert = ["urgent"]
  exclude = ["survey"]
  min_score = 2.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digestd.toml").write_text(SETTINGS)
    (tmp_path / "people.toml").write_text(PEOPLE)
    titles = ("A Robot", "Graphs", "A Survey of Robots", "Nothing", "Else", "Still Else", "More", "No More")
    lines = (json.dumps({"title": title, "id": f"p:{number}"}) for number, title in enumerate(titles))
    (tmp_path / "one.jsonl").write_text("\n".join(lines) + "\n" + json.dumps({"title": "X", "abstract": "A robot."}))
    _run("ingest", "one.jsonl")
    _run("run-once")
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", "digestd.toml", *arguments])


def test_backtest_shows_each_query_with_its_days_and_what_is_to_be_said_of_it(folder: Path) -> None:
    shown = _run("backtest", "people.toml", "--days", "7")
    assert shown.exit_code == 0
    for expected in (
        r"Robots: 2 of 9 papers", "0.3 a day", "title:graph × 2", "urgent (alert)", "never hits", "······█",
        "the exclusion survey alone takes 1 away", "min_score keeps 1 back", "  4.00  Graphs",
    ):  # fmt: skip
        assert expected in shown.stdout, shown.stdout


def test_backtest_of_a_subscriber_is_that_of_their_profiles(folder: Path) -> None:
    _run("subscribers", "import", "people.toml")
    assert _run("preview", "ada@example.org").exit_code == 0
    (told,) = json.loads(_run("backtest", "ada@example.org", "--days", "2", "--json").stdout)
    assert (told["profile"], told["matched"], told["below"]) == ("Robots", [0, 2], 1)
    assert [(one["query"], one["hits"], one["alone"]) for one in told["queries"]] == [
        ("title:graph", 1, 1), ("robot", 3, 3), ("zebra", 0, 0), ("urgent", 0, 0),
    ]  # fmt: skip


def test_backtest_of_a_subscriber_takes_the_file_over_first(folder: Path) -> None:
    (folder / "people.toml").write_text(PEOPLE.replace("ada@", "new@"))
    assert _run("backtest", "new@example.org", "--days", "2").exit_code == 0


def test_backtest_of_a_file_with_one_profile_needs_no_subscriber(folder: Path) -> None:
    (folder / "mine.toml").write_text('queries = ["robot"]\n')
    (told,) = json.loads(_run("backtest", "mine.toml", "--json").stdout)
    assert (told["profile"], len(told["days"]), sum(told["matched"])) == ("mine", 30, 3)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('queries = ["(robot"]\n', "bad.toml, line 1, column 13: the query '(robot'"),
        ('queries = ["robot"]\nwieght = 2\n', "bad.toml, line 2, column 1: wieght is not a known key"),
        ("queries = [\n", "bad.toml"),
        ("", "bad.toml: no profile could be taken from it"),
    ],
)
def test_backtest_of_a_bad_file_says_where(folder: Path, content: str, problem: str) -> None:
    (folder / "bad.toml").write_text(content)
    shown = _run("backtest", "bad.toml")
    assert shown.exit_code == 1
    assert problem in shown.stderr
    assert "Traceback" not in shown.stderr


def test_backtest_of_nobody_known_is_one_sentence(folder: Path) -> None:
    assert "no subscriber zoe@example.org" in _run("backtest", "zoe@example.org").stderr
    assert _run("backtest", "none.toml").exit_code == 1
    assert _run("backtest", "people.toml", "--days", "0").exit_code == 2


@pytest.mark.parametrize("days", [1, WIDEST, WIDEST + 1, 2 * WIDEST, 100, 365])
def test_chart_has_at_most_so_many_bars_and_loses_no_day(days: int) -> None:
    buckets = bucketed([1] * days)
    assert (len(buckets) <= WIDEST, sum(buckets)) == (True, days)
    assert buckets[-1] == max(buckets)
    assert len(chart([1] * days, 1_000)) == len(buckets)


def test_chart_is_as_high_as_the_most_and_shows_none_as_a_dot() -> None:
    assert chart([0, 1, 4, 8, 2], 8) == "·▁▄█▂"
