"""How a client asks its server: capability, time, device, programs, controls; what it reports and responds. Scripts, as in OpenADR 3."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.http import Request
from v2gkit.grid.sep2 import reports, words
from v2gkit.grid.sep2.answers import Answers
from v2gkit.grid.sep2.asking import Asking, Script, refused
from v2gkit.grid.sep2.events import Control, Program, control_of
from v2gkit.grid.sep2.prices import Charge
from v2gkit.grid.sep2.rating import Rating
from v2gkit.grid.sep2.subscriptions import Subscriptions
from v2gkit.grid.sep2.tariffs import Tariffs

CONTROLS: Final = 256  # of all programs
CLOCK: Final = 86_400  # s by which a server's clock may differ from ours
LAZIEST: Final = 900.0  # s between two rounds, whatever the server says
WELL_KNOWN: Final = "/.well-known/csipaus"


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a server: where this device's lists are, how its clock goes, how often it wants to be asked."""

    offset: float  # s; server's time less ours
    poll: float  # s
    assignments: str | None
    ders: str | None
    mirrors: str | None
    subscriptions: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """What a server has in one round: its controls, faults of single ones, and the modes that nothing is made of.

    `gradient` is how fast it lets a limit rise, in hundredths of a per cent of the rating in a second; 0: at once.
    """

    controls: tuple[Control, ...]
    faults: tuple[GridFault, ...]
    passed: frozenset[str]
    gradient: int = 0


class Client:
    """One device at one server. `now` is epoch s of our clock; `pin` is that of its registration, `point` its connection point.

    `owner` is the LFDI of the certificate where that is an aggregator's; `notified` is the URL at which we are told changes, None: nowhere.
    With `drm` the device's state is told in the demand response modes of AS/NZS 4755.
    """

    def __init__(
        self,
        url: str,
        rating: Rating,
        version: str = "1.2",
        pin: int | None = None,
        point: str | None = None,
        *,
        owner: str | None = None,
        notified: str | None = None,
        drm: bool = False,
    ) -> None:
        self._rating, self._version, self._pin, self._point, self._owner, self._drm = rating, version, pin, point, owner, drm
        self._asking = Asking(url, version)
        self._answers = Answers(self._asking, "DERControlResponse", rating.lfdi)
        self._priced = Answers(self._asking, "PriceResponse", rating.lfdi)
        self._tariffs = Tariffs(self._asking)
        self._listed: list[str] = []  # links to lists of tariffs, as the assignments had them last
        self._told: tuple[int, int] = 0, 0  # the gradient and the demand response mode in the settings that were sent last
        self.subscriptions = Subscriptions(self._asking, notified) if notified is not None else None

    def opening(self, now: float) -> Script[Session]:
        """Find this device, or register it. Raises GridFault."""
        self._asking.subscribable.clear()
        capability = yield from self._capability()
        offset = 0.0
        if (time := words.href(capability, "TimeLink")) is not None:
            offset = words.number((yield from self._asking.get(time, "Time")), "currentTime") - now
            if abs(offset) > CLOCK:
                raise GridFault(Trouble.MALFORMED, f"its clock differs by {offset:.0f} s; a day is the most that is taken")
        where = words.href(capability, "EndDeviceListLink")
        if where is None:
            raise GridFault(Trouble.MALFORMED, "its DeviceCapability has no EndDeviceListLink")
        devices = yield from self._asking.all(where, "EndDevice")
        device = _of(devices, self._rating.lfdi)
        if device is None:
            lfdi, sfdi = self._rating.lfdi, words.sfdi_of(self._rating.lfdi)
            parts: list[words.Part] = [
                ("deviceCategory", reports.DEVICE), ("lFDI", lfdi), ("sFDI", sfdi), ("changedTime", int(now + offset)),
            ]  # fmt: skip
            yield from self._asking.send("POST", where, "EndDevice", parts)
            devices = yield from self._asking.all(where, "EndDevice")
            device = _of(devices, self._rating.lfdi)
        if device is None:
            raise GridFault(Trouble.DENIED, f"it has no EndDevice of the LFDI {self._rating.lfdi}, and keeps none that is registered")
        yield from self._registered(device)
        owner = _of(devices, self._owner) if self._owner is not None else None
        session = Session(
            offset,
            min(words.poll_of(capability), LAZIEST),
            words.href(device, "FunctionSetAssignmentsListLink"),
            words.href(device, "DERListLink"),
            words.href(capability, "MirrorUsagePointListLink"),
            words.href(owner if owner is not None else device, "SubscriptionListLink"),
        )
        if self.subscriptions is not None and session.subscriptions is not None:
            yield from self.subscriptions.opening(session.subscriptions)
        return session

    def _capability(self) -> Script[Element]:
        """The DeviceCapability at our URL, or where a server that was named alone says that it is for our version of CSIP-AUS."""
        if self._asking.url.endswith(WELL_KNOWN):
            answer = yield Request("GET", self._asking.url, None, {"Accept": "application/json"})
            if answer.status != 200:
                raise refused(answer, f"GET {WELL_KNOWN}")
            return (yield from self._asking.get(_route_of(answer.body, self._version), "DeviceCapability"))
        return (yield from self._asking.get(self._asking.url, "DeviceCapability"))

    def _registered(self, device: Element) -> Script[None]:
        """Make sure that the server means us, where we know our PIN, and tell our connection point. Raises GridFault."""
        if self._pin is not None:
            where = words.href(device, "RegistrationLink")
            if where is None:
                raise GridFault(Trouble.DENIED, "our EndDevice has no RegistrationLink, and so no PIN to compare; leave pin out")
            if words.number((yield from self._asking.get(where, "Registration")), "pIN") != self._pin:
                raise GridFault(Trouble.DENIED, "its PIN is another one than ours: that device is registered as another site")
        if self._point is not None and (where := words.href(device, "csipaus:ConnectionPointLink")) is not None:
            yield from self._asking.send("PUT", where, "csipaus:ConnectionPoint", [("csipaus:connectionPointId", self._point)])

    def polling(self, session: Session) -> Script[Round]:
        """Every control of every program that this device is assigned to. Raises GridFault."""
        controls: list[Control] = []
        faults: list[GridFault] = []
        passed: set[str] = set()
        gradients: list[int] = []  # of the defaults that have one, the first program's first
        for program, element in (yield from self._programs(session)):
            found: list[Element] = []
            if (default := words.href(element, "DefaultDERControlLink")) is not None:
                found.append((yield from self._asking.get(default, "DefaultDERControl")))
            if (listed := words.href(element, "DERControlListLink")) is not None:
                found += yield from self._asking.all(listed, "DERControl")
            for each in found:
                try:
                    control, others = control_of(each, program, self._rating, session.offset)
                    controls.append(control)
                    gradients += [control.gradient] if control.gradient is not None else []
                    passed |= others
                except GridFault as fault:
                    faults.append(fault)
            if len(controls) > CONTROLS:
                raise GridFault(Trouble.HUGE, f"{len(controls)} controls; at most {CONTROLS} are taken")
        return Round(tuple(controls), tuple(faults), frozenset(passed), gradients[0] if gradients else 0)

    def pricing(self, session: Session, now: float) -> Script[tuple[Charge, ...]]:
        """The prices of the tariffs that this device is assigned to, each list asked for as often as it wants to be. Raises GridFault."""
        return (yield from self._tariffs.reading(self._listed, session.offset, now))

    def subscribing(self, session: Session) -> Script[None]:
        """Subscribe to the changes of all that was read and is not subscribed to yet. Raises GridFault."""
        if self.subscriptions is not None and session.subscriptions is not None:
            yield from self.subscriptions.subscribing(session.subscriptions)

    def reporting(self, session: Session, now: float) -> Script[None]:
        """Say what this DER can, and how it is set. Raises GridFault."""
        settings = reports.settings_of(self._rating, self._told[0], int(now + session.offset))
        yield from self._put(session, {"DERCapability": reports.capability_of(self._rating), "DERSettings": settings})

    def stating(self, session: Session, round_: Round, now: float, power: float | None = None) -> Script[None]:
        """Say what this DER is at `now`: operating unless a control cuts it off, which it keeps to. Raises GridFault.

        `power` is what its chargers draw (W), where a meter says it: those that stand still are told to be off. With another gradient, or
        another demand response mode, the settings are told again.
        """
        at = int(now + session.offset)
        connected, mode = reports.state_of(round_.controls, self._rating, power, now)
        response = (reports.drm_of(round_.controls, self._rating, now) if self._drm else None) or 0
        said = {"DERStatus": reports.status_of(connected, response or mode, self._drm, at)}
        if (round_.gradient, response) != self._told:
            self._told = round_.gradient, response
            said = {"DERSettings": reports.settings_of(self._rating, round_.gradient, at)} | said
        yield from self._put(session, said)

    def metering(self, session: Session, power: float, now: float, place: reports.Place = reports.SITE) -> Script[None]:
        """Mirror a reading of the active power of the site, or of its chargers (W, + from the grid). Raises GridFault."""
        if session.mirrors is None:
            return
        lfdi = self._rating.lfdi
        reading = reports.reading_of(lfdi, place, round(power), int(now + session.offset))
        ours = reports.mirror_of(lfdi, place).upper()
        for point in (yield from self._asking.all(session.mirrors, "MirrorUsagePoint")):
            if (words.text(point, "mRID") or "").upper() == ours and (where := point.get("href")) is not None:
                yield from self._asking.send("POST", where, "MirrorMeterReading", reading)
                return
        yield from self._asking.send("POST", session.mirrors, "MirrorUsagePoint", reports.point_of(lfdi, place, reading))

    def responding(self, session: Session, round_: Round, now: float) -> Script[tuple[str, ...]]:
        """Say what becomes of each control that wants to know; the mRIDs of those that were received. Raises GridFault."""
        return (yield from self._answers.responding(round_.controls, session.offset, now))

    def responding_to_prices(self, session: Session, charges: tuple[Charge, ...], now: float) -> Script[None]:
        """Say what becomes of each interval of a tariff that wants to know. Raises GridFault."""
        yield from self._priced.responding([each.event for each in charges], session.offset, now)

    # --- inside ---

    def _programs(self, session: Session) -> Script[list[tuple[Program, Element]]]:
        found: dict[str, tuple[Program, Element]] = {}
        self._listed = []
        for assignment in (yield from self._asking.all(session.assignments, "FunctionSetAssignments")) if session.assignments else ():
            if (tariffs := words.href(assignment, "TariffProfileListLink")) is not None:
                self._listed.append(tariffs)
            if (listed := words.href(assignment, "DERProgramListLink")) is None:
                continue
            for element in (yield from self._asking.all(listed, "DERProgram")):
                program = Program((words.text(element, "mRID") or "")[:32], words.number(element, "primacy"))
                found[program.mrid] = program, element
        return sorted(found.values(), key=lambda each: each[0].primacy)

    def _put(self, session: Session, said: Mapping[str, list[words.Part]]) -> Script[None]:
        """Send reports, by their kind, to each DER of this device that has a link for them."""
        for der in (yield from self._asking.all(session.ders, "DER")) if session.ders is not None else ():
            for kind, parts in said.items():
                if (where := words.href(der, f"{kind}Link")) is not None:
                    yield from self._asking.send("PUT", where, kind, parts)


def _of(devices: list[Element], lfdi: str) -> Element | None:
    """The EndDevice of an LFDI."""
    return next((each for each in devices if (words.text(each, "lFDI") or "").upper() == lfdi.upper()), None)


def _route_of(octets: bytes, version: str) -> str:
    """Where the DeviceCapability of a version is, by what a server says of itself. Raises GridFault."""
    ours = f"https://csipaus.org/ns/v{version}"
    try:
        found: str = json.loads(octets)["supportedSchemaVersions"][ours]["dcap"][0]
        return str(urljoin(WELL_KNOWN, found))
    except (ValueError, KeyError, IndexError, TypeError, RecursionError, AttributeError) as error:
        raise GridFault(Trouble.MALFORMED, f"{WELL_KNOWN} has no DeviceCapability of {ours}: {quoted(error)}") from None
