"""What a surge tries; apart from what runs it, since every command reads it."""

from dataclasses import dataclass

_COMING = 600  # people a second who come before the opening


@dataclass(frozen=True)
class Plan:
    """What is tried. Shares are parts of 1, times are seconds."""

    numbers: int
    shoppers: int
    database: str = "sqlite"
    at_once: int = 30_000  # people there at once; the rest come as others go
    rate: int = 250  # people let in a second, at most
    cap: int = 1_000  # people inside at once
    verified: float = 0.8
    walk_away: float = 0.0
    kill_web: int = 0  # how often a web process is killed while people wait
    calm: float = 3.0  # seconds that all who came early wait before the opening
    bots: int = 0
    bot_accounts: int = 500
    bot_addresses: int = 50
    hoarders: float = 0.0
    limit_network: int = 0
    hold_seconds: int = 120  # and what was let go after the end is offered so much later
    workers: bool = True  # do papers, checks and notices go on beside it
    minutes: float = 30.0  # the longest it may take
    seed: int = 1

    @property
    def people(self) -> int:
        """Lines of the file of shoppers: accounts, and a bot is one of many connections of its account."""
        return self.shoppers + self.bots

    @property
    def quiet(self) -> float:
        """Seconds in which those come who come before the opening."""
        return max(10.0, 0.6 * min(self.at_once, self.people) / _COMING)
