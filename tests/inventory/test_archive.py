"""The journal is archived as it grows and cut only after: killed anywhere, nothing is missing and nothing twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import delete, select

from inventory import archive, audit, holds, journal, stock, verbs
from inventory.facts import Stale
from inventory.journal import Entry
from inventory.models import JournalPage
from runtime import clock
from runtime.db import reading, writing
from tests.dying import runs_into
from tests.inventory.small_drop import Make, held

Sale = list[Entry]


@pytest.fixture
def sale(make: Make, monkeypatch: pytest.MonkeyPatch) -> Sale:
    """A drop with 42 entries in its journal; five make a page, and the newest eight stay."""
    monkeypatch.setattr(journal, "PAGE", 5)
    monkeypatch.setattr(archive, "KEEP", 8)
    make("d1", 60, limit_account=9)
    for i in range(20):
        holds.release(held("d1", f"s{i}").id, f"s{i}")
    return stream()


def stream() -> Sale:
    return [entry for page in journal.raw("d1") for entry in page]


def archived() -> Sale:
    return [entry for page in journal.raw_archived("d1") for entry in page]


def pages() -> list[tuple[int, int]]:
    with reading() as session:
        query = select(JournalPage.page, JournalPage.entries).order_by(JournalPage.page)
        return [(page, entries) for page, entries in session.execute(query)]


def whole() -> Sale:
    """Archive and stream as one, as the audit reads them."""
    known = archived()
    return known + [entry for page in journal.raw("d1", known[-1][0] if known else "") for entry in page]


def run(times: int = 10) -> None:
    for _ in range(times):
        archive.tick()


def test_full_pages_are_archived_and_the_newest_entries_stay_in_the_stream(sale: Sale, redis: Redis) -> None:
    run()
    assert pages() == [(page, 5) for page in range(8)]
    assert archived() == sale[:40]
    assert redis.xlen(verbs.key("d1", "journal")) == 12
    assert redis.get(verbs.key("d1", "trimmed")) == sale[29][0]
    assert whole() == sale
    assert audit.journal_audit("d1", {}).differences == []


def test_a_tick_does_some_pages_and_the_next_goes_on(sale: Sale) -> None:
    archive.tick()
    assert len(pages()) == 4
    archive.tick()
    assert len(pages()) == 8


def test_a_quiet_drop_is_archived_after_minutes_in_one_small_page(sale: Sale) -> None:
    run()
    assert len(pages()) == 8
    clock.shift(timedelta(minutes=6))
    run()
    assert pages()[8:] == [(8, 2)]
    assert archived() == sale


def test_entries_of_many_decisions_fill_a_page_by_their_length(
    sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PAGE", 1_000)
    monkeypatch.setattr(archive, "_BYTES", 600)
    monkeypatch.setattr(archive, "_LOOK", 5)
    run()
    assert [entries for _, entries in pages()] != []
    assert max(entries for _, entries in pages()) < 20
    assert whole() == sale


@pytest.mark.parametrize("point", ["journal.archived", "journal.trimmed"])
def test_killed_there_the_next_run_goes_on_without_gap_or_overlap(sale: Sale, point: str) -> None:
    for last in (False, False, True):
        assert runs_into(point, TICK) or last
        assert whole() == sale
    run()
    assert pages() == [(page, 5) for page in range(8)]
    assert whole() == sale
    assert audit.journal_audit("d1", {}).differences == []


def test_several_at_once_write_every_entry_once(sale: Sale) -> None:
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(run, 4) for _ in range(6)]:
            done.result()
    assert pages() == [(page, 5) for page in range(8)]
    assert whole() == sale


def test_a_reader_far_behind_is_sent_to_the_archive_and_misses_nothing(sale: Sale) -> None:
    run()
    with pytest.raises(journal.Trimmed):
        list(journal.raw("d1", sale[3][0]))
    assert [entry for page in journal.raw_archived("d1", after=sale[3][0]) for entry in page] == sale[4:40]


def test_another_epoch_is_never_archived_under_this_one(sale: Sale, redis: Redis) -> None:
    epoch = verbs.fetch_epoch("d1")
    redis.set(verbs.key("d1", "epoch"), "another")
    with pytest.raises(Stale):
        archive.archive("d1", 0, epoch)
    run()
    assert pages() == []


def test_after_a_rebuild_the_old_pages_are_history_and_the_audit_plays_the_new_epoch(
    sale: Sale, redis: Redis
) -> None:
    run()
    redis.flushall()
    stock.fence("d1")
    assert stock.rebuild("d1", []) == []
    assert archived() == []
    held("d1", "li")
    clock.shift(timedelta(minutes=6))
    run()
    assert pages()[:9] == [*((page, 5) for page in range(8)), (8, 3)]
    assert [entry["verb"] for _, entry in archived()] == ["load", "rule", "hold"]
    assert audit.journal_audit("d1", {}).differences == []


def test_a_page_missing_in_sql_is_read_from_the_stream_where_it_still_is_and_told_where_not(
    sale: Sale,
) -> None:
    run()
    _lose(7)
    assert audit.journal_audit("d1", {}).differences == []
    _lose(2)
    differences = audit.journal_audit("d1", {}).differences
    assert "journal: 37 entries found, the verbs have written 42" in differences


def _lose(page: int) -> None:
    with writing() as session:
        session.execute(delete(JournalPage).where(JournalPage.page == page))


TICK = """
from inventory import archive, journal
journal.PAGE, archive.KEEP = 5, 8
archive.tick()
"""
