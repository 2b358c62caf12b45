"""A rehearsal sells a shadow of a drop on a shop that runs, and leaves nothing of it behind but its card."""

import json
import os
import subprocess
import sys

from tests.shop import ROOT, Shop, until

ROUND = "second-round"
# Rows by table that a sale would add to, and what of a rehearsal is anywhere.
LEFT = """
import json
from sqlalchemy import func, select, text
from runtime.db import Base, reading
from runtime.redis import asking
import storefront.models, inventory.models, checkout.models, logistics.models, kyc.models, runtime.outbox
with reading() as session:
    tables = Base.metadata.sorted_tables
    rows = {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}
    shadows = [
        table.name for table in tables for column in table.columns
        if table.name != "rehearsals" and str(column.type).startswith(("VARCHAR", "TEXT"))
        and session.scalar(select(func.count()).select_from(table).where(column.like("rehearsal-%")))
    ]
with asking() as client:
    shadows += list(client.scan_iter(match="*rehearsal-*"))
told = "accounts shopper_sessions people numbers drops offers orders claims outbox drop_queues drop_actions"
print(json.dumps({"rows": {name: rows[name] for name in told.split()}, "shadows": shadows}))
"""


def left(shop: Shop) -> dict[str, object]:
    env = os.environ | {"HAOKA_HOME": str(shop.home), "HAOKA_PORT": str(shop.port)} | shop.env
    if "HAOKA_DATABASE_URL" not in shop.env:
        env.pop("HAOKA_DATABASE_URL", None)
    asked = subprocess.run(
        [sys.executable, "-c", LEFT], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    told: dict[str, object] = json.loads(asked.stdout)
    return told


def test_a_rehearsal_sells_a_shadow_and_leaves_only_its_card(shop: Shop) -> None:
    before = left(shop)
    busy = shop.haoka("drop", "rehearse", ROUND)
    assert busy.returncode == 1
    assert "A drop is selling" in busy.stderr

    told = shop.haoka("drop", "rehearse", ROUND, "--numbers", "90", "--anyway", "--json")
    assert told.returncode == 0, told.stderr
    card = json.loads(told.stdout)
    assert card["exact"]
    assert (card["shoppers"], card["answers"]["order 201"], card["answers"]["join 200"]) == (90, 90, 90)
    assert card["rate"] >= 1
    assert card["cap"] == 60 * card["rate"]
    assert card["sells_in_s"] * card["rate"] >= card["numbers"] > 90
    assert "90 of 90 ordered" in told.stderr or "joined; the shadow opens" in told.stderr

    assert left(shop) == {**before, "shadows": []}
    assert shop.haoka("audit", "first-round").returncode == 0
    listed = until(lambda: shop.client().get("/api/v1/drops").json()["drops"])
    assert not [one for one in listed if one["id"].startswith("rehearsal-")]
