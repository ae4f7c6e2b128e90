"""Asks a station what it has: protocols, TLS, ways to authorize, services and their parameter sets. It leaves before any power.

Each protocol is offered alone, on a connection of its own, by a car that does nothing else wrong. Where the station selects one of
ISO 15118-20, the car goes on as far as the services. What it is not told (a pause, a meter) no question finds out.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from evcc.client import Visit
from evcc.config import Config
from evcc.iso20.authorization import authorized
from evcc.iso20.requests import ask
from evcc.opening import negotiation
from evcc.script import Part, Script
from pki.store import Store
from v2g.iso2.services import PROTOCOL as ISO2
from v2g.iso20.services import BY_ID, PROTOCOLS
from v2g.messages.common_messages import (
    AuthorizationSetupReq,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    SessionSetupReq,
    SessionStopReq,
    chargingSessionType,
)
from v2g.messages.din.msg_def import NAMESPACE as DIN_NAMESPACE
from v2g.session.clock import Clock
from v2g.session.endpoint import Event
from v2g.session.link import Observer, Secured
from v2g.session.sap import Protocol
from v2g.session.service import EnergyService
from v2gkit.lab.visit import visit_of

DIN: Final = Protocol(DIN_NAMESPACE, 2, 0, "din", secure=False)
CANDIDATES: Final = (*PROTOCOLS.values(), ISO2, DIN)
_MODES: Final = {1: "scheduled", 2: "dynamic"}  # values of the parameter ControlMode


@dataclass(slots=True)
class Answers:
    """What a station said of itself; `refused` are the protocols with the reason why nothing was learnt of them."""

    protocols: list[Protocol] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    tls: str = ""  # version and cipher suite; empty: none came about
    stapled: bool = False
    stapled_whole: bool = False
    ways: set[str] = field(default_factory=set)  # to authorize: EIM, PnC
    installation: bool = False
    renegotiation: bool = False
    services: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # id -> parameter sets, by the names of their parameters
    added: set[int] = field(default_factory=set)  # ids of value-added services

    @property
    def rows(self) -> tuple[EnergyService, ...]:
        """The energy services that are known here by their id."""
        return tuple(BY_ID[each] for each in sorted(self.services) if each in BY_ID)

    @property
    def modes(self) -> set[str]:
        """The control modes of all parameter sets: scheduled, dynamic."""
        said = {each.get("ControlMode") for sets in self.services.values() for each in sets}
        return {_MODES[each] for each in said if each in _MODES}

    def claims(self) -> dict[str, bool]:
        """What of the PICS was answered, by the name of the claim."""
        rows, spoken = self.rows, {each.schema_set for each in self.protocols}
        return {
            "tls": bool(self.tls),
            "ac": any(each.mains for each in rows),
            "dc": any(each.plug == "dc" for each in rows),
            "mcs": any(each.plug == "mcs" for each in rows),
            "bpt": any(each.bidirectional for each in rows),
            "der": any(each.der for each in rows),
            "wpt": any(each.wireless for each in rows),
            "acdp": any(each.docked for each in rows),
            "scheduled": "scheduled" in self.modes,
            "dynamic": "dynamic" in self.modes,
            "eim": "EIM" in self.ways,
            "pnc": "PnC" in self.ways,
            "certificate_installation": self.installation,
            "vas": bool(self.added),
            "service_renegotiation": self.renegotiation,
            "staples": self.stapled,
            "chain_staples": self.stapled_whole,
            "generation_2": ISO2.schema_set in spoken,
            "din": DIN.schema_set in spoken,
        }


class _Ear(Observer):
    """Hears what was agreed upon in TLS."""

    def __init__(self, answers: Answers):
        self._answers = answers

    def event(self, event: Event) -> None:
        """Take the facts of a handshake."""
        if isinstance(event, Secured):
            self._answers.tls = f"{event.facts.version}, {event.facts.suite}"
            self._answers.stapled = any(staple is not None for staple in event.facts.staples)
            self._answers.stapled_whole = bool(event.facts.staples) and all(staple is not None for staple in event.facts.staples)


async def probe(host: str, port: int, store: Store | None) -> Answers:
    """Ask the station at an address, with the certificates of a store, or without TLS. Raises ConfigError, StoreError, CertificateError."""
    answers = Answers()
    config = Config(connect=f"[{host}]:{port}", pki=None if store is None else str(store.path), tls=store is not None)
    config = replace(config, wish=replace(config.wish, bench_plain=store is None))
    for protocol in CANDIDATES:
        driving: Visit = visit_of(config, Clock(time.time(), time.monotonic()), "charge", store)
        driving.script, driving.observe = asking(protocol, answers), [lambda local, peer, number: _Ear(answers)]
        result = await driving.at(host, port)
        if protocol not in answers.protocols or not result.ended.well:
            answers.refused[protocol.namespace] = str(result.ended.error or result.ended.how)
    return answers


def asking(protocol: Protocol, answers: Answers) -> Script:
    """A script of one session: it offers that protocol alone, and asks on where it is one of ISO 15118-20."""

    def script(car: Any) -> Part[str]:
        car.protocol = None
        yield from negotiation(car, (protocol,))
        answers.protocols.append(protocol)
        if protocol.schema_set in PROTOCOLS:
            yield from _services(car, answers)
        return "Terminate"

    return script


def _services(car: Any, answers: Answers) -> Part[None]:
    begun: Any = yield ask(SessionSetupReq, EVCCID=car.wish.evccid)
    car.session_id = begun.Header.SessionID
    setup: Any = yield ask(AuthorizationSetupReq)
    answers.ways |= {each.value for each in setup.AuthorizationServices}
    answers.installation |= setup.CertificateInstallationService
    for way in _possible(car, setup):
        if (yield from authorized(car, way, setup, [])):
            yield from _offers(answers)
            break
    yield ask(SessionStopReq, ChargingSession=chargingSessionType.Terminate)


def _possible(car: Any, setup: Any) -> Iterator[Any]:
    """The ways that a station offers and this car can go: a contract first, for a card may never come."""
    if setup.PnC_ASResAuthorizationMode is not None and car.contracts:
        yield "PnC"
    if setup.EIM_ASResAuthorizationMode is not None:
        yield "EIM"


def _offers(answers: Answers) -> Part[None]:
    found: Any = yield ask(ServiceDiscoveryReq)
    answers.renegotiation |= found.ServiceRenegotiationSupported
    if found.VASList is not None:
        answers.added |= {each.ServiceID for each in found.VASList.Service}
    for service in found.EnergyTransferServiceList.Service:
        detail: Any = yield ask(ServiceDetailReq, ServiceID=service.ServiceID)
        sets = detail.ServiceParameterList.ParameterSet
        answers.services[service.ServiceID] = [{one.Name: _value(one) for one in each.Parameter} for each in sets]


def _value(parameter: Any) -> Any:
    """The value of a parameter, in whichever of its fields it stands; a rational number as a float."""
    names = ("boolValue", "byteValue", "shortValue", "intValue", "finiteString")
    found = next((value for name in names if (value := getattr(parameter, name)) is not None), None)
    rational = parameter.rationalNumber
    return found if rational is None else float(f"{rational.Value}e{rational.Exponent}")
