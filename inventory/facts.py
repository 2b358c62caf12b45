"""What the inventory desk may have to tell a shopper, as facts."""

from runtime.facts import N_, Fact, Unavailable


class Taken(Fact):
    """The number is not free. `number` is the one asked for."""

    code = "taken"
    text = N_("Somebody else was faster: this number is taken.")


class SoldOut(Fact):
    """Nothing is left: `what` is "number", or the SKU of the handset that ran out."""

    code = "sold_out"
    text = N_("Everything is held or sold. Numbers come back when a hold lapses.")


class LimitReached(Fact):
    """`whose` is "account" or "person"."""

    code = "limit_reached"
    text = N_("You have as many numbers from this drop as one shopper may have.")


class NotOpen(Fact):
    """The drop opens at `opens_at` (ISO 8601, UTC)."""

    code = "not_open"
    text = N_("This drop is not open yet.")


class DropClosed(Fact):
    code = "drop_closed"
    text = N_("This drop is closed.")


class DropPaused(Fact):
    code = "drop_paused"
    text = N_("This drop is paused for a moment.")


class Stale(Unavailable):
    """Redis does not know the drop as SQL does: it lost its data or was not loaded. Nothing is sold meanwhile."""

    code = "stale"


class Lapsed(Fact):
    """The hold or the order's claim is over: the number is not theirs any more."""

    code = "lapsed"
    text = N_("The time to keep this number is over. Please pick a number again.")


class Ordered(Fact):
    """The hold has already become the order `order_id`."""

    code = "ordered"
    text = N_("This number is already in an order.")


class NotAdmitted(Fact):
    """People queue for this drop and it is not this shopper's turn: `state` is that of their place
    (queueing.Place)."""

    code = "not_admitted"
    text = N_("It is not your turn yet.")


class ChallengeNeeded(Fact):
    """Joining costs some computing at the moment: solve `challenge` (queue_challenge.make) and join with the
    solution."""

    code = "challenge_needed"
    text = N_("Joining takes a moment of computing now, so that machines cannot crowd out people.")


class QueueFull(Fact):
    """As many places as may be were taken from this `whose`: "network", "device" or "person"."""

    code = "queue_full"
    text = N_("As many people as may be have queued from here.")
