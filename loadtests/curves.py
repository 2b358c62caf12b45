"""Who comes to a drop, how many of each, and when: the one place where that is said.

It is derived from one historical day of a Chinese carrier's online hall (2012-14): a round of 100,000 cards, about
5 million visits on the day, 60,000 people at once at the peak, 4 orders a second at the peak of the day's rest.

- 5,000,000 visits for 100,000 cards: fifty visits a card. Most look and go. Of those who want a card enough to sign
  in and queue, three for two cards is usual when a round ends within hours. A surge is about these; what the fifty do
  to the pages is what LOOKERS stands for, by requests: each goes on looking all the while.
- 60,000 at once for 100,000 cards: of those who queue, six in ten are there before the opening (BEFORE). What was one
  evening is pressed into minutes here: they come within QUIET seconds, the next three in ten within SPIKE seconds of
  the opening, the last within TAIL seconds.
- 4 orders a second was the hall's own limit, not the people's wish: nobody waits on purpose between hold and order
  but Pickers, who look again."""

from dataclasses import dataclass

# Of those who queue, in parts of 100. Hoarders and bots come only where a run asks for them.
WEIGHTS = {"VerifiedBuyer": 60, "Buyer": 15, "Picker": 15, "Waiter": 10}
LOOKERS = 0.01  # lookers beside them, for each who queues
WALKS_AWAY = 0.3  # of the Waiters, who never come when called
COMES_BACK = 0.1  # of all, who close the tab and look again now and then
LETS_GO = 0.3  # of the Pickers, who give their first number back for another
BEFORE, AT_ONCE = 0.6, 0.3  # of all: before the opening, in its first seconds; the rest after
SPIKE, TAIL = 5.0, 30.0  # seconds
LOOKS = (2.0, 8.0)  # seconds between two looks of a Looker
THINKS = (0.5, 2.5)  # seconds a Picker thinks
RETURNS = (5.0, 12.0)  # seconds between two looks of who closed the tab
LEAVES = (3.0, 20.0)  # seconds somebody still looks at how it ended for them before they close the page
BOT_PAUSE = (2.0, 6.0)  # seconds between two tries of a Bot


@dataclass(frozen=True)
class Curve:
    """How many are at the door: `quiet` seconds before the opening they begin to come, evenly, and for the last
    `calm` of them all who come early are there; then the spike, then the tail. Times are seconds from the opening."""

    quiet: float
    calm: float = 2.0

    def share(self, at: float) -> float:
        """Which part of all has come by then."""
        if at < 0:
            return BEFORE * min(1.0, max(0.0, (at + self.quiet) / max(1.0, self.quiet - self.calm)))
        if at < SPIKE:
            return BEFORE + AT_ONCE * at / SPIKE
        rest = 1 - BEFORE - AT_ONCE
        return min(1.0, BEFORE + AT_ONCE + rest * (at - SPIKE) / TAIL)
