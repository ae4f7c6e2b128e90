"""How a client asks its server: capability, time, device, programs, controls; what it reports and responds. Scripts, as in OpenADR 3."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from v2g.address import origin
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import Request, Response
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.events import (
    CANCELLED,
    RANDOMLY_CANCELLED,
    SUPERSEDED,
    SWITCHES,
    Control,
    Program,
    Rating,
    control_of,
    goes_before,
    live,
    spans_of,
)

T = TypeVar("T")
Script = Generator[Request, Response, T]
PAGE: Final = 50  # of a list
MOST: Final = {"EndDevice": 1_024, "FunctionSetAssignments": 16, "DERProgram": 32, "DERControl": 256, "DER": 4, "MirrorUsagePoint": 256}
CONTROLS: Final = 256  # of all programs
CLOCK: Final = 86_400  # s by which a server's clock may differ from ours
RECEIVED, STARTED, COMPLETED, WAS_CANCELLED, WAS_SUPERSEDED = 1, 2, 3, 6, 7  # Response.status
MODES: Final = f"{0b11 | 1 << 2 | 1 << 3 | 1 << 7 | 1 << 20 | 1 << 22:08X}"  # charge, discharge, connect, energize, fixed, limit, target W
LIMITS_OF_AUS: Final = "0F"  # export, import, generation, load
DEVICE: Final = "02000000"  # deviceCategory, bit 25: electric vehicle supply equipment


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a server: where this device's lists are, how its clock goes, how often it wants to be asked."""

    offset: float  # s; server's time less ours
    poll: float  # s
    assignments: str | None
    ders: str | None
    mirrors: str | None


@dataclass(frozen=True, slots=True)
class Round:
    """What a server has in one round: its controls, faults of single ones, and the modes that nothing is made of."""

    controls: tuple[Control, ...]
    faults: tuple[GridFault, ...]
    passed: frozenset[str]


class Client:
    """One device at one server. `now` is epoch s of our clock; `pin` is that of its registration, `point` its connection point."""

    def __init__(self, url: str, rating: Rating, version: str = "1.2", pin: int | None = None, point: str | None = None) -> None:
        self._url, self._rating, self._version, self._pin, self._point = url, rating, version, pin, point
        self._answered: dict[str, int] = {}  # control -> the last status that was told

    def opening(self, now: float) -> Script[Session]:
        """Find this device, or register it. Raises GridFault."""
        capability = yield from self._get(self._url, "DeviceCapability")
        offset = 0.0
        if (time := words.href(capability, "TimeLink")) is not None:
            offset = words.number((yield from self._get(time, "Time")), "currentTime") - now
            if abs(offset) > CLOCK:
                raise GridFault(Trouble.MALFORMED, f"its clock differs by {offset:.0f} s; a day is the most that is taken")
        devices = words.href(capability, "EndDeviceListLink")
        if devices is None:
            raise GridFault(Trouble.MALFORMED, "its DeviceCapability has no EndDeviceListLink")
        device = yield from self._device(devices)
        if device is None:
            lfdi, sfdi = self._rating.lfdi, words.sfdi_of(self._rating.lfdi)
            parts: list[words.Part] = [("deviceCategory", DEVICE), ("lFDI", lfdi), ("sFDI", sfdi), ("changedTime", int(now + offset))]
            yield from self._send("POST", devices, "EndDevice", parts)
            device = yield from self._device(devices)
        if device is None:
            raise GridFault(Trouble.DENIED, f"it has no EndDevice of the LFDI {self._rating.lfdi}, and keeps none that is registered")
        yield from self._registered(device)
        poll = capability.get("pollRate", "900")
        return Session(
            offset,
            float(min(max(int(poll), 1), 900)) if poll.isascii() and poll.isdecimal() and len(poll) < 10 else 900.0,
            words.href(device, "FunctionSetAssignmentsListLink"),
            words.href(device, "DERListLink"),
            words.href(capability, "MirrorUsagePointListLink"),
        )

    def _registered(self, device: Element) -> Script[None]:
        """Make sure that the server means us, where we know our PIN, and tell our connection point. Raises GridFault."""
        if self._pin is not None:
            where = words.href(device, "RegistrationLink")
            if where is None:
                raise GridFault(Trouble.DENIED, "our EndDevice has no RegistrationLink, and so no PIN to compare; leave pin out")
            if words.number((yield from self._get(where, "Registration")), "pIN") != self._pin:
                raise GridFault(Trouble.DENIED, "its PIN is another one than ours: that device is registered as another site")
        if self._point is not None and (where := words.href(device, "csipaus:ConnectionPointLink")) is not None:
            yield from self._send("PUT", where, "csipaus:ConnectionPoint", [("csipaus:connectionPointId", self._point)])

    def polling(self, session: Session) -> Script[Round]:
        """Every control of every program that this device is assigned to. Raises GridFault."""
        controls: list[Control] = []
        faults: list[GridFault] = []
        passed: set[str] = set()
        for program, element in (yield from self._programs(session)):
            found: list[Element] = []
            if (default := words.href(element, "DefaultDERControlLink")) is not None:
                found.append((yield from self._get(default, "DefaultDERControl")))
            if (listed := words.href(element, "DERControlListLink")) is not None:
                found += yield from self._all(listed, "DERControl")
            for each in found:
                try:
                    control, others = control_of(each, program, self._rating, session.offset)
                    controls.append(control)
                    passed |= others
                except GridFault as fault:
                    faults.append(fault)
            if len(controls) > CONTROLS:
                raise GridFault(Trouble.HUGE, f"{len(controls)} controls; at most {CONTROLS} are taken")
        return Round(tuple(controls), tuple(faults), frozenset(passed))

    def reporting(self, session: Session, now: float) -> Script[None]:
        """Say what this DER can, and how it is set. Raises GridFault."""
        at = int(now + session.offset)
        yield from self._put(session, {"DERCapability": self._capability(), "DERSettings": self._settings(at)})

    def stating(self, session: Session, round_: Round, now: float) -> Script[None]:
        """Say what this DER is at `now`: operating unless a control cuts it off, which it keeps to. Raises GridFault."""
        holding = [each for each in live(round_.controls) if each.start is not None and each.start <= now < each.end]
        cut = {mode.split()[0] for each in holding for mode, (_, power) in each.modes.items() if mode.split()[0] in SWITCHES and power == 0}
        connected = 0 if "opModConnect" in cut else 0b011 if cut else 0b111  # bits: connected, available, operating
        at = int(now + session.offset)
        parts: list[words.Part] = [
            ("genConnectStatus", [("dateTime", at), ("value", f"{connected:02X}")]),
            ("operationalModeStatus", [("dateTime", at), ("value", 2 if connected == 0b111 else 1)]),
            ("readingTime", at),
        ]
        yield from self._put(session, {"DERStatus": parts})

    def metering(self, session: Session, power: float, now: float) -> Script[None]:
        """Mirror a reading of the site's active power (W, + from the grid). Raises GridFault."""
        if session.mirrors is None:
            return
        mrid = self._rating.lfdi[:30] + "01"
        reading = self._reading(round(power), int(now + session.offset))
        for point in (yield from self._all(session.mirrors, "MirrorUsagePoint")):
            if (words.text(point, "mRID") or "").upper() == mrid and (where := point.get("href")) is not None:
                yield from self._send("POST", where, "MirrorMeterReading", reading)
                return
        point_: list[words.Part] = [
            ("mRID", mrid),
            ("description", "site"),
            ("roleFlags", "0001"),  # bit 0: the premises' mirror
            ("serviceCategoryKind", 0),
            ("status", 1),
            ("deviceLFDI", self._rating.lfdi),
            ("MirrorMeterReading", reading),
        ]
        yield from self._send("POST", session.mirrors, "MirrorUsagePoint", point_)

    def responding(self, session: Session, round_: Round, now: float) -> Script[tuple[str, ...]]:
        """Say what becomes of each control that wants to know; the mRIDs of those that were received. Raises GridFault."""
        received: list[str] = []
        for control in round_.controls:
            for status in self._statuses(control, live(round_.controls), now):
                if control.reply_to is not None and control.required & (1 if status == RECEIVED else 2):
                    parts: list[words.Part] = [
                        ("createdDateTime", int(now + session.offset)), ("endDeviceLFDI", self._rating.lfdi),
                        ("status", status), ("subject", control.mrid),
                    ]  # fmt: skip
                    yield from self._send("POST", control.reply_to, "DERControlResponse", parts)
                    received += [control.mrid] if status == RECEIVED else []
                self._answered[control.mrid] = status
        there = {control.mrid for control in round_.controls}
        self._answered = {mrid: status for mrid, status in self._answered.items() if mrid in there}
        return tuple(received)

    # --- inside ---

    def _statuses(self, control: Control, events: Iterable[Control], now: float) -> Iterator[int]:
        """What has to be said of a control that was not said before, in its order."""
        if control.start is None:
            return
        said = self._answered.get(control.mrid, 0)
        if not said:
            yield RECEIVED
        if said in (COMPLETED, WAS_CANCELLED, WAS_SUPERSEDED):
            return
        beaten = control.status == SUPERSEDED or any(
            goes_before(other, control) and other.start is not None and other.start <= now < other.end
            and set(other.modes) & set(control.modes) and other.start < control.end and other.end > control.start
            for other in events
        )  # fmt: skip
        if control.status in (CANCELLED, RANDOMLY_CANCELLED):
            yield WAS_CANCELLED
        elif beaten or (control.modes and all(spans_of(control, mode, events) is None for mode in control.modes)):
            yield WAS_SUPERSEDED
        elif now >= control.end:
            yield COMPLETED
        elif now >= control.start and said != STARTED:
            yield STARTED

    def _programs(self, session: Session) -> Script[list[tuple[Program, Element]]]:
        found: dict[str, tuple[Program, Element]] = {}
        for assignment in (yield from self._all(session.assignments, "FunctionSetAssignments")) if session.assignments else ():
            if (listed := words.href(assignment, "DERProgramListLink")) is None:
                continue
            for element in (yield from self._all(listed, "DERProgram")):
                program = Program((words.text(element, "mRID") or "")[:32], words.number(element, "primacy"))
                found[program.mrid] = program, element
        return sorted(found.values(), key=lambda each: each[0].primacy)

    def _device(self, devices: str) -> Script[Element | None]:
        for device in (yield from self._all(devices, "EndDevice")):
            if (words.text(device, "lFDI") or "").upper() == self._rating.lfdi.upper():
                return device
        return None

    def _reading(self, power: int, at: int) -> list[words.Part]:
        """The site's active power (W) at a second of the server's clock, as a MirrorMeterReading."""
        kind = (
            ("commodity", 1),
            ("dataQualifier", 0),
            ("flowDirection", 1),
            ("kind", 37),
            ("phase", 0),
            ("powerOfTenMultiplier", 0),
            ("uom", 38),
        )
        return [
            ("mRID", self._rating.lfdi[:30] + "02"),
            ("description", "site active power"),
            ("Reading", [("timePeriod", [("duration", 1), ("start", at)]), ("value", power)]),
            ("ReadingType", list(kind)),
        ]

    def _put(self, session: Session, reports: Mapping[str, list[words.Part]]) -> Script[None]:
        """Send reports, by their kind, to each DER of this device that has a link for them."""
        for der in (yield from self._all(session.ders, "DER")) if session.ders is not None else ():
            for kind, parts in reports.items():
                if (where := words.href(der, f"{kind}Link")) is not None:
                    yield from self._send("PUT", where, kind, parts)

    def _capability(self) -> list[words.Part]:
        given, taken = _watts(self._rating.given), _watts(self._rating.taken)
        return [
            ("modesSupported", MODES), ("rtgMaxChargeRateW", taken), ("rtgMaxDischargeRateW", given), ("rtgMaxW", given), ("type", 82),
            ("csipaus:doeModesSupported", LIMITS_OF_AUS),
        ]  # fmt: skip

    def _settings(self, at: int) -> list[words.Part]:
        given, taken = _watts(self._rating.given), _watts(self._rating.taken)
        return [
            ("modesEnabled", MODES), ("setGradW", 0), ("setMaxChargeRateW", taken), ("setMaxDischargeRateW", given), ("setMaxW", given),
            ("updatedTime", at), ("csipaus:doeModesEnabled", LIMITS_OF_AUS),
        ]  # fmt: skip

    def _get(self, where: str, *kinds: str) -> Script[Element]:
        answer = yield Request("GET", self._there(where), None, {"Accept": words.TYPE})
        if answer.status != 200:
            raise _refused(answer, f"GET {where}")
        try:
            return words.read(answer.body, *kinds)
        except GridFault as fault:
            raise GridFault(fault.trouble, f"GET {quoted(where)}: {fault}") from None

    def _all(self, where: str, kind: str) -> Script[list[Element]]:
        """All elements of a list, page after page."""
        found: list[Element] = []
        while True:
            page = yield from self._get(f"{where}{'&' if '?' in where else '?'}s={len(found)}&l={PAGE}", f"{kind}List")
            new = page.findall(words.full(kind))
            found += new
            if len(found) > MOST[kind]:
                raise GridFault(Trouble.HUGE, f"{quoted(where)}: more than {MOST[kind]} of {kind}")
            whole = page.get("all", "")
            if not new or not (whole.isascii() and whole.isdecimal() and len(whole) < 10) or len(found) >= int(whole):
                return found

    def _send(self, method: str, where: str, kind: str, parts: list[words.Part]) -> Script[None]:
        body = words.octets_of(kind, parts, self._version)
        answer = yield Request(method, self._there(where), body, {"Content-Type": words.TYPE, "Accept": words.TYPE})
        if answer.status not in (200, 201, 204):
            raise _refused(answer, f"{method} {kind}")

    def _there(self, where: str) -> str:
        """The URL of a link. GridFault for one that leads to somebody else."""
        try:
            url = urljoin(self._url, where)
            if origin(url) != origin(self._url) or len(url) > 2_048:
                raise ValueError("it is of another server")
        except ValueError as error:
            raise GridFault(Trouble.DENIED, f"a link to {quoted(where)} is not followed: {error}") from None
        return url


def _watts(power: float) -> list[words.Part]:
    """An ActivePower, whose value has 16 bits, rounded down."""
    return [("multiplier", 0), ("value", int(power))] if power <= 32_767 else [("multiplier", 3), ("value", int(power // 1_000))]


def _refused(answer: Response, what: str) -> GridFault:
    trouble = Trouble.DENIED if 400 <= answer.status < 500 else Trouble.UNREACHABLE
    return GridFault(trouble, f"{what} is answered {answer.status}")
