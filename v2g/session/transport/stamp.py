"""Real times of frames. A session is given one `now` for all that it does with what came; only its shell sees when the octets leave."""

from collections.abc import Sequence

from v2g.session.endpoint import Event, FrameReceived, FrameSent


class Stamp:
    """Puts the time at which frames left into the events of one connection, so that performance times are those that the peer sees."""

    def __init__(self) -> None:
        self._late = 0.0  # s by which the frame that was sent last left after its session thought so

    def stamped(self, events: Sequence[Event], left: Sequence[float]) -> list[Event]:
        """The events of one call of a session, with real times; `left` holds the monotonic times (s) at which its frames were written."""
        times = iter(left)
        stamped: list[Event] = []
        for event in events:
            match event:
                case FrameReceived():
                    stamped.append(self._came(event))
                case FrameSent():
                    stamped.append(self._left(event, next(times, event.at)))
                case _:
                    stamped.append(event)
        return stamped

    def _came(self, event: FrameReceived) -> FrameReceived:
        """What came answers a frame that left later than its session thought."""
        if event.since_previous is None:
            return event
        since = max(event.since_previous - self._late, 0.0)
        return FrameReceived(event.at, event.payload_type, event.schema_set, event.exi, event.message, since, event.findings)

    def _left(self, event: FrameSent, at: float) -> FrameSent:
        self._late = max(at - event.at, 0.0)
        since = None if event.since_previous is None else event.since_previous + self._late
        return FrameSent(event.at + self._late, event.payload_type, event.schema_set, event.exi, event.message, since)
