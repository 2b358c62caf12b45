"""The command line's part for the catalogue: `haoka catalogue import|show|versions|quote`."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.group()
def catalogue() -> None:
    """Plans, handsets, contracts, grades and promotions: what can be put on offer."""


@catalogue.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--preview", "only_look", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--reason", default="import", show_default=True, help="Why; kept with the version.")
@click.option("--actor", default="cli", show_default=True, help="Who; kept with the version.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def import_(files: tuple[Path, ...], only_look: bool, reason: str, actor: str, as_json: bool) -> None:
    """Import TOML or CSV files, one after the other, as the next version of the catalogue.

    What a file names is added or changed, what it does not name stays. Every fault is told with its place, and then
    nothing is imported. Offers of drops keep the version they were made from."""
    import msgspec

    from checkout import catalogue as desk
    from runtime.db import reading, writing

    with reading() as session:
        seen = desk.preview(session, [(path.name, path.read_bytes()) for path in files])
    version = seen.base
    if not only_look:
        with writing() as session:
            version = desk.publish(session, seen, actor=actor, reason=reason)
    if as_json:
        told = {"base": seen.base, "version": version, "changes": msgspec.to_builtins(seen.changes)}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for change in seen.changes:
        fields = ", ".join(f"{name} {was or '-'} -> {now or '-'}" for name, was, now in change.fields)
        click.echo(f"{change.what} {change.thing} {change.code}" + (f": {fields}" if fields else ""))
    if not seen.changes:
        click.echo(f"nothing changes: version {version} says the same")
    elif only_look:
        click.echo(f"{len(seen.changes):,} changes over version {seen.base}; nothing is imported")
    else:
        click.echo(f"{len(seen.changes):,} changes: version {version}")


@catalogue.command()
@click.option("--version", type=int, help="An older version; without it the newest.")
def show(version: int | None) -> None:
    """Print a version of the catalogue as JSON; money in fen."""
    from checkout import catalogue as desk
    from checkout import catalogue_shape
    from runtime.db import reading

    with reading() as session:
        found = desk.at(session, desk.newest(session) if version is None else version)
    click.echo(json.dumps(catalogue_shape.written(found), ensure_ascii=False, indent=1, default=str))


@catalogue.command()
def versions() -> None:
    """List the versions, the newest first: when, who, why, how much changed."""
    from checkout import catalogue as desk
    from runtime import clock
    from runtime.db import reading

    with reading() as session:
        for one in desk.versions(session):
            at = one.at.astimezone(clock.SHANGHAI)
            click.echo(
                f"{one.version}  {at:%Y-%m-%d %H:%M}  {one.actor}  {len(one.changes)} changes  {one.reason}"
            )


@catalogue.command()
@click.argument("plan")
@click.option("--sku", default="", help="A handset's sku; with it --months.")
@click.option("--months", type=int, default=0, help="The contract's term.")
@click.option("--grade", type=int, default=9, show_default=True, help="The number's grade.")
@click.option("--first-month", default="", help="full, half or usage; without it the plan's usual way.")
@click.option("--extra", "extras", multiple=True, help="A bundle's code; repeat for several.")
@click.option("--first-order", is_flag=True, help="The shopper has no order yet.")
@click.option("--verified", is_flag=True, help="The shopper's identity is verified.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole quote as JSON; money in fen.")
def quote(plan: str, sku: str, months: int, grade: int, as_json: bool, **chosen: Any) -> None:
    """Quote a plan, or with --sku and --months a handset on contract, from the newest catalogue."""
    from checkout import catalogue as desk
    from checkout import drafts, offers, prices
    from inventory import grades
    from runtime import clock
    from runtime.db import reading
    from runtime.facts import N_, Invalid

    with reading() as session:
        version = desk.newest(session)
        terms = offers.terms_of(desk.at(session, version), version, "", plan, sku, months)
        asked = grades.table(session).get(grade)
    if asked is None:
        raise Invalid(grade=N_("Grades are 1 to 6, and 9 for ordinary numbers."))
    number = prices.NumberFacts("", "", asked.prestore_fen, asked.min_spend_fen, asked.term_months, grade)
    who = drafts.audience(first_order=chosen["first_order"], verified=chosen["verified"])
    choice = prices.Choice(chosen["first_month"], frozenset(chosen["extras"]), who, clock.now())
    price = prices.quote(terms, number, choice)
    if as_json:
        json.dump(prices.freeze(price), sys.stdout, ensure_ascii=False)
        click.echo()
        return
    for line in price.lines:
        named = f" ({line.en})" if line.en else ""
        reason = line.reason.format(**line.args)
        click.echo(f"{prices.yuan(line.amount_fen):>10}  {line.when:8}{line.label}{named}. {reason}")
    click.echo(f"{prices.yuan(price.due_now_fen):>10}  due now")
    click.echo(f"{prices.yuan(price.monthly_due_fen):>10}  in a usual month")
    if price.term_months:
        click.echo(f"{prices.yuan(price.total_fen):>10}  in all over {price.term_months} months")
