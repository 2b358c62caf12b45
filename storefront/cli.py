"""The command line: `haoka`. Each command calls the same function as the page and the API."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from runtime.facts import Fact, Invalid
from runtime.settings import SettingsError
from storefront.cli_bench import bench
from storefront.cli_catalogue import catalogue
from storefront.cli_drops import drop
from storefront.cli_queue import draw, queue
from storefront.cli_reservations import reservation
from storefront.cli_stock import audit, rebuild
from storefront.cli_surge import surge


class _Haoka(click.Group):
    """Facts become one clear line and exit code 1; a broken setting names itself."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Invalid as fact:
            for field, sentence in fact.errors.items():
                click.echo(f"{field}: {sentence}", err=True)
        except (Fact, SettingsError) as fact:
            click.echo(str(fact), err=True)
        ctx.exit(1)


@click.group(cls=_Haoka, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="haoka")
def main() -> None:
    """Haoka sells phone number cards and handsets in timed drops."""


drop.add_command(queue)
main.add_command(drop)
main.add_command(draw)
main.add_command(audit)
main.add_command(rebuild)
main.add_command(bench)
main.add_command(catalogue)
main.add_command(reservation)
main.add_command(surge)


@main.command()
def run() -> None:
    """Run the whole shop: Redis, database, twins, web, workers, clock, demo world."""
    from storefront import processes

    sys.exit(processes.run())


@main.command()
def web() -> None:
    """Run a web process."""
    from storefront.web import serve

    serve()


@main.command()
@click.argument("queue", type=click.Choice(["checks", "money", "papers", "dispatch", "notices"]))
def worker(queue: str) -> None:
    """Run the worker of one queue."""
    from storefront import processes

    processes.worker(queue)


@main.command("clock")
def clock_() -> None:
    """Run the clock: expiring holds, taking news, cutting manifests, waking queues."""
    from storefront import processes

    processes.clock()


@main.command()
@click.option("--port", type=int, required=True, help="Port on loopback.")
def twins(port: int) -> None:
    """Run the offline twins of Stripe, the identity service, the SMS gateway and the couriers."""
    from storefront import processes

    processes.twins(port)


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from storefront import migrating

    migrating.upgrade()


@main.command()
def seed() -> None:
    """Make the demo world in this data folder; harmless when it is there."""
    from storefront import processes
    from storefront import seed as seeding

    processes.prepare()
    seeding.demo(lambda line: click.echo(line, err=True))
    for line in seeding.addresses():
        click.echo(line)


@main.group()
def numbers() -> None:
    """Phone numbers."""


@numbers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--all-or-nothing", is_flag=True, help="Load none if any row is bad.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_numbers(file: Path, all_or_nothing: bool, as_json: bool) -> None:
    """Import numbers from a CSV (or .gz) with columns number, city, pool, and optionally grade, prestore [yuan].

    Bad rows are named with their line and reason. Running it again adds nothing twice. Exit code 1 if any row is
    bad."""
    from inventory import numbers as stock

    bar = sys.stderr.isatty()

    def progress(rows: int, loaded: int, bad: int) -> None:
        line = f"{rows:,} rows read, {loaded:,} loaded, {bad:,} bad"
        click.echo(f"\r{line}" if bar else line, nl=not bar, err=True)

    report = stock.import_file(file, all_or_nothing=all_or_nothing, progress=progress)
    if bar:
        click.echo(err=True)
    if as_json:
        bad_rows = [
            {"line": b.line, "column": b.column, "value": b.value, "reason": b.reason} for b in report.bad
        ]
        counts = {"rows": report.rows, "loaded": report.loaded, "known": report.known}
        click.echo(json.dumps({**counts, "bad": bad_rows}, ensure_ascii=False))
    else:
        for b in report.bad:
            click.echo(f"line {b.line}: {b.column}: {b.reason} ({b.value!r})")
        click.echo(
            f"{report.rows:,} rows: {report.loaded:,} loaded, {report.known:,} known already, {len(report.bad):,} bad"
        )
    sys.exit(1 if report.bad else 0)


@main.group()
def work() -> None:
    """Work that failed for good (dead letters)."""


@work.command("dead")
def dead_work() -> None:
    """List it: id, job, what it works on, the last error."""
    from runtime import outbox
    from runtime.db import reading

    with reading() as session:
        rows = outbox.dead(session)
    for row in rows:
        click.echo(f"{row.id} {row.job} {row.ref}: {row.error}")
    click.echo(f"{len(rows)} dead")


@work.command("retry")
@click.argument("row_ids", nargs=-1, required=True)
def retry_work(row_ids: tuple[str, ...]) -> None:
    """Let it be tried again, with all its tries."""
    from runtime import outbox
    from runtime.db import writing
    from storefront import processes

    processes.prepare()
    with writing() as session:
        for row_id in row_ids:
            row = outbox.revive(session, row_id)
            click.echo(f"{row.id} {row.job} {row.ref}: due again")


@main.group()
def partner() -> None:
    """Courier partners."""


@partner.command("add")
@click.argument("name")
@click.option("--courier", required=True, help="Courier code, e.g. SF.")
@click.option("--scope", "scopes", multiple=True, default=("manifests:read", "receipts:write", "scans:write"))
def add_partner(name: str, courier: str, scopes: tuple[str, ...]) -> None:
    """Make credentials for a partner. The secret is shown once."""
    from logistics import partners
    from runtime.db import writing

    with writing() as session:
        client_id, secret = partners.add(session, name=name, courier=courier, scopes=list(scopes))
    click.echo(f"client_id {client_id}\nclient_secret {secret}")


@main.group()
def ops() -> None:
    """Members of staff."""


@ops.command("add")
@click.argument("login")
@click.option("--role", type=click.Choice(["viewer", "launcher", "finance", "admin"]), default="viewer")
@click.password_option(help="At least 12 characters.")
def add_ops(login: str, role: str, password: str) -> None:
    """Add a member of staff, or set a new password and role."""
    from runtime.db import writing
    from storefront import staff

    with writing() as session:
        staff.add(session, login, password, role)
    click.echo(f"{login} {role}")
