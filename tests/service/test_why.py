"""Why a paper was, or was not, sent: each answer there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from support.store_room import EVERY_DAY, MONDAY, StoreRoom, at, opened, profile, work

from digestd.match.learn import Wish, learned
from digestd.model import Cadence, OutboxState, Paper, SubscriberState
from digestd.publish.compose import MAX_TITLES
from digestd.service.why import Why, why
from digestd.store.base import Transition

ADA = "ada@example.org"
DAILY = profile(days=EVERY_DAY)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[StoreRoom]:
    with opened(tmp_path / "digestd.db") as made:
        yield made


def _ask(room: StoreRoom, number: int = 1, now: datetime = MONDAY) -> Why:
    (paper,) = room.store.papers.find(work(number).id)
    return why(room.store, room.store.subscribers.find(ADA), paper, now)


def _sent(room: StoreRoom) -> None:
    """Send what is ready, with one line of the ledger for each."""
    claims, _ = room.store.outbox.claim("me", at(23, 10), 10)
    steps = [
        Transition(claim.edition, OutboxState.CLAIMED, OutboxState.SENDING, at(23, 10), sha256="0" * 64)
        for claim in claims
    ] + [
        Transition(claim.edition, OutboxState.SENDING, OutboxState.SENT, at(23, 10), "250 queued", ledger="sent")
        for claim in claims
    ]
    assert all(room.store.outbox.record("me", steps))


def test_why_of_a_paper_that_was_sent_names_edition_place_and_ledger(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    room.publish()
    assert _ask(room).conclusion == "It is in the edition daily:2026-11-23, as a card; that edition is ready."
    _sent(room)
    told = _ask(room)
    assert told.conclusion == "It is in the edition daily:2026-11-23, as a card; that edition is sent."
    assert (told.paper, told.title, told.ingested_at) == (work(1).id, "agent 1", MONDAY)
    (edition,) = (row.edition_id for row in room.store.outbox.rows(OutboxState.SENT, 2))
    lines = list(told.sentences())
    assert lines[0] == told.conclusion
    assert lines[1:4] == ["", "Agents (daily) matches, score 2.00", "  yes  agent: title +2.00"]
    assert lines[4:8] == [
        "",
        "It stood there by 2.00 (docs/matching.md)",
        "  agent: 2.00 × rarity 1.00, it hits 1 of 1 papers",
        "  all × 1.00 for votes and freshness",
    ]
    assert lines[9].startswith(f"Edition {edition[:12]} (daily:2026-11-23) is sent")
    assert lines[10] == "  2026-11-23 10:00:00 attempt 1: sent 250 queued"


def test_why_of_a_paper_past_the_cap_says_that_it_is_a_title(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, abstract="agent")])
    room.subscribe(ADA, replace(DAILY, max_papers=1))
    room.publish()
    assert "by its title, past the profile's cap; that edition is ready" in _ask(room).conclusion


def test_why_of_a_paper_past_the_titles_too_says_how_many_there_were(room: StoreRoom) -> None:
    room.ingest([work(1), *(work(number, abstract="agent") for number in range(2, MAX_TITLES + 3))])
    room.subscribe(ADA, replace(DAILY, max_papers=1))
    room.publish()
    told = _ask(room)
    assert told.conclusion == (
        "It matches now, but was not sent: in daily:2026-11-23 it stood past the cap and past the list of titles:"
        f" {MAX_TITLES + 2} papers matched, {MAX_TITLES + 1} were named."
    )
    assert (told.entry, told.edition, told.ledger) == (None, None, ())


def test_why_of_a_paper_that_only_the_changed_profile_wants_says_so(room: StoreRoom) -> None:
    room.ingest([work(1), work(2, "robot")])
    room.subscribe(ADA, profile("Agents", "robot"))
    room.publish()
    room.subscribe(ADA, profile("Agents", "agent"))
    assert _ask(room).conclusion == (
        "It matches now, but was not sent: the profile was another one when daily:2026-11-23 was composed,"
        " and did not match it."
    )


def test_why_of_a_paper_after_which_no_edition_was_composed_says_so(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, profile("Agents", "robot"))
    room.publish()
    room.subscribe(ADA, profile("Agents", "agent"))
    assert "but was not sent: no edition was composed after it came: the profile was another" in _ask(room).conclusion


def test_why_of_a_near_copy_names_the_card_it_is_folded_into(room: StoreRoom) -> None:
    abstract = " ".join(f"agent{number} in a sentence" for number in range(12))
    room.ingest([work(1, "agent", abstract=abstract), work(2, "no", abstract=abstract + " agent."), work(3, "agents")])
    room.subscribe(ADA, DAILY)
    room.publish()
    folded = "folded as a near-copy into the card of “no 2”" if "as a card" in _ask(room, 2).conclusion else ""
    assert folded or "folded as a near-copy into the card of “agent 1”" in _ask(room, 2).conclusion


def test_why_tells_what_the_place_in_the_edition_went_by(room: StoreRoom) -> None:
    fresh = {"published": MONDAY.date(), "votes": 9}
    room.ingest([work(1, "robot agent", **fresh), *(work(number) for number in range(2, 11))])
    room.subscribe(ADA, profile("Agents", "agent", "robot"))
    room.publish()
    lines = list(_ask(room).sentences())
    start = lines.index("It stood there by 6.75 (docs/matching.md)")
    assert lines[start + 1 : start + 4] == [
        "  agent: 2.00 × rarity 1.00, it hits 10 of 10 papers",
        "  robot: 2.00 × rarity 1.60, it hits 1 of 10 papers",
        "  all × 1.30 for votes and freshness",
    ]


def test_why_tells_which_words_moved_a_paper_and_would_move_one(room: StoreRoom) -> None:
    room.ingest([work(1, "agent zebras")])
    reader = room.subscribe(ADA, DAILY)
    room.publish()
    room.store.leanings.say(reader, 1, 0, Wish.MORE, MONDAY, learned, 200)
    room.ingest([work(2, "agent")], MONDAY)
    lines = list(_ask(room, 2).sentences())
    assert lines[-1] == "For this reader it would be moved up by agent +0.28: × 1.22"
    room.publish(at(24))
    lines = list(_ask(room, 2, at(24)).sentences())
    assert "  moved up by agent +0.28: × 1.21" in lines
    assert "It stood there by 2.43 (docs/matching.md)" in lines
    assert not any("moved" in line for line in _ask(room).sentences())
    (paper,) = room.store.papers.find(work(2).id)
    assert why(room.store, room.store.subscribers.find(ADA), paper, at(24), learning=False).moved == ()


def test_why_without_a_profile_says_so(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA)
    assert _ask(room).conclusion == "It was not sent: this person has no profile."


def test_why_without_a_match_names_each_query(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, profile("Robots", "robot", "title:graph"))
    told = _ask(room)
    assert told.conclusion == "It was not sent: no profile matches it."
    assert list(told.sentences())[1:] == [
        "",
        "Robots (daily) does not match, score 0.00",
        "  no   robot",
        "  no   title:graph",
    ]


def test_why_of_an_excluded_paper_names_the_exclusion_and_the_score(room: StoreRoom) -> None:
    room.ingest([work(1, "survey agent")])
    room.subscribe(ADA, replace(DAILY, exclude=("medical", "title:survey")))
    told = _ask(room)
    assert told.conclusion == "It was not sent: the exclusion title:survey of Agents leaves it out."
    assert list(told.sentences())[1:] == [
        "",
        "Agents (daily) does not match, score 2.00",
        "  yes  agent: title +2.00",
        "  left out by the exclusion title:survey",
    ]


def test_why_of_a_paper_below_min_score_says_how_far(room: StoreRoom) -> None:
    room.ingest([Paper(work(1).id, "Robots", abstract="an agent")])
    room.subscribe(ADA, replace(DAILY, min_score=2.5))
    told = _ask(room)
    assert told.conclusion == "It was not sent: its score of 1 is below the min_score of Agents, 2.5."
    assert list(told.sentences())[-1] == "  below the profile's min_score of 2.5"


def test_why_of_a_heavier_query_shows_its_weight(room: StoreRoom) -> None:
    room.ingest([work(1, "robot", abstract="robots")])
    (heavy,) = profile("R", "robot").queries
    room.subscribe(ADA, replace(DAILY, queries=(heavy._replace(weight=2.0),)))
    assert "  yes  robot: title +2.00, abstract +1.00 × weight 2" in list(_ask(room).sentences())


@pytest.mark.parametrize("state", [SubscriberState.PAUSED, SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED])
def test_why_of_a_person_who_is_not_mailed_says_their_state(room: StoreRoom, state: SubscriberState) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    room.state(ADA, state)
    assert _ask(room).conclusion == f"It matches, but was not sent: this person is {state}."


def test_why_of_a_paper_that_waits_is_the_next_edition(room: StoreRoom) -> None:
    room.ingest([work(1)])
    room.subscribe(ADA, DAILY)
    assert _ask(room).conclusion == "It matches, and will be in the next edition."
    room.publish()
    room.ingest([work(2)], at(23, 10))
    assert _ask(room, 2).conclusion == "It matches, and will be in the next edition."


def test_why_of_a_paper_too_old_for_a_first_issue_says_so(room: StoreRoom) -> None:
    room.ingest([work(1)], at(10))
    room.subscribe(ADA, DAILY)
    assert _ask(room, now=at(17)).conclusion == "It matches, and will be in the next edition."
    assert _ask(room, now=at(18)).conclusion == "It matches, but is too old: a first issue goes back 7 days."
    room.ingest([work(2)], at(18))
    room.publish(at(18))
    assert _ask(room, now=at(18)).conclusion.startswith("It matches now, but was not sent:")


def test_why_shows_alerts_and_digest_apart(room: StoreRoom) -> None:
    room.ingest([work(1, "urgent")])
    room.subscribe(ADA, replace(DAILY, alert=("urgent",)))
    room.publish()
    told = _ask(room)
    views = [(view.profile, view.cadence, view.looked, view.report.match is not None) for view in told.profiles]
    assert views == [("Agents", Cadence.DAILY, True, False), ("Agents", Cadence.IMMEDIATE, True, True)]
    assert told.conclusion.startswith("It is in the edition immediate:000000000001")
    assert told.entry is not None
    assert told.entry.queries == ("urgent",)
