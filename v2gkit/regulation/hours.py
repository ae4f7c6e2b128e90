"""Checks of default hours and random delays: what a station's file says of them, and what its traces show."""

from itertools import pairwise
from typing import Final

from v2g.energy.market.off_peak import DEFAULT_DELAY, LONGEST_DELAY, is_peak
from v2gkit.regulation.checks import NEAR, config_of, traces_of
from v2gkit.regulation.given import Given
from v2gkit.regulation.rule import Finding, met, moot, not_met, unknown
from v2gkit.revenue.session import Session

ENOUGH: Final = 20  # delays, from which on their spread is judged
UNLIKELY: Final = 1.95  # of Kolmogorov and Smirnov: even draws are further off once in a thousand


def off_peak(given: Given) -> Finding:
    """Whether cars charged outside of the peak hours of working days by default."""
    if "dsr_agreement" in given.papers:
        one = given.papers["dsr_agreement"]
        return moot(f"a demand-side response agreement is on file: {one.path}", f"{one.path} sha256 {one.digest}")
    if not given.sessions:
        return unknown("no trace with meter readings was handed over")
    peaks = {one.name: _in_peak(one, given) for one in given.sessions}
    charged = {name: energy for name, energy in peaks.items() if energy > NEAR}
    if charged:
        free = {one["connection"] for one in given.facts("DefaultsOverridden") if one.get("facts", {}).get("overridden")}
        bound = [one.name for one in given.sessions if one.name in charged and one.connection not in free]
        name, energy = max(charged.items(), key=lambda each: each[1])
        said = f"{len(charged)} of {len(peaks)} sessions charged in peak hours, {name} {energy / 1000:.2f} kWh"
        if not bound:
            return met(f"{said}; each of them was overridden before it ended", *traces_of(given))
        if given.config is not None and given.config.off_peak is not None:
            return not_met(f"{said}; {bound[0]} was overridden by nobody, though the station keeps default hours", *traces_of(given))
        return unknown(f"{said}; whether the driver had overridden the default cannot be seen", *traces_of(given))
    return met(f"none of {len(peaks)} sessions charged in peak hours (by meter readings, interpolated)", *traces_of(given))


def delayed(given: Given) -> Finding:
    """Whether changes are delayed at random: the draws of the station itself, else what a CSMS told of it."""
    drawn = [(one["facts"].get("at", 0.0), int(one["facts"].get("seconds", 0))) for one in given.facts("ChangeDelayed")]
    if drawn or (given.config is not None and given.config.off_peak is not None):
        return _drawn(given, dict(drawn))
    told = []
    for record in given.frames("SetChargingProfile"):
        profile = (record.get("payload") or {}).get("chargingProfile") or {}
        told += [one["randomizedDelay"] for one in profile.get("chargingSchedule", ()) if one.get("randomizedDelay") is not None]
    beyond = [one for one in told if not 0 <= one <= LONGEST_DELAY]
    if beyond:
        return not_met(f"a charging profile delays by up to {beyond[0]} s; at most {LONGEST_DELAY} s can be set", *traces_of(given))
    if told:
        return unknown(f"{len(told)} charging profiles delay by up to {max(told)} s; the draws stand in no trace", *traces_of(given))
    return unknown("no charging profile in the traces delays at random", *traces_of(given))


def _drawn(given: Given, draws: dict[float, int]) -> Finding:
    """Whether draws, by the time (epoch s) of the change, are as long as they may be, and as likely as each other as far as they tell."""
    said = given.config.off_peak if given.config is not None else None
    most = said.most if said is not None else DEFAULT_DELAY
    evidence = (*((config_of(given),) if given.config is not None else ()), *traces_of(given))
    if said is not None and not most:
        return not_met("the station keeps default hours without a delay: give `delay` of [off_peak]", *evidence)
    if not draws:
        return unknown(f"delays of up to {most} s are configured; no trace shows a change that hours or prices brought about", *evidence)
    ordered = sorted(draws.values())
    if ordered[0] < 0 or ordered[-1] > min(most, LONGEST_DELAY):
        return not_met(f"a change was delayed by {ordered[0] if ordered[0] < 0 else ordered[-1]} s; 0 to {most} s are allowed", *evidence)
    off = max(max((k + 1) / len(ordered) - one / (most + 1), (one + 1) / (most + 1) - k / len(ordered)) for k, one in enumerate(ordered))
    if len(ordered) >= ENOUGH and off > UNLIKELY / len(ordered) ** 0.5 + 1.0 / (most + 1):
        return not_met(f"{len(ordered)} delays of {ordered[0]} to {ordered[-1]} s are not spread evenly over 0 to {most} s", *evidence)
    spread = "evenly, as far as so many tell" if len(ordered) >= ENOUGH else f"fewer than the {ENOUGH} that would tell how evenly"
    return met(f"{len(ordered)} changes were delayed by {ordered[0]} to {ordered[-1]} s of at most {most}: {spread}", *evidence)


def _in_peak(one: Session, given: Given) -> float:
    """Wh imported in peak hours, quarter hour by quarter hour, in proportion to time between readings."""
    late = given.config.off_peak.most if given.config is not None and given.config.off_peak is not None else 0  # s: the end is delayed, too
    energy = 0.0
    for before, after in pairwise(each.reading for each in one.readings):
        gained, span = after.imported - before.imported, after.at - before.at
        at = before.at
        while gained > 0 and at < after.at:
            until = min(after.at, (at // 900 + 1) * 900)
            energy += gained * (until - at) / span if is_peak(at, given.zone) and is_peak(at - late, given.zone) else 0.0
            at = until
    return energy
