"""What a driver asks of the outlet that its session shares with other sessions."""

from typing import Protocol, TypeVar

D = TypeVar("D")


class Station(Protocol[D]):
    """The outlet that a driver belongs to, as far as it shares it with other sessions."""

    def taken(self, driver: D) -> bool:
        """Whether another session than that of `driver` has the outlet and keeps it."""

    def claim(self, driver: D) -> D | None:
        """Give the outlet to a driver; returns the driver that has lost it, None if nobody had it."""

    def release(self, driver: D) -> None:
        """Called when a driver's session is over and the outlet safe: it is free again."""

    def unserviceable(self) -> str:
        """The reason why the outlet serves nobody now; empty if it serves."""

    def broken(self, driver: D, why: str, docked: bool) -> None:
        """Called when a driver's session is over and the outlet is not safe, because of `why`; `docked`: a device may be down."""
