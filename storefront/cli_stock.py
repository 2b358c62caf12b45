"""The command line's part for the stock of a drop: `haoka audit` and `haoka rebuild`."""

import json
import sys

import click


def _say(line: str) -> None:
    click.echo(line, err=True)


@click.command()
@click.argument("drop_id")
@click.option("--repair", "mend", is_flag=True, help="Close what is safe to close; tells each step.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def audit(drop_id: str, mend: bool, as_json: bool) -> None:
    """Prove loaded = free + held + ordered + paid + withdrawn from journal, Redis and SQL.

    Without --repair nothing is changed: each difference is told with what --repair would do, or why a person must
    decide. Exit code 0 when there is no difference (left), else 1."""
    from checkout import audit as auditing
    from checkout import repairing

    steps: list[str] = []
    if mend:
        done = repairing.repair(drop_id, _say)
        report, steps = done.after, done.steps
    else:
        report = auditing.audit(drop_id, _say)
    told = repairing.remedies(drop_id, report, auditing.MOST)
    if as_json:
        differences = [
            {"text": one.difference.text, "repairable": one.act is not None, "remedy": one.words}
            for one in told
        ]
        whole = {
            "drop": drop_id, "clean": report.clean, "count": len(report.found), "lines": report.lines,
            "differences": differences, "repaired": steps,
        }  # fmt: skip
        click.echo(json.dumps(whole, ensure_ascii=False))
    else:
        for line in report.lines:
            click.echo(line)
        for step in steps:
            click.echo(f"REPAIRED {step}")
        for one in told:
            mark = "--repair" if one.act else "not repairable"
            click.echo(f"DIFFERENCE {one.difference.text} [{mark}: {one.words}]")
        if len(report.found) > len(told):
            click.echo(f"and {len(report.found) - len(told)} more")
        click.echo(f"{drop_id}: {len(report.found)} differences")
    sys.exit(0 if report.clean else 1)


@click.command()
@click.argument("drop_id")
def rebuild(drop_id: str) -> None:
    """Load a drop again whose Redis lost its data: live orders keep their numbers. Refused over a live drop."""
    from checkout import rebuilding

    refused = rebuilding.rebuild(drop_id)
    for order in refused:
        click.echo(f"{order}: its number was not there to give")
    click.echo(f"{drop_id} is loaded again; now run: haoka audit {drop_id}")
    sys.exit(1 if refused else 0)
