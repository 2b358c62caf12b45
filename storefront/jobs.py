"""The storefront's jobs: importing this registers them with the outbox."""

from runtime import outbox
from runtime.facts import Fact
from runtime.log import log
from storefront import rehearsing

REHEARSE = "drop.rehearse"


@outbox.handles(REHEARSE, queue="papers")
def rehearse(ref: str) -> None:
    """`ref`: drop and who asked, with a space between. What goes wrong stands in the rehearsal's row; it is not tried
    again by itself."""
    drop_id, _, actor = ref.partition(" ")
    try:
        rehearsing.run(drop_id, actor=actor)
    except Fact as refused:
        log.warning("rehearsal.refused", drop=drop_id, code=refused.code)
