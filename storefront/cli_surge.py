"""The command line for the surge: `haoka surge`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from storefront.surge_plan import Plan

_SHARE = click.FloatRange(0, 1)


@click.command("surge")
@click.option("--connected", type=click.IntRange(1), help="Open event streams, and nothing is sold.  [60000]")
@click.option("--drop", "numbers", type=click.IntRange(1), help="A whole drop of so many numbers.")
@click.option("--shoppers", type=click.IntRange(1), help="People who come to it.  [three for two numbers]")
@click.option(
    "--at-once", type=click.IntRange(1), default=Plan.at_once, show_default=True, help="Here at once."
)
@click.option(
    "--rate", type=click.IntRange(1), default=Plan.rate, show_default=True, help="Let in a second, at most."
)
@click.option(
    "--inside", "cap", type=click.IntRange(1), default=Plan.cap, show_default=True, help="Inside at once."
)
@click.option(
    "--verified", type=_SHARE, default=Plan.verified, show_default=True, help="Of them, verified before."
)
@click.option(
    "--walk-away", type=_SHARE, default=0.0, show_default=True, help="Of them, who never come when called."
)
@click.option(
    "--kill-web", type=click.IntRange(0), default=0, help="How often a web process is killed meanwhile."
)
@click.option(
    "--workers/--no-workers", default=True, show_default=True, help="Papers, checks and notices beside it."
)
@click.option(
    "--minutes", type=float, default=Plan.minutes, show_default=True, help="The longest it may take."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of who is who.")
@click.option("--bots", type=click.IntRange(0), default=0, help="Connections of bots, beside the shoppers.")
@click.option("--bot-accounts", type=click.IntRange(1), default=Plan.bot_accounts, show_default=True)
@click.option("--bot-addresses", type=click.IntRange(1), default=Plan.bot_addresses, show_default=True)
@click.option(
    "--hoarders",
    type=_SHARE,
    default=0.0,
    show_default=True,
    help="Of the shoppers, who hold and never order.",
)
@click.option(
    "--per-network", "limit_network", type=click.IntRange(0), default=0, help="Places for one address."
)
@click.option("--hold-seconds", type=click.IntRange(30), default=Plan.hold_seconds, show_default=True)
@click.option(
    "--calm", type=click.FloatRange(0), default=Plan.calm, show_default=True,
    help="Seconds before the opening in which nobody comes; what waiting costs is measured in them.",
)  # fmt: skip
@click.option(
    "--database", type=click.Choice(["sqlite", "postgres"]), default=Plan.database, show_default=True,
    help="postgres: the server that HAOKA_TEST_DATABASE_URL names.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path), help="Write a page with a picture: DIR/NAME (.md, .svg)."
)
@click.option(
    "--draw",
    "draw_file",
    type=click.Path(path_type=Path),
    help="The draw as published, for haoka draw verify.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Everything measured, as JSON.")
def surge(
    connected: int | None,
    numbers: int | None,
    report: Path | None,
    draw_file: Path | None,
    json_file: Path | None,
    **given: Any,
) -> None:
    """A crowd at the door of a shop of its own.

    With --connected so many people join a queue and keep its event stream open: how soon a change reaches all of
    them, alone and while others hold numbers, and what a stream costs. With --drop a whole drop is sold to people who
    queue, wait, pick, hold and order, and what each was told is held against what happened.

    Exit code 1 when anything was not as it must be: a stream dropped, a number sold twice or not at all, a place that
    is not the drawn one or changed, somebody who was not told of the end, an audit that is not clean."""
    if connected and numbers:
        raise click.UsageError("give --connected or --drop, not both")
    from storefront import bench_report, surge_connected, surge_drop, surge_judged, surge_report
    from storefront.bench_shop import BenchError

    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {line}", err=True)

    try:
        if numbers:
            plan = Plan(numbers, given.pop("shoppers") or -(-numbers * 3 // 2), **given)
            found, lines = surge_drop.run(plan, say), surge_judged.closing_lines
        else:
            found, lines = surge_connected.run(connected or 60_000, say), surge_connected.closing_lines
    except BenchError as trouble:
        click.echo(f"surge: {trouble}", err=True)
        sys.exit(1)
    if json_file:
        json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    if draw_file and numbers:
        draw_file.write_text(json.dumps(found["details"]["draw"]) + "\n")
    if report and numbers:
        surge_report.write(found, report.parent, report.name, _typed())
    click.echo("\n".join([*lines(found), bench_report.where(found["details"]["machine"])]))
    sys.exit(bool(found.get("wrong")))


def _typed() -> str:
    """The command as it was typed, without where the results go."""
    ctx, typed = click.get_current_context(), ["bin/surge"]
    for option in ctx.command.params:
        said = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if said and option.name not in ("report", "draw_file", "json_file", "database"):
            value = ctx.params[str(option.name)]
            typed += (
                [option.opts[0], str(value)]
                if not isinstance(value, bool)
                else [(option.opts if value else option.secondary_opts)[0]]
            )
    return " ".join(typed)
