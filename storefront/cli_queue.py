"""The command line for queues and draws: `haoka drop queue`, `haoka draw`."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from inventory import draw as drawing
from inventory.draw import Draw


@click.command("queue")
@click.argument("drop_id")
@click.option("--mode", help="off, always or busy.")
@click.option("--rate", type=int, help="People let in a second, at most.")
@click.option("--inside", "cap", type=int, help="People inside at once.")
@click.option("--stay", "stay_seconds", type=int, help="Seconds inside, to pick and hold.")
@click.option("--come", "come_seconds", type=int, help="Seconds to come in after being called.")
@click.option("--per-network", "limit_network", type=int, help="Places for one address; 0: no limit.")
@click.option("--per-device", "limit_device", type=int, help="Places for one browser; 0: no limit.")
@click.option("--per-person", "limit_person", type=int, help="Places for one verified ID; 0: no limit.")
@click.option("--challenge", type=int, help="Work on joining: 0 none, 1 light, 2 felt, 3 hard.")
@click.option("--reason", default="", help="Kept in the drop's history; needed for a change.")
@click.option("--actor", default="cli", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The rules as JSON.")
def queue(drop_id: str, reason: str, actor: str, as_json: bool, **wished: Any) -> None:
    """Give a drop a queue, or change its rules, live; without options show them.

    What is not named stays as it is."""
    from inventory import drops, queue_rules
    from runtime.db import reading, writing

    wished = {name: value for name, value in wished.items() if value is not None}
    if wished:
        if len(reason.strip()) < 3:
            raise click.UsageError("--reason: say why, in a few words")
        with writing() as session:
            queue_rules.change(session, drop_id, actor=actor, reason=reason, **wished)
    with reading() as session:
        drops.find(session, drop_id)
        found = queue_rules.find(session, drop_id)
    if found is None:
        click.echo("{}" if as_json else f"{drop_id} has no queue; give it one with --mode")
        return
    rules = {name: getattr(found, name) for name in vars(queue_rules.Rules())}
    if as_json:
        click.echo(json.dumps({**rules, "commitment": found.commitment, "drawn": found.tickets}))
        return
    click.echo(f"{drop_id} queue: " + ", ".join(f"{name} {value}" for name, value in rules.items()))
    click.echo(f"commitment {found.commitment}")
    if found.drawn_at is not None:
        click.echo(f"drawn: {found.tickets:,} tickets, final seed {found.final_seed}")


@click.group("draw")
def draw() -> None:
    """The draw of a drop's queue, for anybody to check."""


@draw.command("show")
@click.argument("drop_id")
def show(drop_id: str) -> None:
    """The published draw as JSON: before the opening its commitment alone."""
    from inventory import queue_rules
    from runtime.db import reading

    with reading() as session:
        click.echo(msgspec.json.encode(queue_rules.published(session, drop_id)))


@draw.command("verify")
@click.argument("source")
@click.option("--commitment", default="", help="The fingerprint you saw before the opening, to compare.")
def verify(source: str, commitment: str) -> None:
    """Work a published draw out again. SOURCE is a file or an address, e.g. https://shop/api/v1/drops/spring/draw.

    Needs no shop and no settings. Exit code 1 when anything does not fit, with what it is."""
    try:
        told = msgspec.json.decode(_read(source), type=Draw)
    except (msgspec.MsgspecError, OSError, ValueError) as trouble:
        raise click.ClickException(f"{source} is no published draw: {trouble}") from None
    wrong = drawing.faults(told, commitment.strip().lower())
    for fault in wrong:
        click.echo(f"wrong: {fault}")
    if wrong:
        sys.exit(1)
    click.echo(f"the draw of {told.drop} is good: {told.tickets:,} tickets, final seed {told.final_seed}")
    if not commitment:
        click.echo("compare what was published before the opening with --commitment:")
        click.echo(told.commitment)


def _read(source: str) -> bytes:
    address = urlsplit(source)
    if address.scheme not in ("http", "https"):
        return Path(source).read_bytes()
    from runtime.http import client

    with client(f"{address.scheme}://{address.netloc}", timeout=30) as shop:
        answer = shop.get(address.path + (f"?{address.query}" if address.query else ""))
    if answer.status_code != 200:
        raise ValueError(f"answered {answer.status_code}")
    body: bytes = answer.content
    return body
