"""The command line for measuring: `haoka bench`."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from storefront.bench_plan import SECTIONS, Plan


def _sections(_ctx: object, _param: object, value: str) -> tuple[str, ...]:
    chosen = tuple(value.split(",")) if value else SECTIONS
    if strange := set(chosen) - set(SECTIONS):
        raise click.BadParameter(f"{', '.join(sorted(strange))}: choose of {', '.join(SECTIONS)}")
    return chosen


_json_file = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the result there."
)


@click.group(invoke_without_command=True)
@click.option("--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--seconds", type=float, default=Plan.seconds, show_default=True, help="Of each measurement.")
@click.option("--rounds", type=int, default=Plan.rounds, show_default=True, help="Of each section.")
@click.option("--connections", type=int, default=Plan.connections, show_default=True)
@click.option(
    "--web", type=int, default=1, show_default=True, help="Web processes, and bare ones to compare."
)
@click.option(
    "--usual", type=int, default=Plan.usual, show_default=True, help="Numbers of a drop, and shoppers."
)
@click.option("--only", callback=_sections, help=f"Sections, by comma: {','.join(SECTIONS)}.")
@click.option("--quick", is_flag=True, help="Small drops, half a second each: does it work, not how fast.")
@click.option(
    "--write-docs", is_flag=True, help="Measure, sell out, compare servers; write docs/benchmarks.md."
)
@_json_file
@click.pass_context
def bench(
    ctx: click.Context, /, quick: bool, write_docs: bool, json_file: Path | None, **chosen: Any
) -> None:
    """Measure what holds, refusals, searches and orders cost in bare requests, on a shop of its own.

    Everything is measured in one run and proved by the audit; exit code 1 when it is not clean."""
    from storefront import bench as benching
    from storefront import bench_report

    ctx.obj = Plan(**chosen | (benching.QUICK if quick else {}))
    if ctx.invoked_subcommand:
        return
    found = _run(lambda say: benching.run(ctx.obj, say), json_file)
    told = [*bench_report.table(found), "", bench_report.where(found["details"]["machine"])]
    click.echo("\n".join(told))
    if write_docs:
        bench_report.write("bench", told)
        few = {"numbers": 1_000, "buyers": 1_200} if quick else {}
        bench_report.write("sell-out", ctx.invoke(sell_out, **few))
        bench_report.write("servers", ctx.invoke(servers))


@bench.command("sell-out")
@click.option("--numbers", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--buyers", type=click.IntRange(1), default=120_000, show_default=True)
@click.option("--connections", type=int, default=200, show_default=True)
@_json_file
@click.pass_obj
def sell_out(plan: Plan, /, numbers: int, buyers: int, connections: int, json_file: Path | None) -> list[str]:
    """Let more buyers than numbers buy over HTTP until all are gone; exit code 1 unless every hold is exact."""
    from storefront import bench_report, bench_sellout

    plan = replace(plan, connections=connections)
    found = _run(lambda say: bench_sellout.run(plan, numbers, buyers, say), json_file)
    command = f"bin/bench sell-out --numbers {numbers} --buyers {buyers}"
    told = ["```", f"$ {command}", bench_sellout.closing_line(found), "```", ""]
    told.append(bench_report.where(found["details"]["machine"]))
    click.echo("\n".join(told))
    return told


@bench.command()
@click.option(
    "--streams", type=click.IntRange(1), default=1_000, show_default=True, help="Open event streams."
)
@_json_file
@click.pass_obj
def servers(plan: Plan, /, streams: int, json_file: Path | None) -> list[str]:
    """Compare uvicorn and granian: speed, event streams, stopping, dying."""
    from storefront import bench_report, bench_servers

    found = _run(lambda say: bench_servers.run(plan, streams, say), json_file)
    told = [*bench_report.servers(found), "", bench_report.where(found["machine"])]
    click.echo("\n".join(told))
    return told


def _run(
    measure: Callable[[Callable[[str], None]], dict[str, Any]], json_file: Path | None
) -> dict[str, Any]:
    """Measure, saying what goes on; a bench that cannot be believed ends here with exit code 1."""
    from storefront.bench_shop import BenchError

    start = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - start:6.1f} s] {line}", err=True)

    try:
        found = measure(say)
    except BenchError as trouble:
        click.echo(f"bench: {trouble}", err=True)
        sys.exit(1)
    if json_file:
        json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return found
