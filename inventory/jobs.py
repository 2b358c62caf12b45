"""Jobs of the inventory desk."""

import gzip

import msgspec

from inventory import journal, verbs
from inventory.models import Drop, JournalPage
from runtime import outbox
from runtime.db import insert_new, reading, writing
from runtime.redis import asking

CLEAR = "drop.clear"


@outbox.handles(CLEAR, queue="papers")
def clear(drop_id: str) -> None:
    """Archive a settled drop's journal in SQL, then remove its keys. Run again it finds its pages there."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
    if drop is None or drop.state != "settled":
        return
    for page, entries in enumerate(journal.pages(drop_id)):
        body = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        row = {
            "drop_id": drop_id,
            "page": page,
            "entries": len(entries),
            "body": gzip.compress(body, mtime=0),
        }
        with writing() as session:
            insert_new(session, JournalPage, [row])
    with asking() as client:
        client.unlink(*(verbs.key(drop_id, name) for name in verbs.ALL_KEYS))
