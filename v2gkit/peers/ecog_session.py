"""What our drivers of the foreign car and the foreign station share.

The drivers run under the interpreter of the peer's own environment (`ecog_setup`), as scripts: they import the package `iso15118` and
nothing of ours. They leave its state machines, codec and TLS alone; what they change (limits, how long it sleeps) is named here.
"""

# mypy: disable-error-code="import-not-found"

import asyncio
import enum
import importlib
import json
import math
import sys
import time
from types import SimpleNamespace
from typing import Any

from iso15118.shared.exi_codec import EXI
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.messages.app_protocol import AppProtocol, SupportedAppProtocolReq
from iso15118.shared.messages.enums import Namespace
from iso15118.shared.messages.iso15118_20 import ac, common_messages, common_types, dc

NAMESPACES = {"AC": Namespace.ISO_V20_AC, "DC": Namespace.ISO_V20_DC}


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


def warm_codec(current: str, rounds: int) -> ExificientEXICodec:
    """Start the peer's Java codec and let it load the grammars a session over `current` ("AC" or "DC") needs, before a timer runs."""
    codec = ExificientEXICodec()
    EXI().set_exi_codec(codec)
    header = common_types.MessageHeader(session_id="0102030405060708", timestamp=int(time.time()))
    protocol = AppProtocol(protocol_ns=NAMESPACES[current].value, major_version=1, minor_version=0, schema_id=1, priority=1)
    messages: list[tuple[Any, Namespace]] = [
        (SupportedAppProtocolReq(app_protocol=[protocol]), Namespace.SAP),
        (common_messages.SessionSetupReq(header=header, evcc_id="WARMUP"), Namespace.ISO_V20_COMMON_MSG),
        (_charge_loop(current, header), NAMESPACES[current]),
    ]
    for _ in range(rounds):
        for message, namespace in messages:
            EXI().from_exi(EXI().to_exi(message, namespace), namespace)
    return codec


def _charge_loop(current: str, header: common_types.MessageHeader) -> common_types.V2GMessage:
    if current == "AC":
        power = ac.ScheduledACChargeLoopReqParams(ev_present_active_power=rational(0))
        return ac.ACChargeLoopReq(header=header, meter_info_requested=False, scheduled_params=power)
    target = dc.ScheduledDCChargeLoopReqParams(ev_target_current=rational(0), ev_target_voltage=rational(0))
    return dc.DCChargeLoopReq(header=header, meter_info_requested=False, ev_present_voltage=rational(0), scheduled_params=target)


class Watched:
    """A mixin for sessions of the peer: keeps the session with its TLS, and closes promptly where the package sleeps five seconds."""

    latest: Any = None  # the session that ran
    over: asyncio.Event
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

    async def stop(self, reason: str) -> None:
        """Close the connection at once, where the package would sleep five seconds."""
        await asyncio.sleep(0.05)  # lets the last message out
        self.writer.close()


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
