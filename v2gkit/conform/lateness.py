"""Whether this side was late, by what was seen and by when this process was scheduled (pure).

A peer may leave whoever is late, and an answer that nobody was there to read was not late: what a machine without a processor to spare
shows says nothing about the peer.
"""

from dataclasses import dataclass, field, replace

from v2g.generations import GENERATIONS
from v2g.iso20.timing import SECC_PERFORMANCE_LOOP
from v2g.session.endpoint import FrameReceived, FrameSent
from v2gkit.conform.verdict import Evidence, Outcome, Verdict

BEAT = 0.05  # s between two signs of life of this process
UNNOTICED = 0.02  # s by which a sign of life is late on a machine at rest


@dataclass
class Stalls:
    """The spells in which this process was not scheduled, each as (from, until) in monotonic s, told by its signs of life."""

    last: float
    spells: list[tuple[float, float]] = field(default_factory=list)

    def beat(self, now: float) -> None:
        """A sign of life, due `BEAT` s after the one before."""
        self.spells.extend(self._open(now))
        self.last = now

    def between(self, since: float, until: float) -> list[float]:
        """How long each spell lasted that touches that time (s), as far as it lies within."""
        found = ((max(begun, since), min(over, until)) for begun, over in (*self.spells, *self._open(until)))
        return [over - begun for begun, over in found if over > begun]

    def _open(self, now: float) -> list[tuple[float, float]]:
        due = self.last + BEAT
        return [(due, now)] if now - due > UNNOTICED else []


def late_request(evidence: Evidence, stalls: Stalls) -> str:
    """A request that this side, as a car, sent when the station need not wait for it any more, in words; empty where there is none.

    The time counts from the response as this side heard it, and in full while this process was not there to hear it.
    """
    heard: dict[int, tuple[float, float, str]] = {}
    asked: dict[int, float] = {}
    for connection, event in evidence:
        if isinstance(event, FrameSent):
            asked[connection] = event.at
            at, limit, name = heard.pop(connection, (event.at, 0.0, ""))
            if name and event.at - at > limit:
                return f"this side was late: a request {event.at - at:.2f} s after {name}, the station waits {limit:g} s"
        elif isinstance(event, FrameReceived) and event.message is not None:
            found = next((times for each in GENERATIONS if (times := each.times(type(event.message)))), None)
            if found is not None:
                unheard = sum(stalls.between(asked.get(connection, event.at), event.at))
                heard[connection] = (event.at - unheard, found[1].sequence_timeout, type(event.message).__name__)
    return ""


def stalled(evidence: Evidence, stalls: Stalls, since: float, until: float, slack: float) -> str:
    """The longest spell between two moments in which this process was not scheduled, in words; empty where it is within the limit.

    The limit is the slack (s), in a session that came to the charge loop at most what its performance time leaves.
    """
    loop = any("ChargeLoop" in type(getattr(event, "message", None)).__name__ for _, event in evidence)
    limit = min(slack, SECC_PERFORMANCE_LOOP) if loop else slack
    longest = max(stalls.between(since, until), default=0.0)
    return f"this side was late: not scheduled for {longest:.2f} s, at most {limit:g} s are borne" if longest > limit else ""


def punctual(outcome: Outcome, late: str, stood: str) -> Outcome:
    """The outcome where this side was in time; else one that is inconclusive and says why.

    A request that came `late` proves nothing, whatever followed. That this process `stood` matters where the peer did not pass.
    """
    if outcome.verdict not in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE):
        return outcome
    why = late or (stood if outcome.verdict is not Verdict.PASS else "")
    return replace(outcome, verdict=Verdict.INCONCLUSIVE, seen=f"{why}; seen was: {outcome.seen}", late=True) if why else outcome
