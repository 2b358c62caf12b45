"""The command line for drops: `haoka drop`."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from runtime import clock


@click.group()
def drop() -> None:
    """Timed drops."""


def _when(_ctx: object, _param: object, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            "an ISO time, e.g. 2026-12-01T10:00 (Shanghai time unless it has a zone)"
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=clock.SHANGHAI)


@drop.command("create")
@click.argument("drop_id")
@click.option("--name", required=True)
@click.option(
    "--opens", "opens_at", required=True, callback=_when, help="ISO time, Shanghai unless it has a zone."
)
@click.option("--closes", "closes_at", callback=_when, help="ISO time; open end without it.")
@click.option("--pool", required=True, help="Number pool the stock comes from.")
@click.option("--city", "cities", multiple=True, required=True, help="City code; repeat for several.")
@click.option("--quota", type=int, help="At most so many numbers; all of the pool without it.")
@click.option("--limit-account", default=1, show_default=True)
@click.option("--limit-person", default=1, show_default=True)
@click.option(
    "--campaign", help="Limits hold over all rounds of a campaign; any name, the same for each round."
)
@click.option(
    "--lots", default=1, show_default=True, help="Parts of the stock, for a drop too hot for one Redis."
)
@click.option("--sku", "skus", multiple=True, help="Handset stock, SKU=COUNT; repeat for several.")
@click.option("--actor", default="cli", show_default=True)
def create_drop(drop_id: str, skus: tuple[str, ...], cities: tuple[str, ...], **given: Any) -> None:
    """Make a drop (state: draft)."""
    from inventory import drops
    from runtime.db import writing

    counted = {}
    for entry in skus:
        sku, _, count = entry.partition("=")
        if not count.isdigit():
            raise click.BadParameter(f"{entry!r}: write SKU=COUNT", param_hint="--sku")
        counted[sku] = int(count)
    with writing() as session:
        made = drops.create(session, id=drop_id, cities=list(cities), skus=counted, **given)
    click.echo(f"{made.id} {made.state}")


def _move(verb: str, doc: str) -> Callable[..., None]:
    @drop.command(verb, help=doc)
    @click.argument("drop_id")
    @click.option("--reason", required=True, help="Kept in the drop's history.")
    @click.option("--actor", default="cli", show_default=True)
    def move(drop_id: str, reason: str, actor: str) -> None:
        from inventory import drops
        from runtime.db import writing

        with writing() as session:
            moved = getattr(drops, verb.replace("-", "_"))(session, drop_id, actor=actor, reason=reason)
        click.echo(f"{moved.id} {moved.state}")

    return move


_move("schedule", "Announce a drop: shoppers see it with its countdown.")
_move("warm", "Load the stock; from opens_at on it sells.")
_move("pause", "Stop holds at once; what is held stays held.")
_move("resume", "Sell again.")
_move("close", "End the sale.")
_move("cash-off", "Take no more orders with cash on delivery; those that stand go on.")
_move("cash-on", "Take orders with cash on delivery again.")
_move("settle", "Give unsold numbers back to the pool and clear Redis.")


@drop.command("rehearse")
@click.argument("drop_id")
@click.option(
    "--numbers", type=click.IntRange(1), help="Of the shadow, and so many shoppers; 10,000 at most.  [2000]"
)
@click.option("--anyway", is_flag=True, help="Although a drop is selling: it takes what its shoppers need.")
@click.option("--actor", default="cli", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The card as JSON.")
def rehearse(drop_id: str, numbers: int | None, anyway: bool, actor: str, as_json: bool) -> None:
    """Sell a shadow of the drop to made-up shoppers, and say how many people a second to let in.

    On this installation, while no drop sells. Real stock, people and their limits are not touched; nobody is sent
    anything."""
    from dataclasses import asdict

    from storefront import rehearsing

    card = rehearsing.run(
        drop_id, actor=actor, count=numbers or rehearsing.USUAL, anyway=anyway,
        say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    click.echo(json.dumps(asdict(card)) if as_json else "\n".join(rehearsing.lines(card)))
    sys.exit(not card.exact)


@drop.command("open")
@click.argument("drop_id")
@click.option("--reason", required=True)
@click.option("--actor", default="cli", show_default=True)
@click.pass_context
def open_drop(ctx: click.Context, drop_id: str, reason: str, actor: str) -> None:
    """Load the stock if need be and sell from opens_at on (schedule and warm in one)."""
    from inventory import drops
    from runtime.db import reading, writing

    for state, verb in (("draft", drops.schedule), ("scheduled", drops.warm), ("paused", drops.resume)):
        with reading() as session:
            now = drops.find(session, drop_id).state
        if now == state:
            with writing() as session:
                verb(session, drop_id, actor=actor, reason=reason)
    ctx.invoke(drop_status, drop_id=drop_id)


@drop.command("status")
@click.argument("drop_id")
def drop_status(drop_id: str) -> None:
    """State and figures of a drop."""
    from inventory import drops, tallies
    from runtime.db import reading

    with reading() as session:
        found = drops.find(session, drop_id)
    tally = tallies.tally(drop_id)
    opens = found.opens_at.astimezone(clock.SHANGHAI).isoformat(timespec="seconds")
    click.echo(f"{found.id} {drops.face(found)}, opens {opens}")
    click.echo(
        f"loaded {tally.loaded} = free {tally.free} + held {tally.held} + ordered {tally.ordered} + paid {tally.paid}"
        f" + withdrawn {tally.withdrawn}"
    )
