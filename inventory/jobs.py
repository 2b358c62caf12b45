"""Jobs of the inventory desk."""

from inventory import archive, queue_archive, verbs
from inventory.models import Drop
from runtime import outbox
from runtime.db import reading
from runtime.redis import asking

CLEAR = "drop.clear"


@outbox.handles(CLEAR, queue="papers")
def clear(drop_id: str) -> None:
    """Archive the rest of a settled drop's journal in SQL, then remove its keys, but not what a campaign's limits
    count on. Run again it goes on where it stopped."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
    if drop is None or drop.state != "settled":
        return
    queue_archive.archive(drop_id, rest=True)
    gone = [name for name in verbs.ALL_KEYS if drop.campaign is None or name not in verbs.LASTING]
    for lot in range(drop.lots):
        with asking() as client:
            epoch = client.get(verbs.key(drop_id, "epoch", lot))
        if epoch is not None and epoch == drop.epoch:
            archive.archive(drop_id, lot, epoch, rest=True)
        with asking() as client:
            client.unlink(*(verbs.key(drop_id, name, lot) for name in gone))
