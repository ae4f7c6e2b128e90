"""ISO 15118-2, what holds in every state: turn, session id, silence, time, the end after a failure, cars beside each other."""

import asyncio
from functools import partial
from typing import Any, NamedTuple

from pki.profiles import Role
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.sequence import POWERED, State, requests_in
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import MeterInfoType
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2gkit.conform import asked2, order
from v2gkit.conform.asked2 import OF_AC, OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import FOREIGN, OUT_OF_TURN
from v2gkit.conform.order import STRANGERS, estranged, kept_pace, untimely
from v2gkit.conform.silence import deserted
from v2gkit.conform.verdict import Outcome
from v2gkit.conform.visit2 import Visit2

case = partial(Case, role="station", domain="CMN")
NOT_JUDGED: dict[State, frozenset[type[Type]]] = {  # what stacks take there, and the standard does not clearly forbid
    State.DC_WELDING: frozenset({mb.ChargeParameterDiscoveryReq}),  # [V2G2-601] lets a car begin anew after power
    State.SESSION_STOP: frozenset({mb.ChargeParameterDiscoveryReq}),
}


class Turn(NamedTuple):
    """A state in which something is due: the step of a car that leads there, and what the car must be."""

    state: State
    step: str
    kind: str = "any"  # of charging: "ac", "dc"
    contract: bool = False

    @property
    def condition(self) -> tuple[str, ...]:
        """What a station must claim to come to it."""
        return ("generation_2", *((self.kind,) if self.kind != "any" else ()), *(("pnc", "tls12") if self.contract else ()))

    async def reached(self, bench: AtStation) -> Visit2:
        """A car at a station in this state. Raises Unreached."""
        ways: dict[str, object] = {"authorization": "PnC"} if self.contract else {}
        if self.kind != "any":
            ways["mode"] = bench.three_or_one if self.kind == "ac" else Transfer.DC_extended
        return await bench.at2(self.step, **ways)


TURNS = (
    Turn(State.SERVICE_DISCOVERY, "ServiceDiscovery"),
    Turn(State.SERVICE_SELECTION, "PaymentServiceSelection"),
    Turn(State.CONTRACT, "PaymentDetails", contract=True),
    Turn(State.AUTHORIZATION, "Authorization"),
    Turn(State.PARAMETERS, "ChargeParameterDiscovery"),
    Turn(State.AC_START, "PowerDelivery", "ac"),
    Turn(State.AC_LOOP, "ChargingStatus", "ac"),
    Turn(State.SESSION_STOP, "SessionStop", "ac"),
    Turn(State.DC_CABLE_CHECK, "CableCheck", "dc"),
    Turn(State.DC_PRE_CHARGE, "PreCharge", "dc"),
    Turn(State.DC_START, "PowerDelivery", "dc"),
    Turn(State.DC_LOOP, "CurrentDemand", "dc"),
    Turn(State.DC_WELDING, "WeldingDetection", "dc"),
)


def illegal(turn: Turn) -> tuple[type[Type], ...]:
    """The requests that must not come in a state, by the table of the standard; an early end is another case."""
    accepted = {*requests_in(turn.state), *NOT_JUDGED.get(turn.state, ())}
    early = () if turn.state in POWERED else (mb.SessionStopReq,)
    return tuple(each for each in ISO2.responses if each.__module__ == mb.__name__ and each not in accepted and each not in early)


def request(visit: Visit2, kind: type[Type]) -> Any:
    """A request of a class, as far as the car knows what belongs into it, else with what any could have."""
    ways = visit.ways
    made: dict[type[Type], Any] = {
        mb.SessionSetupReq: lambda: asked2.setup(visit.evccid),
        mb.ServiceDiscoveryReq: mb.ServiceDiscoveryReq,
        mb.ServiceDetailReq: lambda: mb.ServiceDetailReq(ServiceID=1),
        mb.PaymentServiceSelectionReq: lambda: asked2.selection("EIM"),
        mb.PaymentDetailsReq: lambda: asked2.contract(visit.wallet.credential(Role.CONTRACT)),
        mb.CertificateInstallationReq: lambda: installing(visit),
        mb.CertificateUpdateReq: lambda: updating(visit),
        mb.AuthorizationReq: mb.AuthorizationReq,
        mb.ChargeParameterDiscoveryReq: lambda: asked2.parameters(ways),
        mb.CableCheckReq: asked2.cable_check,
        mb.PreChargeReq: lambda: asked2.pre_charge(ways.voltage),
        mb.PowerDeliveryReq: lambda: asked2.delivery(Progress.Start, 1),
        mb.ChargingStatusReq: mb.ChargingStatusReq,
        mb.CurrentDemandReq: lambda: asked2.loop(asked2.Ways2(Transfer.DC_extended)),
        mb.MeteringReceiptReq: lambda: receipt(visit),
        mb.WeldingDetectionReq: asked2.welding,
        mb.SessionStopReq: asked2.stop,
    }
    return made[kind]()


def installing(visit: Visit2) -> Any:
    """A request for a contract, signed by the provisioning certificate."""
    held = visit.wallet.credential(Role.PROVISIONING)
    return asked2.sealed(asked2.installation(held, visit.wallet.store.anchors.v2g[:1]), held.key)


def updating(visit: Visit2) -> Any:
    """A request for a newer contract, signed by the one that the car has."""
    held = visit.wallet.credential(Role.CONTRACT)
    shown = asked2.contract(held)
    listed = asked2.roots(visit.wallet.store.anchors.v2g[:1])
    return asked2.sealed(
        mb.CertificateUpdateReq(
            Id="id1", ContractSignatureCertChain=shown.ContractSignatureCertChain, eMAID=shown.eMAID, ListOfRootCertificateIDs=listed
        ),
        held.key,
    )


def receipt(visit: Visit2) -> mb.MeteringReceiptReq:
    """A receipt for a reading that nobody showed."""
    return mb.MeteringReceiptReq(Id="id1", SessionID=visit.heard.session_id, SAScheduleTupleID=1, MeterInfo=MeterInfoType(MeterID="none"))


async def silence(bench: AtStation) -> Outcome:
    """Silence in one state, under power too."""
    turn = next(each for each in TURNS if each.state.value == bench.part)
    return await deserted(bench, await turn.reached(bench), 55.0, 60.0)


async def latency(bench: AtStation) -> Outcome:
    """How long answers take in whole sessions."""
    for _ in range(3):
        visit = await bench.visit2(mode=Transfer.DC_extended if bench.part == OF_DC else bench.three_or_one)
        await visit.upto(visit.loop)
        for _ in range(5):
            await visit.granted(asked2.loop(visit.ways))
            await asyncio.sleep(0.1)
        await visit.through("SessionStop")
        visit.wire.abandon()
    return kept_pace(bench)


async def after_failure(bench: AtStation) -> Outcome:
    """A sound request on a connection whose session has failed."""
    visit = await bench.at2("ServiceDiscovery")
    return await order.after_failure(bench, visit, asked2.parameters(visit.ways))


async def beside(bench: AtStation) -> Outcome:
    """Another car at the outlet of a car, which speaks for the first."""
    return await order.beside(bench, asked2.setup(bytes.fromhex("02FFFFFFFF01")), mb.ServiceDiscoveryReq())


def _named(turn: Turn) -> str:
    return f"{turn.state.value} is due"


CASES = (
    *(
        case(
            id=f"S2-GEN-{number:02}", kind=Kind.NEGATIVE, requirement=("V2G2-538", "V2G2-459", "V2G2-539"), condition=turn.condition,
            purpose=f"No request counts out of its turn: {turn.state.value}", precondition=_named(turn),
            stimulus="each request that is not due there, in a session of its own", expected=(OUT_OF_TURN,),
            script=untimely(turn.reached, illegal(turn), request),
            parts=tuple(each.__name__ for each in illegal(turn)), within=60.0, lasts=1.0 if turn.kind == "any" else 2.5,
            control="S2-SSU-05",
        )
        for number, turn in enumerate(TURNS, 1)
    ),
    *(
        case(
            id=f"S2-GEN-{number:02}", kind=Kind.NEGATIVE, requirement=("V2G2-460",), condition=turn.condition,
            purpose=f"No request counts under the id of another session: {turn.state.value}", precondition=_named(turn),
            stimulus="what is due, with SessionID 0, one bit of it turned, four octets of it, none", expected=(FOREIGN,),
            script=estranged(turn.reached), parts=tuple(STRANGERS), within=60.0, lasts=1.0 if turn.kind == "any" else 2.5,
            control="S2-SSU-05",
        )
        for number, turn in enumerate(TURNS, 1 + len(TURNS))
    ),
    *(
        case(
            id=f"S2-GEN-{number}", kind=Kind.TIMING, requirement=("V2G2-443",),
            condition=("generation_2", kind) if kind else ("generation_2",),
            purpose=f"A station leaves a car that fell silent{f' in {kind.upper()}' if kind else ''}",
            precondition="the session is where the part says", stimulus="nothing", script=silence,
            expected=("the connection ends after the sequence timeout of 60 s",), within=90.0, lasts=63.0, control="S2-SSU-05",
            parts=tuple(each.state.value for each in TURNS if each.state in states),
        )
        for number, kind, states in (
            (40, "", (State.SERVICE_DISCOVERY, State.SERVICE_SELECTION, State.AUTHORIZATION, State.PARAMETERS)),
            (41, "dc", (State.DC_CABLE_CHECK, State.DC_LOOP, State.DC_WELDING)),
            (42, "ac", (State.AC_LOOP, State.SESSION_STOP)),
        )
    ),
    *(
        case(
            id=f"S2-GEN-{number}", kind=Kind.TIMING, requirement=(), basis="table 109", condition=("generation_2", kind.lower()),
            purpose=f"Answers come within their performance time: {kind}", stimulus="three whole sessions", parts=(kind,), script=latency,
            expected=("every answer within its performance time and the slack",), within=120.0, lasts=12.0, control="S2-SSU-05",
        )
        for number, kind in ((43, OF_DC), (44, OF_AC))
    ),
    case(
        id="S2-GEN-45", kind=Kind.NEGATIVE, requirement=("V2G2-539", "V2G2-034"), condition=("generation_2",),
        purpose="After a failure nothing is granted any more", precondition="the session is set up",
        stimulus="a request out of turn, then a sound one on the same connection", script=after_failure, control="S2-SSU-05",
        expected=("FAILED to the first; no OK to the second; the connection ends within 5 s",),
    ),
    case(
        id="S2-GEN-46", kind=Kind.NEGATIVE, requirement=("V2G2-460",), condition=("generation_2",),
        purpose="Two cars do not get in each other's way", precondition="the session is set up",
        stimulus="another car at the same outlet, which also uses the first one's SessionID", script=beside, control="S2-SSU-05",
        expected=("the second is refused", "it has a session of its own; the first goes on"),
    ),
)  # fmt: skip
