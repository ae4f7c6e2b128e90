"""What our drivers of the foreign car and the foreign station share.

The drivers run under the interpreter of the peer's own environment (`ecog_setup`), as scripts: they import the package `iso15118` and
nothing of ours. They leave its state machines, codec and TLS alone; what they change (limits, how long it sleeps) is named here.
"""

# mypy: disable-error-code="import-not-found"

import asyncio
import collections
import enum
import importlib
import json
import math
import sys
import time
from types import SimpleNamespace
from typing import Any, ClassVar

from iso15118.shared.exi_codec import EXI
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.messages.app_protocol import AppProtocol, SupportedAppProtocolReq
from iso15118.shared.messages.din_spec.msgdef import V2GMessage as MessageDin
from iso15118.shared.messages.enums import Namespace
from iso15118.shared.messages.iso15118_2.msgdef import V2GMessage as Message2
from iso15118.shared.messages.iso15118_20 import ac, common_messages, common_types, dc

NAMESPACES = {"AC": Namespace.ISO_V20_AC, "DC": Namespace.ISO_V20_DC}
OLDER = {"ISO_15118_2": (Message2, Namespace.ISO_V2_MSG_DEF), "DIN_SPEC_70121": (MessageDin, Namespace.DIN_MSG_DEF)}


def say(**fact: Any) -> None:
    """Print facts as one line of JSON on standard output, for the program that started this one."""
    print(json.dumps(fact), flush=True)


def rational(value: float) -> common_types.RationalNumber:
    """A quantity as the peer's RationalNumber, with four significant digits."""
    exponent = 0 if value == 0 else max(-3, math.ceil(math.log10(abs(value) / 32767)))
    return common_types.RationalNumber(exponent=exponent, value=round(value / 10**exponent))


def rationals(**values: float) -> dict[str, common_types.RationalNumber]:
    """Quantities by name, as the peer's RationalNumbers."""
    return {name: rational(value) for name, value in values.items()}


def stretch_timers(factor: float) -> None:
    """Multiply every timer of the peer: its codec takes 10-50 ms a message, more on a busy machine, at the other side's expense."""
    for name in ("shared.messages.timeouts", "shared.messages.iso15118_20.timeouts"):
        importlib.import_module(f"iso15118.{name}")
    for module in [module for name, module in sys.modules.items() if name.startswith("iso15118.")]:
        for name, timers in list(vars(module).items()):
            if name.startswith("Timeouts") and isinstance(timers, type) and issubclass(timers, enum.Enum):
                setattr(module, name, SimpleNamespace(**{timer: member.value * factor for timer, member in timers.__members__.items()}))


def warm_codec(current: str, rounds: int, generation: str = "") -> ExificientEXICodec:
    """Start the peer's Java codec and let it load the grammars a session over `current` ("AC" or "DC") needs, before a timer runs.

    `generation`: one of `OLDER`, else -20 is meant.
    """
    codec = ExificientEXICodec()
    EXI().set_exi_codec(codec)
    for message, namespace in (_older(generation) if generation else _newest(current)) * rounds:
        EXI().from_exi(EXI().to_exi(message, namespace), namespace)
    return codec


def _newest(current: str) -> list[tuple[Any, Namespace]]:
    header = common_types.MessageHeader(session_id="0102030405060708", timestamp=int(time.time()))
    protocol = AppProtocol(protocol_ns=NAMESPACES[current].value, major_version=1, minor_version=0, schema_id=1, priority=1)
    return [
        (SupportedAppProtocolReq(app_protocol=[protocol]), Namespace.SAP),
        (common_messages.SessionSetupReq(header=header, evcc_id="WARMUP"), Namespace.ISO_V20_COMMON_MSG),
        (_charge_loop(current, header), NAMESPACES[current]),
    ]


def _older(generation: str) -> list[tuple[Any, Namespace]]:
    """The messages of the loop of direct current: those for which the other side waits a quarter of a second."""
    kind, namespace = OLDER[generation]
    volts, amperes = ({"Value": 400, "Multiplier": 0, "Unit": unit} for unit in ("V", "A"))
    car = {"EVReady": True, "EVErrorCode": "NO_ERROR", "EVRESSSOC": 50}
    station = {"NotificationMaxDelay": 0, "EVSENotification": "None", "EVSEIsolationStatus": "Valid", "EVSEStatusCode": "EVSE_Ready"}
    reached = {f"EVSE{what}LimitAchieved": False for what in ("Current", "Voltage", "Power")}
    bodies: dict[str, dict[str, Any]] = {
        "SessionSetupReq": {"EVCCID": "0102030405"},
        "CurrentDemandReq": {"DC_EVStatus": car, "EVTargetCurrent": amperes, "EVTargetVoltage": volts, "ChargingComplete": False},
        "CurrentDemandRes": {
            "ResponseCode": "OK",
            "DC_EVSEStatus": station,
            "EVSEPresentVoltage": volts,
            "EVSEPresentCurrent": amperes,
            **({"EVSEID": "DE*ABC*E1", "SAScheduleTupleID": 1} if kind is Message2 else {}),
            **reached,
        },
    }
    header = {"SessionID": "0102030405060708"}
    return [(kind.parse_obj({"Header": header, "Body": {name: body}}), namespace) for name, body in bodies.items()]


def _charge_loop(current: str, header: common_types.MessageHeader) -> common_types.V2GMessage:
    if current == "AC":
        power = ac.ScheduledACChargeLoopReqParams(ev_present_active_power=rational(0))
        return ac.ACChargeLoopReq(header=header, meter_info_requested=False, scheduled_params=power)
    target = dc.ScheduledDCChargeLoopReqParams(ev_target_current=rational(0), ev_target_voltage=rational(0))
    return dc.DCChargeLoopReq(header=header, meter_info_requested=False, ev_present_voltage=rational(0), scheduled_params=target)


class Watched:
    """A mixin for sessions of the peer: keeps the session with its TLS, and closes promptly where the package sleeps five seconds."""

    latest: Any = None  # the session that ran
    met: ClassVar[collections.Counter[str]] = collections.Counter()  # what it sent, by name; joined: sessions that went on
    spent: ClassVar[dict[str, float]] = {}  # s, the longest that it took from a message to its answer, by the name of the answer
    over: asyncio.Event
    current_state: Any
    writer: asyncio.StreamWriter

    def __init__(self, *parts: Any, **named: Any):
        super().__init__(*parts, **named)
        tls = self.writer.get_extra_info("ssl_object")  # gone once the connection is
        self.tls = {"tls": tls.version(), "cipher": tls.cipher()[0]} if tls else {"tls": None, "cipher": None}
        Watched.latest = self

    async def start(self, *limit: float) -> None:
        """Run the peer's session to its end, and set `over`."""
        try:
            await super().start(*limit)  # type: ignore[misc]
        finally:
            Watched.over.set()

    async def process_message(self, message: bytes) -> None:
        """Let the peer's session take a message, and count the answer or the next request."""
        began = time.monotonic()
        await super().process_message(message)  # type: ignore[misc]
        answer = self.current_state.message
        Watched.spent[str(answer)] = max(Watched.spent.get(str(answer), 0.0), time.monotonic() - began)
        Watched.met[str(answer)] += 1
        setup = getattr(getattr(answer, "body", None), "session_setup_res", None)
        Watched.met["joined"] += setup is not None and "Old" in setup.response_code.value

    async def stop(self, reason: str) -> None:
        """Close the connection at once, where the package would sleep five seconds."""
        await asyncio.sleep(0.05)  # lets the last message out
        self.writer.close()


def loops_of(older: str) -> int:
    """How often a session of -2 or DIN looped, by what was sent: requests ("Req") or responses ("Res")."""
    return Watched.met["CurrentDemand" + older] + Watched.met["ChargingStatus" + older]


def older_outcome(session: Any, side: str, current: str, started: float) -> dict[str, Any]:
    """The report about a session of -2 or DIN, as `outcome` tells one of -20; `side` is "Req" of a car, "Res" of a station."""
    reason, chosen = session.stop_reason, session.selected_auth_option
    return {
        "ok": bool(reason and reason.successful),
        "reason": reason.reason if reason else "the other side closed the connection",
        "state": str(session.current_state),
        "protocol": session.protocol.name,
        "session_id": session.session_id,
        "service": current,
        "auth": {"externalpayment": "eim", "contract": "pnc"}.get(chosen.value.lower(), chosen.value.lower()) if chosen else None,
        **session.tls,
        "loops": loops_of(side),
        "slowest": round(max(Watched.spent.get(name + side, 0.0) for name in ("CurrentDemand", "ChargingStatus")), 3),  # s, in the loop
        "joined": Watched.met["joined"],
        "installed": Watched.met["CertificateInstallationRes"],
        "deliveries": Watched.met["PowerDelivery" + side],  # a start and a stop; a renegotiation has one more, and another start
        "seconds": round(time.monotonic() - started, 3),
    }


def outcome(session: Any, loops: int, started: float) -> dict[str, Any]:
    """The report about a session by the peer's own state, JSON-able; `started` is its beginning (monotonic s)."""
    reason, service, control = session.stop_reason, session.selected_energy_service, session.control_mode
    parameters = {parameter.name: parameter.int_value for parameter in service.parameter_set.parameters} if service else {}
    return {
        "ok": bool(reason and reason.successful),
        "reason": reason.reason if reason else "the other side closed the connection",
        "state": str(session.current_state),
        "protocol": session.protocol.name,
        "session_id": session.session_id,
        "service": service.service.name if service else None,
        "control": control.name.lower() if control else None,
        "mobility": parameters.get("MobilityNeedsMode"),
        **session.tls,
        "loops": loops,
        "seconds": round(time.monotonic() - started, 3),
    }
