"""The command line for the surge: `haoka surge`."""

import json
import sys
import time
from pathlib import Path

import click


@click.command("surge")
@click.option(
    "--connected", type=click.IntRange(1), default=60_000, show_default=True, help="Open event streams."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Everything measured, as JSON.")
def surge(connected: int, json_file: Path | None) -> None:
    """A crowd at the door of a shop of its own: so many people join a queue and keep its event stream open; how soon
    a change reaches all of them, alone and while others hold numbers, and what a stream costs.

    Exit code 1 when a stream was dropped, a push did not arrive or the audit is not clean."""
    from storefront import bench_report, surge_connected
    from storefront.bench_shop import BenchError

    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {line}", err=True)

    try:
        found = surge_connected.run(connected, say)
    except BenchError as trouble:
        click.echo(f"surge: {trouble}", err=True)
        sys.exit(1)
    if json_file:
        json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    click.echo(
        "\n".join([*surge_connected.closing_lines(found), bench_report.where(found["details"]["machine"])])
    )
