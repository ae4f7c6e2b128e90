"""From what was seen to a verdict: the judgements that several cases share (pure)."""

from collections.abc import Sequence

from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted.encounter import Encounter, leaving
from v2gkit.conform.verdict import Outcome, failed, passed


def reached(seen: Encounter) -> float:
    """When the fault was played (monotonic s). Raises Unreached where the session did not come so far."""
    if seen.stimulus is None:
        raise Unreached(f"the session did not come to the stimulus: {seen.story}")
    return seen.stimulus


def ended(seen: Encounter, within: float, not_before: float = 0.0) -> Outcome:
    """A pass where the car ended the session after the fault: nothing but leaving in order, and a close within `within` s.

    `not_before` (s): the car may not close sooner. Raises Unreached where the fault was not played.
    """
    since = reached(seen)
    stray = [each for each in seen.after if not leaving(each.request)]
    if stray:
        return failed(f"it went on with {stray[0].name} {stray[0].at - since:.1f} s after; {seen.story}")
    if seen.closed is None:
        return failed(f"the connection was still open {within:g} s after; {seen.story}")
    took = seen.closed.at - since
    if took > within:
        return failed(f"closed after {took:.1f} s, at most {within:g} are allowed; {seen.story}")
    if took < not_before:
        return failed(f"closed after {took:.2f} s, at least {not_before:g} must be waited; {seen.story}")
    way = ", after " + " > ".join(dict.fromkeys(each.name for each in seen.after)) if seen.after else ""
    return passed(f"{seen.closed.how} after {took:.2f} s{way}")


def not_further(seen: Encounter, within: float) -> Outcome:
    """A pass where the car did not go beyond a request that is refused as often as it comes: it left within so many s, or asked it again.

    Raises Unreached where it was not refused.
    """
    since = reached(seen)
    refused = seen.heard[seen.before - 1].name
    stray = [each for each in seen.after if each.name != refused and not leaving(each.request)]
    if stray:
        return failed(f"it went on with {stray[0].name}: {seen.story}")
    if not seen.after and (seen.closed is None or seen.closed.at - since > within):
        return failed(f"it neither asked again nor left within {within:g} s: {seen.story}")
    return passed(seen.story)


def went_on(seen: Encounter, least: int = 1) -> Outcome:
    """A pass where the car went on after the stimulus with at least so many requests that are none of leaving."""
    reached(seen)
    on = [each for each in seen.after if not leaving(each.request)]
    if len(on) < least:
        return failed(f"it did not go on: {seen.story}")
    return passed(f"it went on with {on[0].name}")


def refused_tls(seen: Encounter) -> Outcome:
    """A pass where the car came, was shown the station's flight, and sent no message over it.

    Raises Unreached where no car came, or this side's own TLS library gave up.
    """
    if seen.hello is None:
        raise Unreached(f"the car sent no ClientHello: {seen.story}")
    if seen.heard:
        return failed(f"it accepted the certificate and sent {seen.heard[0].name}")
    if seen.alert is not None:
        return passed(f"alert {seen.alert}")
    if seen.closed is not None and seen.closed.by == "car":
        return passed(f"no message, {seen.closed.how}, without an alert")
    if seen.refused and seen.closed is not None and seen.closed.by == "us":
        raise Unreached(f"this side ended the handshake: {seen.refused}")
    return failed(f"it neither refused nor spoke: {seen.story}")


def well(seen: Encounter, *names: str) -> Outcome:
    """A pass where the session came to SessionStop with these requests on its way, and the car closed."""
    missing = [name for name in (*names, "SessionStop") if name not in seen.names]
    if missing:
        raise Unreached(f"the session did not come to {missing[0]}: {seen.story}")
    return passed(seen.story)


def gravest_of(outcomes: Sequence[Outcome]) -> Outcome:
    """The gravest of several outcomes, the first of them where they are equal."""
    return max(outcomes, key=lambda each: each.verdict.rank)
