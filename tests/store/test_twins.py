"""Works that a later record shows to be one: the older stands for both, and nobody is told of it twice."""

from __future__ import annotations

from itertools import permutations

import pytest
from support.store_room import MONDAY, StoreRoom, at, hour, profile

from digestd.ingest.identity import make_paper
from digestd.model import Paper
from digestd.store.base import Counts, DigestFile

ANN, BOB = ("Ann Doe",), ("Bob Roe",)
PREPRINT = make_paper(title="On Nests", ids=["arXiv:2611.00001"], authors=ANN, abstract="A preprint.")
ARTICLE = make_paper(title="Nests of Ants", ids=["10.1000/x"], authors=ANN, abstract="An article.")
BOTH = make_paper(title="Nests of Ants", ids=["arXiv:2611.00001v2", "10.1000/x"], authors=ANN)
NAMED = make_paper(title="Nests of Ants")


def take(room: StoreRoom, *papers: Paper, content: str = "a") -> Counts | None:
    file = DigestFile(f"{content}.jsonl", "jsonl", 10, (content * 64)[:64])
    return room.store.papers.add_file(file, papers, lambda: 0, MONDAY)


def told(room: StoreRoom) -> list[tuple[int, str]]:
    return [(stored.pk, stored.paper.id) for stored in room.store.papers.all()]


def test_twins_tied_by_a_record_with_both_ids_are_one_from_then_on(room: StoreRoom) -> None:
    take(room, PREPRINT, ARTICLE)
    assert told(room) == [(1, "arXiv:2611.00001"), (2, "doi:10.1000/x")]
    assert take(room, BOTH, content="b") == Counts(papers=1, revised=1)
    [one] = room.store.papers.all()
    assert (one.pk, one.paper.id, one.paper.other_ids) == (1, "arXiv:2611.00001", ("doi:10.1000/x",))
    assert (one.paper.title, one.paper.abstract, one.paper.version) == ("Nests of Ants", "An article.", 2)
    for name in ("doi:10.1000/x", "arXiv:2611.00001", NAMED.id, "nests of"):
        assert [found.pk for found in room.store.papers.find(name)] == [1]
    assert room.store.stats()["papers"] == 1
    assert take(room, ARTICLE, PREPRINT, BOTH, NAMED, content="c").new == 0  # type: ignore[union-attr]
    assert len(told(room)) == 1


@pytest.mark.parametrize("order", list(permutations([PREPRINT, ARTICLE, BOTH, NAMED])))
@pytest.mark.parametrize("files", [1, 4])
def test_twins_are_one_in_whatever_order_and_file_they_come(
    room: StoreRoom, order: tuple[Paper, ...], files: int
) -> None:
    if files == 1:
        take(room, *order)
    else:
        for number, paper in enumerate(order):
            take(room, paper, content=str(number))
    assert told(room) == [(1, "arXiv:2611.00001")]


def test_twins_of_a_twin_follow_to_the_oldest(room: StoreRoom) -> None:
    take(room, make_paper(title="Three", ids=["pmid:3"]), PREPRINT, ARTICLE, BOTH)
    assert told(room) == [(1, "pmid:3"), (2, "arXiv:2611.00001")]
    take(room, make_paper(title="All", ids=["10.1000/x", "pmid:3"]), content="b")
    assert told(room) == [(1, "arXiv:2611.00001")]
    assert [found.pk for found in room.store.papers.find("doi:10.1000/x")] == [1]


@pytest.mark.parametrize(
    "liar",
    [
        make_paper(title="A Liar", ids=["arXiv:2611.00001", "10.1000/x"]),
        make_paper(title="A Liar", ids=["10.1000/x", "pmid:3"]),
    ],
)
def test_twins_that_have_different_ids_of_one_kind_stay_two(room: StoreRoom, liar: Paper) -> None:
    one = make_paper(title="One", ids=["arXiv:2611.00001", "10.1000/one", "pmid:3"])
    other = make_paper(title="Other", ids=["10.1000/x"])
    take(room, one, other, liar)
    assert [pk for pk, _ in told(room)] == [1, 2]


def test_twins_by_title_of_other_authors_stay_two(room: StoreRoom) -> None:
    take(room, make_paper(title="Nests of Ants", authors=BOB), PREPRINT)
    take(room, make_paper(title="Nests of Ants", ids=["arXiv:2611.00001"], authors=ANN), content="b")
    assert len(told(room)) == 2


def test_twin_that_went_out_as_an_alert_does_not_come_again_with_the_digest(room: StoreRoom) -> None:
    """What went out was the younger one; the older, which stands for both now, is the one that the digest looks at."""
    room.subscribe("ada@example.org", profile("Nests", "nests", alert=("ants",), at=hour("18:00")))
    take(room, make_paper(title="Before"))
    room.publish()
    take(room, PREPRINT, ARTICLE, content="b")
    room.publish(at(23, 10))
    alerts = room.told("ada@example.org")
    assert [papers for _, papers in alerts if papers] == [["doi:10.1000/x"]]
    take(room, BOTH, content="c")
    room.publish(at(23, 19))
    assert room.told("ada@example.org") == alerts
