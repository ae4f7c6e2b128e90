"""A station that answers as one of the captured sessions did: each request by the next response of its kind, under this session's id."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from evcc.goal import Goal
from evcc.script import Script
from tests.evcc.test_pair import contract, link
from v2g.exi.derive import least
from v2g.session.clock import Clock
from v2g.session.generation import Generation
from v2g.session.v2gtp import FrameReader, PayloadType, frame

EPOCH = 1_700_000_000.0
LATENCY = 0.005  # s
LOOPS = 5
OWN = bytes.fromhex("0102030405060708")
POLLED = ("CurrentDemandReq", "ChargingStatusReq", "WeldingDetectionReq")  # whose last answer holds: a capture was cut, or a car had enough


class Captured:
    """What one captured connection holds: the requests of its car in order, and the responses of its station by their request."""

    def __init__(self, session: dict[str, Any], generation: Generation):
        self.generation = generation
        self.asked: list[Any] = []
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.unread: dict[str, bytes] = {}  # octets of a response that is no message, by its request
        paired = {response: request.__name__ for request, response in generation.responses.items()}
        for each in session["frames"]:
            by_station, exi = each["from"] == "station", bytes.fromhex(each["exi"])
            if each["set"] is None and by_station:  # what nobody can read: the car gets it as it is
                self.unread[type(self.asked[-1]).__name__] = exi
                continue
            heard = generation.read(PayloadType.EXI, exi, by_car=by_station).reading.message
            if by_station:
                self.answers[paired[type(heard)]].append(heard)
            else:
                self.asked.append(heard)

    def requests(self, name: str) -> list[Any]:
        """The requests of that name."""
        return [each for each in self.asked if type(each).__name__ == name]

    def granted(self) -> list[str]:
        """The names of the requests, in order and each once, up to the first that was refused or never answered."""
        names: list[str] = []
        for name in dict.fromkeys(type(each).__name__ for each in self.asked):
            if not self.answers[name] or self.refused(name):
                break
            names.append(name)
        return names

    def states(self) -> set[str]:
        """The EVSEStatusCodes that the station ever said."""
        said = (getattr(each, "DC_EVSEStatus", None) for answers in self.answers.values() for each in answers)
        return {status.EVSEStatusCode.value for status in said if status is not None}

    def refused(self, name: str) -> bool:
        """Whether the station ever refused a request of that name."""
        return any("FAILED" in str(getattr(each, "ResponseCode", "")) for each in self.answers[name])


class Station:
    """Answers a car's requests out of a capture. `heard` are the names of the requests; silence where the capture has no more to say."""

    def __init__(self, captured: Captured):
        self.captured, self.generation = captured, captured.generation
        self.left = {name: list(answers) for name, answers in captured.answers.items()}
        self.heard: list[str] = []
        self.reader = FrameReader(2**20)

    def hear(self, octets: bytes) -> bytes:
        """Answer whole frames."""
        self.reader.feed(octets)
        out = b""
        while (heard := self.reader.next()) is not None:
            request = self.generation.read(heard.payload_type, heard.payload).reading.message
            self.heard.append(type(request).__name__)
            if (octets := self.captured.unread.get(self.heard[-1])) is not None:
                out += frame(PayloadType.EXI, octets)
            elif (response := self.answer(request)) is not None:
                sent = self.generation.write(response, OWN, "main", None)
                out += frame(sent.payload_type, sent.exi)
        return out

    def answer(self, request: Any) -> Any:
        name = type(request).__name__
        if name == "supportedAppProtocolReq":
            (said,) = self.captured.answers[name][:1]
            return type(said)(ResponseCode=said.ResponseCode, SchemaID=request.AppProtocol[0].SchemaID)
        if name == "WeldingDetectionReq" and not self.captured.answers[name]:
            return self.dead(request)
        left = self.left.get(name, [])
        if name in POLLED and len(left) == 1:
            return left[0]
        return left.pop(0) if left else None

    def dead(self, request: Any) -> Any:
        """No voltage: what a station is asked whose own car did not ask it, for that may be left out."""
        kind, status = self.generation.responses[type(request)], self.captured.answers["CurrentDemandReq"][-1].DC_EVSEStatus
        zero = least(type(self.captured.answers["CurrentDemandReq"][-1].EVSEPresentVoltage), Value=0)
        return least(kind, DC_EVSEStatus=status, EVSEPresentVoltage=zero)


def visitor(captured: Captured) -> Car[Any]:
    """A car of the kind that was captured: its battery at the voltage that its station reached, and wide limits."""
    number = lambda value: value.Value * 10.0**value.Multiplier  # noqa: E731
    reached = [number(each.EVSEPresentVoltage) for each in captured.answers["PreChargeReq"]]
    wanted = [number(each.EVTargetVoltage) for each in captured.requests("PreChargeReq")]
    powered = captured.requests("CurrentDemandReq")
    volts = reached[-1] if powered and reached else wanted[-1] if wanted else 400.0
    battery = Battery(voltage_empty=volts, voltage_full=volts, resistance=0.0, charge_power=500e3, curve=())
    dc = Inlet(charge_power=600e3, charge_current=1500.0, voltage=1300.0, voltage_minimum=0.0)
    ac = replace(AC_INLET, phases=3)
    services = ("AC",) if _asks_ac(captured) else ("DC", "AC")
    pays = bool(captured.requests("PaymentDetailsReq"))
    wish = Wish(services=services, authorizations=("PnC", "EIM") if pays else ("EIM",), loops=LOOPS, profile="interop")
    ev = Ev(energy=20_000.0, battery=battery, dc=dc, ac=ac)
    held, over = (replace(contract("secp256r1"), emaid="DEV2GC00000001G"), link()) if pays else (None, None)
    return Car(ev, Goal(target_soc=90, minimum_soc=10), wish, Clock(EPOCH, 0.0), held, link=over)


def _asks_ac(captured: Captured) -> bool:
    return any(str(getattr(each, "RequestedEnergyTransferMode", "")).split(".")[-1].startswith("AC") for each in captured.asked)


def met(captured: Captured, script: Script, car: Car[Any]) -> tuple[EvccSession, Station]:
    """The session of a car with the captured station, in virtual time. Where the capture says no more, the station is silent."""
    station, now = Station(captured), 0.0
    session = EvccSession(script, car, now)
    for _ in range(20_000):
        if session.ended is not None:
            return session, station
        octets = session.octets_to_send()
        if octets and (answer := station.hear(octets)):
            now += LATENCY
            session.receive(answer, now)
            continue
        due = session.deadline()
        assert due is not None, "the session waits for nothing"
        now = max(now, due)
        session.tick(now)
    raise AssertionError("the session does not end")
