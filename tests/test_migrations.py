"""Migrations make just the tables that the models describe."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import storefront.tables  # noqa: F401
from checkout import catalogue_shape, offers
from checkout.prices import NumberFacts, OfferFacts, quote
from runtime.db import Base, engine
from tests.shop import ROOT


def test_the_newest_schema_is_the_models(schema: None) -> None:
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_what_was_on_offer_before_versions_becomes_the_first_one(tmp_path: Path) -> None:
    """A shop of before 0006 with a card, a bundle and an order on it, brought to the newest schema."""
    home = {"HAOKA_HOME": str(tmp_path), "HAOKA_LOG_LEVEL": "WARNING", "PATH": "/usr/bin:/bin"}

    def run(code: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    run(
        "from alembic import command; from storefront import migrating as m; command.upgrade(m.config(), '0005')"
    )
    database = next(tmp_path.glob("*.db"))
    with closing(sqlite3.connect(database)) as before:
        before.executescript(BEFORE)
        before.commit()
    run("from storefront import migrating; migrating.upgrade(); migrating.upgrade()")
    with closing(sqlite3.connect(database)) as after:
        assert after.execute("PRAGMA foreign_key_check").fetchall() == []
        [(version, document)] = after.execute("SELECT version, document FROM catalogue_versions").fetchall()
        terms = {id: json.loads(told) for id, told in after.execute("SELECT id, terms FROM offers")}
    known = catalogue_shape.read(json.loads(document))
    assert (version, list(known.plan), list(known.sku)) == (1, ["p20", "p186"], ["S8"])
    card, bundle = (msgspec.convert(terms[id], OfferFacts) for id in ("card", "bundle"))
    assert card == offers.terms_of(known, 1, "d", "p20")
    made = offers.terms_of(known, 1, "d", "p186", "S8", 24)
    assert quote(bundle, NumberFacts("18600138021", "d")) == quote(made, NumberFacts("18600138021", "d"))
    assert (bundle.handset_zh, bundle.handset_fen, bundle.return_fen) == ("手机 8GB 黑", 139_900, 15_000)


BEFORE = """
INSERT INTO plans VALUES ('p20', '二十', 'Twenty', 'prepaid', 2000, 5000, 30, 100, 20);
INSERT INTO plans VALUES ('p186', '一八六', 'One-eight-six', 'postpaid', 18600, 20000, 510, 650, 0);
INSERT INTO handsets VALUES ('h', '手机', 'Phone');
INSERT INTO handset_skus VALUES ('S8', 'h', '黑', 'black', 8);
INSERT INTO contract_policies VALUES ('h:p186:24', 'h', 'p186', 24, 139900, 360000, 15000, 'notice');
INSERT INTO offers VALUES ('card', 'd', 'card', 0, 'p20', NULL, NULL);
INSERT INTO offers VALUES ('bundle', 'd', 'bundle', 1, 'p186', 'S8', 'h:p186:24');
"""
