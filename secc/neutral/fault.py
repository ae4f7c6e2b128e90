"""Why power was taken away at once: one value of a session."""

from dataclasses import dataclass

from v2g.session.errors import PeerMisbehaved, StationFailed


@dataclass(frozen=True, slots=True)
class Fault:
    """The error for which power was taken away at once. With `may_stop` the car may still stop in order, else every request is refused."""

    error: PeerMisbehaved | StationFailed
    may_stop: bool = False
