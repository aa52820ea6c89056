"""What the store promises of papers: each work once under all its names, each file once, a revision never changed."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_room import MONDAY, StoreRoom, opened, profile, work

from digestd.errors import StoreError
from digestd.ingest.identity import make_paper
from digestd.model import Paper, StoredPaper
from digestd.store import adding
from digestd.store import papers as papers_module
from digestd.store.base import Counts, DigestFile

ANN, BOB = ("Ann Doe",), ("Bob Roe",)


def take(room: StoreRoom, *papers: Paper, content: str = "a", bad: int = 0) -> Counts | None:
    file = DigestFile(f"{content}.jsonl", "jsonl", 10, (content * 64)[:64])
    return room.store.papers.add_file(file, papers, lambda: bad, MONDAY)


def told(room: StoreRoom) -> list[Paper]:
    return [stored.paper for stored in room.store.papers.all()]


def test_add_file_of_new_papers_keeps_them_in_order_and_whole(room: StoreRoom) -> None:
    whole = make_paper(
        title="On Agents",
        ids=["arXiv:2310.10637v2"],
        authors=ANN + BOB,
        abstract="We study Ω.",
        categories=["cs.CL", "cs.AI"],
        source="arxiv",
        votes=3,
        published=MONDAY.date(),
    )
    assert take(room, whole, work(2)) == Counts(papers=2, new=2)
    first, second = room.store.papers.all()
    assert (first.pk, first.paper, first.ingested_at) == (1, whole, MONDAY)
    assert (second.pk, second.paper) == (2, work(2))
    assert room.store.papers.newest() == 2


def test_add_file_of_known_content_is_none_and_reads_nothing(room: StoreRoom) -> None:
    def unread() -> Iterator[Paper]:
        raise AssertionError("a known file is not parsed again")
        yield

    assert not room.store.papers.ingested("a" * 64)
    take(room, work(1))
    assert room.store.papers.ingested("a" * 64)
    again = DigestFile("renamed.jsonl", "jsonl", 10, "a" * 64)
    assert room.store.papers.add_file(again, unread(), lambda: 0, MONDAY) is None
    assert len(told(room)) == 1


def test_add_file_asks_for_the_bad_records_after_the_last_paper(room: StoreRoom) -> None:
    seen: list[str] = []

    def papers() -> Iterator[Paper]:
        yield work(1)
        seen.append("read to the end")

    def bad() -> int:
        assert seen == ["read to the end"]
        return 7

    assert room.store.papers.add_file(DigestFile("a", "jsonl", 1, "a" * 64), papers(), bad, MONDAY) is not None


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("torn")], ids=["disk", "parser"])
def test_add_file_whose_reading_fails_is_undone_and_the_error_is_the_readers(room: StoreRoom, error: Exception) -> None:
    def torn() -> Iterator[Paper]:
        yield work(1)
        raise error

    with pytest.raises(type(error)) as raised:
        room.store.papers.add_file(DigestFile("a", "jsonl", 1, "a" * 64), torn(), lambda: 0, MONDAY)
    assert raised.value is error  # the digest file's trouble, not the store's
    assert room.store.papers.newest() == 0
    assert take(room, work(1)) == Counts(papers=1, new=1)  # the same content may come again


# Identity across files

TITLE_ONLY = make_paper(title="Deep Agents", abstract="What is known.", source="huggingface")
WITH_AUTHOR = make_paper(title="Deep agents.", authors=ANN)
WITH_ID = make_paper(title="Deep {A}gents", ids=["arXiv:2611.00001v1"], authors=ANN, source="arxiv")


@pytest.mark.parametrize(
    "order",
    [
        (TITLE_ONLY, WITH_AUTHOR, WITH_ID),
        (WITH_ID, WITH_AUTHOR, TITLE_ONLY),
        (WITH_AUTHOR, TITLE_ONLY, WITH_ID),
        (TITLE_ONLY, WITH_ID, WITH_AUTHOR),
    ],
)
def test_papers_first_without_and_later_with_an_id_are_one_under_the_best_id(
    room: StoreRoom, order: Sequence[Paper]
) -> None:
    for number, paper in enumerate(order):
        take(room, paper, content=str(number))
    [one] = room.store.papers.all()
    assert (one.pk, one.paper.id, one.paper.authors) == (1, "arXiv:2611.00001", ANN)
    assert one.paper.abstract == "What is known."  # what a later record does not say stays
    for name in (TITLE_ONLY.id, WITH_AUTHOR.id, "https://arxiv.org/abs/2611.00001v1"):
        assert [found.pk for found in room.store.papers.find(name)] == [1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (make_paper(title="Same", authors=ANN), make_paper(title="Same", authors=BOB)),
        (make_paper(title="Same", ids=["arXiv:2611.00001"]), make_paper(title="Same", ids=["arXiv:2611.00002"])),
        (make_paper(title="Same", ids=["10.1000/a"]), make_paper(title="Same", ids=["10.1000/b"])),
    ],
    ids=["authors", "arxiv", "doi"],
)
def test_papers_of_one_title_that_differ_in_author_or_id_are_two(room: StoreRoom, first: Paper, second: Paper) -> None:
    assert take(room, first, second) == Counts(papers=2, new=2)
    assert [paper.id for paper in told(room)] == [first.id, second.id]


def test_papers_known_again_by_a_name_they_once_had_are_no_new_ones(room: StoreRoom) -> None:
    by_ann, without = make_paper(title="Same", authors=ANN), make_paper(title="Same")
    of_ann, of_bob = (make_paper(title="Same", ids=["arXiv:2611.00001"], authors=authors) for authors in (ANN, BOB))
    take(room, without, of_ann, of_bob)
    for content in ("b", "c"):
        assert take(room, by_ann, content=content) is not None
    assert len(told(room)) == 1


def test_papers_that_bring_only_another_id_are_known_by_it(room: StoreRoom) -> None:
    take(room, make_paper(title="Same", ids=["arXiv:2611.00001"]), make_paper(title="Same", ids=["10.1000/x"]))
    [found] = room.store.papers.find("doi:10.1000/x")
    assert found.paper.id == "arXiv:2611.00001"
    assert take(room, make_paper(title="Renamed", ids=["10.1000/x"]), content="b") == Counts(papers=1, revised=1)


def test_papers_twice_in_one_file_count_one_new_and_one_duplicate(room: StoreRoom) -> None:
    assert take(room, work(1), work(1)) == Counts(papers=2, new=1, duplicate=1)


def test_papers_replaced_without_abstract_keep_the_known_one(room: StoreRoom) -> None:
    take(room, work(1, abstract="Known.", version=1))
    assert take(room, work(1, abstract=None, version=2), content="b") == Counts(papers=1, revised=1)
    [paper] = told(room)
    assert (paper.abstract, paper.version) == ("Known.", 2)


def test_papers_of_an_older_version_change_nothing(room: StoreRoom) -> None:
    newer = work(1, abstract="New words.", version=3)
    take(room, newer)
    assert take(room, work(1, abstract="Old words.", version=2), content="b") == Counts(papers=1, duplicate=1)
    assert told(room) == [newer]


def test_papers_revised_keep_their_place_and_get_a_revision_of_their_own(room: StoreRoom) -> None:
    take(room, work(1, abstract="First."), work(2))
    [before, _] = room.store.papers.all()
    take(room, work(1, abstract="Second."), content="b")
    [after, _] = room.store.papers.all()
    assert (after.pk, after.ingested_at) == (before.pk, before.ingested_at)
    assert after.revision not in (before.revision, 0)
    assert after.paper.abstract == "Second."


TITLES = st.sampled_from(["Agents", "agents!", "Graphs"])
IDS = st.sampled_from(["", "arXiv:2611.00001", "arXiv:2611.00002v2", "doi:10.1000/x", "pmid:7"])
RECORDS = st.builds(
    lambda title, name, authors, version, abstract: make_paper(
        title=title, ids=[name] if name else [], authors=authors, version=version, abstract=abstract
    ),
    TITLES,
    IDS,
    st.sampled_from([(), ANN, BOB, ("Doe, Ann",)]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, "One.", "Two."]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(RECORDS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_papers_of_any_files_are_counted_found_and_never_twice(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[Paper]]
) -> None:
    with opened(tmp_path_factory.mktemp("store") / "a.db") as room:
        new = 0
        for number, records in enumerate(files):
            counts = take(room, *records, content=str(number))
            assert counts is not None
            assert counts.papers == counts.new + counts.revised + counts.duplicate == len(records)
            new += counts.new
        kept = list(room.store.papers.all())
        assert len(kept) <= new == room.store.papers.newest()  # a record may show two to be one
        assert len({one.paper.id for one in kept}) == len(kept)
        for record in (record for records in files for record in records):
            if not record.id.startswith("title:"):
                [found] = room.store.papers.find(record.id)
                assert found in kept
        again = take(room, *files[-1], content="again")
        assert again is not None
        assert again.new == 0


# Reading


def test_between_gives_what_arrived_after_up_to_and_since(room: StoreRoom) -> None:
    for number in range(4):
        room.ingest([work(number + 1)], MONDAY + timedelta(hours=number))

    def pks(*bounds: object) -> list[int]:
        return [stored.pk for stored in room.store.papers.between(*bounds)]  # type: ignore[arg-type]

    assert pks(0, 4) == [1, 2, 3, 4]
    assert pks(1, 3) == [2, 3]
    assert pks(0, 4, MONDAY + timedelta(hours=2)) == [3, 4]
    assert pks(4, 9) == []


def test_first_since_is_the_smallest_number_even_after_the_clock_stepped_back(room: StoreRoom) -> None:
    assert room.store.papers.first_since(MONDAY) == 1  # newest + 1 of nothing
    room.ingest([work(1)], MONDAY)
    room.ingest([work(2)], MONDAY - timedelta(days=3))
    room.ingest([work(3)], MONDAY + timedelta(days=1))
    assert room.store.papers.first_since(MONDAY - timedelta(days=9)) == 1
    assert room.store.papers.first_since(MONDAY) == 1
    assert room.store.papers.first_since(MONDAY + timedelta(hours=1)) == 3
    assert room.store.papers.first_since(MONDAY + timedelta(days=2)) == 4


def test_all_reads_on_past_its_batch(room: StoreRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers_module, "BATCH", 2)
    room.ingest([work(number) for number in range(1, 6)])
    assert [stored.pk for stored in room.store.papers.all()] == [1, 2, 3, 4, 5]


def test_find_gives_ten_titles_the_newest_first_and_takes_wildcards_as_they_stand(room: StoreRoom) -> None:
    room.ingest([work(number, "agent") for number in range(1, 15)])
    room.ingest([replace(work(99), title="100%_sure")])
    found: list[StoredPaper] = room.store.papers.find("AGENT")
    assert [stored.pk for stored in found] == list(range(14, 4, -1))
    assert [stored.paper.title for stored in room.store.papers.find("0%_")] == ["100%_sure"]
    assert room.store.papers.find("a%t") == []


def test_papers_are_there_after_the_store_is_opened_again(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as room:
        room.ingest([work(1)])
    with opened(tmp_path / "a.db") as room:
        assert told(room) == [work(1)]


def test_add_file_lets_others_write_while_a_file_is_read(room: StoreRoom) -> None:
    def slow() -> Iterator[Paper]:
        with opened(room.path) as other:
            other.subscribe("ada@example.org", profile())
        yield work(1)

    assert room.store.papers.add_file(DigestFile("a", "jsonl", 1, "a" * 64), slow(), lambda: 0, MONDAY) is not None
    assert room.store.subscribers.find("ada@example.org").subscriber.email == "ada@example.org"


def test_add_file_of_more_papers_than_memory_holds_takes_all(room: StoreRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "SPOOL", 100)
    monkeypatch.setattr(adding, "CHUNK", 3)
    assert take(room, *map(work, range(1, 30))) == Counts(papers=29, new=29)
    assert told(room) == [work(number) for number in range(1, 30)]


def test_add_file_without_room_to_unpack_says_where(room: StoreRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(adding, "SpooledTemporaryFile", lambda _: Full())
    with pytest.raises(StoreError, match="cannot be unpacked there: No space left on device"):
        take(room, work(1))
    assert told(room) == []


def test_add_file_takes_as_many_steps_in_a_large_store_as_in_a_small_one(room: StoreRoom) -> None:
    """SQLite's own steps are counted: a paper must cost the same however many there are."""

    def steps(first: int, content: str) -> int:
        counted = 0

        def count() -> None:
            nonlocal counted
            counted += 1

        with room.store.papers._connections.write() as connection:
            connection.set_progress_handler(count, 100)
        take(room, *map(work, range(first, first + 50)), content=content)
        with room.store.papers._connections.write() as connection:
            connection.set_progress_handler(None, 100)
        return counted

    small = steps(1, "a")
    take(room, *map(work, range(100, 1_600)), content="b")
    assert steps(2_000, "c") <= 1.2 * small
