"""The canary: after a purchase's worth of identity checks, no store and no log of ours holds an ID in clear."""

import io
import logging
import re
from datetime import timedelta

import httpx2
import pytest
import structlog
from redis import Redis

from kyc import codes, identity, people, vault
from kyc.id_number import made_up
from runtime import clock, outbox
from runtime.db import Base, reading, writing
from runtime.log import configure, log

NAME, PHONE = "金丝雀", "18698765432"


def stored() -> str:
    """Every column of every table of ours, as text."""
    cells: list[str] = []
    with reading() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.connection().exec_driver_sql(f"SELECT * FROM {table.name}"):
                cells += [
                    bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
                    for cell in row
                ]
    return "\n".join(cells)


def test_no_store_and_no_log_holds_an_id_number_in_clear(
    db: None, redis: Redis, twins: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    number = made_up("330100", clock.shanghai_date().replace(year=1991, month=4, day=5), 909)
    written = io.StringIO()
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(identity, "PATIENCE", 2.0)
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(written),
        cache_logger_on_first_use=False,
    )
    try:
        with writing() as session:
            person_id = people.enrol(session, "acc_canary", NAME, number, min_age=16).id
            codes.send(session, PHONE, purpose="login", binding="tab-1")
        httpx2.post(f"{twins}/identity/weather", data={"weather": "down"}, trust_env=False)
        outbox.drain_all()  # a failure, logged and kept in the outbox
        httpx2.post(f"{twins}/identity/weather", data={"weather": "up"}, trust_env=False)
        waiting = stored()
        clock.shift(timedelta(seconds=5))
        outbox.drain_all()
        with writing() as session:
            assert people.find(session, person_id).state == "verified"
            plain = vault.reveal(session, person_id, who="ops:zhao", why="the door")
        log.warning("canary.seen", plain=plain, person=person_id)
        try:
            raise RuntimeError("a bug beside plaintext")
        except RuntimeError:
            log.exception("canary.bug", person=person_id)
    finally:
        configure("WARNING")
    assert plain.id_number == number
    keys = "\n".join(f"{key} {redis.dump(key)!r}" for key in redis.scan_iter())
    everything = "\n".join((waiting, stored(), keys, written.getvalue(), caplog.text))
    assert "kyc.verify" in everything  # the net has caught something
    for secret in (number, number[6:14], NAME, NAME.encode().decode("latin-1"), PHONE, "1991-04-05"):
        assert not re.search(re.escape(secret), everything), secret
