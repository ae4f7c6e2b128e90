"""What a station of ISO 15118-2 is made to do wrong; which case must find which fault stands in `faults2`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple
from weakref import WeakSet

import v2g.session.transport.server as server
from secc.claims import Claim
from secc.engine import SeccSession
from secc.iso2.verifier import PkiVerifier, contract_chain
from tests.v2gkit.conform.seeding import (
    Change,
    Seed,
    all_of,
    answers,
    answers_to,
    dies,
    failing,
    grants_where,
    patched,
    put,
    puts,
    responds,
    says,
)
from v2g.exi.derive import least
from v2g.iso2.physical import number
from v2g.iso2.services import PROTOCOL
from v2g.messages import app_protocol
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2 import msg_data_types as mt
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.session.generation import MAIN
from v2g.session.transport.connection import Limits

Negotiated, Sap = app_protocol.responseCodeType, app_protocol.supportedAppProtocolRes
Parameters = mb.ChargeParameterDiscoveryRes


class Fault(NamedTuple):
    """A seed, the ids of the cases of -2 that find it, and the setting of the station that has it."""

    seed: Seed
    cases: tuple[str, ...]
    place: str = "usual"


def ids(family: str, *numbers: int) -> tuple[str, ...]:
    """The ids of a family by their numbers."""
    return tuple(f"S2-{family}-{number_:02}" for number_ in numbers)


def schema_id(wrong: int, other: int) -> Change:
    return lambda response: put(response, SchemaID=other) if response.SchemaID == wrong else response


def negotiated(response: Any) -> Any:
    """What is refused is granted."""
    return put(response, ResponseCode=Negotiated.OK_SuccessfulNegotiation, SchemaID=1)


def never_refused(response: Any) -> Any:
    """Whatever is offered is granted."""
    return negotiated(response) if response.ResponseCode is Negotiated.Failed_NoNegotiation else response


def any_version(request: Any, response: Any, session: Any) -> Any:
    """A list of protocols is granted that names -2 in a version that there is not."""
    own = request.AppProtocol[0]
    return negotiated(response) if own.ProtocolNamespace == PROTOCOL.namespace and own.VersionNumberMajor != 2 else response


def impatient_at_the_beginning() -> None:
    """A car has 4 s to say its first octet, and for the setup."""
    patched("station_setup", lambda _: 4.0)
    usual = Limits.patience
    Limits.patience = lambda self, plain, spoke: 4.0 if plain and not spoke else usual(self, plain, spoke)  # type: ignore[method-assign]


def negotiates_in_a_session() -> Seed:
    """A list of protocols is granted in a session."""
    begun = WeakSet[Any]()

    def noted(request: Any, response: Any, session: Any) -> Any:
        begun.add(session)
        return response

    def granted(request: Any, response: Any, session: Any) -> Any:
        return negotiated(response) if session in begun else response

    return all_of(responds(mb.SessionSetupReq, noted), responds(supportedAppProtocolReq, granted))


def dies_of_strangers(request: Any, response: Any, session: Any) -> Any:
    """The program dies of a list of protocols of which it knows none by name."""
    return (
        dies()
        if all("nobody" in each.ProtocolNamespace or len(each.ProtocolNamespace) == 100 for each in request.AppProtocol)
        else response
    )


def moody() -> Change:
    counter = iter(range(10_000))
    return lambda response: put(response, SchemaID=254 + next(counter) % 2) if response.SchemaID in (0, 255) else response


def joins_anybody(request: Any, known: Any, response: Any) -> Any:
    asked = any(known.step.told) and response.ResponseCode is Code.OK_NewSessionEstablished
    return put(response, ResponseCode=Code.OK_OldSessionJoined) if asked else response


def counted() -> Callable[..., bytes]:
    numbers = iter(range(1, 10_000))
    return lambda *_: next(numbers).to_bytes(8, "big")


def every(count: int, change: Change) -> Change:
    """Each `count`-th response is changed."""
    counter = iter(range(1, 1_000_000))
    return lambda response: change(response) if next(counter) % count == 0 else response


def with_fields(kind: type, **fields: Any) -> Seed:
    """A response of one kind has other fields."""
    return says(kind, lambda response: put(response, **fields))


def under_another_id() -> None:
    """What is offered is told under another SessionID."""

    def changed(write: Any) -> Any:
        def written(message: Any, session_id: bytes = b"", *more: Any, **named: Any) -> Any:
            return write(message, bytes(range(1, 9)) if type(message) is mb.ServiceDiscoveryRes else session_id, *more, **named)

        return written

    patched("write", changed)


def by(way: Any, kind: type, change: Change, fits: Callable[[Any], bool] = lambda request: True) -> Seed:
    """The response to a PowerDeliveryReq or SessionStopReq of one way is changed, where the request fits."""

    def changed(request: Any, known: Any, response: Any) -> Any:
        ways = (getattr(request, "ChargeProgress", None), getattr(request, "ChargingSession", None))
        return change(response) if way in ways and fits(request) else response

    return answers(kind, changed)


def any_mode(mode: str) -> Seed:
    """Parameters for AC or DC are granted, though the outlet has them not."""
    asks = lambda request, response: request.RequestedEnergyTransferMode.value.startswith(mode)  # noqa: E731
    return grants_where(mb.ChargeParameterDiscoveryReq, asks)


def before(state: Any) -> Callable[[Any, Any], bool]:
    """Whether a session is not in a state."""
    return lambda request, session: session._conduct.state(session.context) is not state


def only_ac(response: Any) -> Any:
    modes = mt.SupportedEnergyTransferModeType(EnergyTransferMode=(mt.EnergyTransferModeType.AC_three_phase_core,))
    return put(response, ChargeService=put(response.ChargeService, SupportedEnergyTransferMode=modes))


def paid_by(*options: mt.paymentOptionType) -> Seed:
    return with_fields(mb.ServiceDiscoveryRes, PaymentOptionList=mt.PaymentOptionListType(PaymentOption=options))


def a_game(response: Any) -> Any:
    """A service that nobody claimed, of the category of the Internet."""
    game = mt.ServiceType(ServiceID=3, ServiceName="Game", ServiceCategory=mt.serviceCategoryType.Internet, FreeService=True)
    return put(response, ServiceList=mt.ServiceListType(Service=(game,)))


def other_sets(response: Any) -> Any:
    listed = response.ServiceParameterList
    if listed is None:
        return response
    spoken = lambda each: put(each, stringValue="Other") if each.stringValue is not None else each  # noqa: E731
    sets = tuple(put(one, Parameter=tuple(map(spoken, one.Parameter))) for one in listed.ParameterSet)
    return put(response, ServiceParameterList=put(listed, ParameterSet=sets))


# --- contracts ---


def believes_any_contract(octets: bytes = b"") -> Seed:
    """Whatever contract is shown is believed, where its certificate has these octets."""

    def seed() -> None:
        judge = PkiVerifier.contract

        def changed(self: Any, request: Any, challenge: bytes, wall: float) -> Claim:
            found = judge(self, request, challenge, wall)
            wrong = found.warning is not None and octets in contract_chain(request)[0]
            return Claim("PnC", emaid="DEV2GC00000001", chain=contract_chain(request)) if wrong else found

        PkiVerifier.contract = changed  # type: ignore[method-assign]

    return seed


def dies_of_a_challenge() -> None:
    """The program dies of a challenge where none was given."""
    table = answers_to(mb.AuthorizationReq)
    answer = table[mb.AuthorizationReq]
    table[mb.AuthorizationReq] = lambda asked, known: (
        dies() if asked.GenChallenge is not None and not known.service.challenge else answer(asked, known)
    )


def one_challenge() -> None:
    """Every car is given one challenge."""
    begin = SeccSession.__init__

    def begins(self: Any, *places: Any, entropy: Callable[[int], bytes], **named: Any) -> None:
        begin(self, *places, entropy=lambda length: bytes(range(16)) if length == 16 else entropy(length), **named)

    SeccSession.__init__ = begins  # type: ignore[method-assign, assignment]


def dies_of_octets() -> None:
    judge = PkiVerifier.contract
    changed: Any = lambda self, request, *more: dies() if b"garbage" in contract_chain(request)[0] else judge(self, request, *more)  # noqa: E731
    PkiVerifier.contract = changed  # type: ignore[method-assign]


def dies_of_a_short_value() -> None:
    judge = PkiVerifier.metering

    def changed(self: Any, request: Any, contract: bytes) -> None:
        if request.signature is not None and len(request.signature.SignatureValue.value) == 63:
            dies()
        judge(self, request, contract)

    PkiVerifier.metering = changed  # type: ignore[method-assign]


# --- energy ---


def parameter(**fields: Any) -> Seed:
    """The parameters of the station are other ones, where it has fields of these names."""

    def changed(response: Any) -> Any:
        said = response.EVSEChargeParameter
        return put(response, EVSEChargeParameter=put(said, **{name: each for name, each in fields.items() if hasattr(said, name)}))

    return says(Parameters, changed)


def with_tuples(change: Change) -> Seed:
    """The schedules are others, where there are any."""

    def changed(response: Any) -> Any:
        listed = response.SASchedules
        return response if listed is None else put(response, SASchedules=put(listed, SAScheduleTuple=change(listed.SAScheduleTuple)))

    return says(Parameters, changed)


def with_entries(change: Change) -> Seed:
    """The entries of the first schedule are others."""

    def changed(tuples: Any) -> Any:
        plan = tuples[0].PMaxSchedule
        return (put(tuples[0], PMaxSchedule=put(plan, PMaxScheduleEntry=change(plan.PMaxScheduleEntry))),)

    return with_tuples(changed)


def ends_soon(entries: Any) -> Any:
    last = entries[0]
    return (put(last, TimeInterval=put(last.TimeInterval, duration=60)),)


def at(starts: tuple[int, ...]) -> Change:
    """Entries at these seconds in the place of all, the last to the end of the schedule."""

    def changed(entries: Any) -> Any:
        first, last = entries[0], entries[-1].TimeInterval
        spans = [put(first.TimeInterval, start=each, duration=None) for each in starts]
        spans[-1] = put(spans[-1], duration=last.start + last.duration - starts[-1])
        return tuple(put(first, TimeInterval=each) for each in spans)

    return changed


def all_that_is_asked(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentVoltage=request.EVTargetVoltage)


def all_the_current(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentCurrent=request.EVTargetCurrent)


def after_a_renegotiation() -> None:
    """The loop fails in a session that had another schedule."""
    seen = set[bytes]()

    def noted(request: Any, known: Any, response: Any) -> Any:
        if request.ChargeProgress is Progress.Renegotiate:
            seen.add(known.session.id)
        return response

    def loop(request: Any, known: Any, response: Any) -> Any:
        return failing(response) if known.session.id in seen else response

    all_of(answers(mb.PowerDeliveryReq, noted), answers(mb.CurrentDemandReq, loop), answers(mb.ChargingStatusReq, loop))()


# --- the end, and what comes back ---


def grants_after_the_end() -> None:
    """What comes after SessionStopRes is answered by a grant."""
    receive = SeccSession.receive

    def changed(self: Any, octets: bytes, now: float) -> None:
        if self._closing and octets:
            self._send(least(mb.ServiceDiscoveryRes, ResponseCode=Code.OK), MAIN, now)
        else:
            receive(self, octets, now)

    SeccSession.receive = changed  # type: ignore[method-assign]


def once_joined(kind: type, change: Change) -> Seed:
    """A response is changed in each session that somebody came back to before."""

    def seed() -> None:
        joined: list[bool] = []

        def noted(response: Any) -> Any:
            if response.ResponseCode is Code.OK_OldSessionJoined:
                joined.append(True)
            return response

        all_of(says(mb.SessionSetupRes, noted), says(kind, lambda response: change(response) if joined else response))()

    return seed


def other_schedules(response: Any) -> Any:
    """Schedules under ids that nobody had agreed upon."""
    listed = response.SASchedules
    if listed is None:
        return response
    tuples = tuple(put(each, SAScheduleTupleID=each.SAScheduleTupleID + 100) for each in listed.SAScheduleTuple)
    return put(response, SASchedules=put(listed, SAScheduleTuple=tuples))


def contracts_alone(response: Any) -> Any:
    return put(response, PaymentOptionList=mt.PaymentOptionListType(PaymentOption=(mt.paymentOptionType.Contract,)))


def dies_of_a_loss(*states: Any) -> Seed:
    """The program dies where a car drops its connection in one of these states."""

    def seed() -> None:
        lost = SeccSession.lost

        def changed(self: Any, *more: Any) -> None:
            if self.ended is None and self._conduct.state(self.context) in states:
                dies()
            lost(self, *more)

        SeccSession.lost = changed  # type: ignore[method-assign]

    return seed


def lists(**fields: Any) -> Seed:
    """TLS 1.2 has other lists."""
    return puts(server, "ISO2", replace(server.ISO2, **fields))


def of_number(name: str, least: float) -> Callable[[Any], bool]:
    """Whether a field of the car's parameters is as much as that."""
    return lambda request: hasattr(request.EVChargeParameter, name) and number(getattr(request.EVChargeParameter, name)) >= least


DIES_OF_GARBAGE = puts(SeccSession, "_undecodable", dies)
GCM = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
DC_LOOP, AC_LOOP = mb.CurrentDemandRes, mb.ChargingStatusRes
LOOPS = (DC_LOOP, AC_LOOP)
