"""The command line's part for reservations: `haoka reservation create|list|draw`."""

from datetime import datetime, timedelta

import click


@click.group()
def reservation() -> None:
    """Campaigns in which people reserve a coming handset."""


@reservation.command()
@click.argument("campaign")
@click.option("--handset", required=True, help="Its code in the catalogue.")
@click.option(
    "--drop",
    "drop_id",
    required=True,
    help="The drop whose handsets are given out, and where they are bought.",
)
@click.option("--opens", required=True, help="When reserving begins, ISO 8601 with an offset.")
@click.option("--closes", required=True, help="When it ends; before the drop opens.")
@click.option("--rule", type=click.Choice(["draw", "first"]), default="draw", show_default=True)
@click.option("--redeem", default=2_880, show_default=True, help="Minutes a turn lasts.")
@click.option("--reason", default="announced", show_default=True)
@click.option("--actor", default="cli", show_default=True)
def create(
    campaign: str, handset: str, drop_id: str, opens: str, closes: str, rule: str, redeem: int, reason: str,
    actor: str,
) -> None:  # fmt: skip
    """Announce a campaign. The fingerprint of its draw's seed is published at once."""
    from runtime.db import writing
    from storefront import reservations

    with writing() as session:
        made = reservations.create(
            session, campaign, handset=handset, drop_id=drop_id, opens_at=_time("--opens", opens),
            closes_at=_time("--closes", closes), rule=rule, redeem=timedelta(minutes=redeem), actor=actor,
            reason=reason,
        )  # fmt: skip
    click.echo(f"{made.id}: {made.rule}, published: {made.commitment}")


@reservation.command("list")
def listing() -> None:
    """All campaigns: state, reservations, draw."""
    from runtime.db import reading
    from storefront import reservations

    with reading() as session:
        for one in reservations.listing(session):
            count = reservations.count(session, one.id)
            click.echo(
                f"{one.id}  {reservations.face(one)}  {one.handset} in {one.drop_id}  {count:,} reservations"
            )


@reservation.command()
@click.argument("campaign")
def draw(campaign: str) -> None:
    """Hold the draw of a campaign that has ended, and give out the turns. The clock does both by itself."""
    from runtime.db import reading
    from storefront import reservation_turns, reservations

    with reading() as session:
        state = reservations.face(reservations.find(session, campaign))
    if state in ("before", "open"):
        raise click.ClickException(f"{campaign} is {state}: it is drawn after its end")
    drawn = reservation_turns.hold_draw(campaign)
    given = reservation_turns.give_turns(campaign)
    click.echo(f"{drawn.tickets:,} tickets in order, {given:,} qualify now")


def _time(option: str, given: str) -> datetime:
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter(
            f"{given!r} is no time with an offset, such as 2026-12-01T10:00:00+08:00", param_hint=option
        )
    return at
