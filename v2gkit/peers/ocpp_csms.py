"""A foreign CSMS: the PyPI package `ocpp` as server, with its own routing and validation, driven through one session as `csms.js` is.

python -m v2gkit.peers.ocpp_csms ocpp2.1        (or ocpp2.0.1)

Prints one JSON object per line: the port, each call that it heard, each answer that it got.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

import ocpp.messages
from ocpp.routing import after, on
from websockets.asyncio.server import ServerConnection, serve

from v2g.services import OFFERED

ocpp.messages.ASYNC_VALIDATION = False  # in a thread it would reorder its own frames
POWER: Final = -8000.0  # W
SPEAKS: Final = {"ocpp2.1": "ocpp.v21", "ocpp2.0.1": "ocpp.v201"}
ACCEPTED: Final = {"status": "Accepted"}


def said(**facts: Any) -> None:
    """Print one line of JSON with these facts."""
    print(json.dumps(facts), flush=True)


def answers(dynamic: bool) -> Mapping[str, Callable[[], Mapping[str, Any]]]:
    """What it answers to each action."""
    granted = {"allowed_energy_transfer": list(OFFERED)} if dynamic else {}
    return {
        "BootNotification": lambda: {**ACCEPTED, "interval": 60, "current_time": datetime.now(UTC).isoformat()},
        "Heartbeat": lambda: {"current_time": datetime.now(UTC).isoformat()},
        "Authorize": lambda: {"id_token_info": ACCEPTED, **granted},
        "NotifyEVChargingNeeds": lambda: ACCEPTED,
        "NotifyEVChargingSchedule": lambda: ACCEPTED,
        "TransactionEvent": dict,
        "NotifyReport": dict,
        "StatusNotification": dict,
        "NotifyEvent": dict,
        "SecurityEventNotification": dict,
    }


class Story:
    """What the CSMS does in one session: base report, sampling each second, a profile for the needs, the composite, the stop."""

    def __init__(self, dynamic: bool, calls: Any) -> None:
        self._dynamic, self._calls = dynamic, calls
        self._transaction, self._steered, self._stopping = "", False, False

    async def then(self, peer: Any, action: str, payload: Mapping[str, Any]) -> None:
        """Go on after a call that was answered."""
        if action == "BootNotification":
            await self._ask(peer, "GetBaseReport", request_id=1, report_base="FullInventory")
            variable = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}, "attribute_value": "1"}
            await self._ask(peer, "SetVariables", set_variable_data=[variable])
        elif action == "NotifyEVChargingNeeds" and not self._steered:
            self._steered = True
            await self._ask(peer, "SetChargingProfile", evse_id=1, charging_profile=self._profile())
        elif action == "TransactionEvent":
            self._transaction = payload["transaction_info"]["transaction_id"]
            if self._follows(payload) and not self._stopping:
                self._stopping = True
                await self._ask(peer, "GetCompositeSchedule", evse_id=1, duration=60)
                await self._ask(peer, "RequestStopTransaction", transaction_id=self._transaction)

    async def _ask(self, peer: Any, action: str, **payload: Any) -> None:
        answer = await peer.call(getattr(self._calls, action)(**payload))
        said(answered=action, payload=None if answer is None else {"status": getattr(answer, "status", None)})

    def _profile(self) -> dict[str, Any]:
        """In 2.1 a discharge, in 2.0.1, which has no word for it, a limit."""
        period = {"operation_mode": "CentralSetpoint", "setpoint": POWER} if self._dynamic else {"limit": -POWER}
        return {
            "id": 1,
            "stack_level": 0,
            "charging_profile_purpose": "TxProfile",
            "charging_profile_kind": "Relative",
            "transaction_id": self._transaction,
            "charging_schedule": [{"id": 1, "charging_rate_unit": "W", "charging_schedule_period": [{"start_period": 0, **period}]}],
        }

    def _follows(self, event: Mapping[str, Any]) -> bool:
        wanted = "Power.Active.Export" if self._dynamic else "Power.Active.Import"
        sampled = [one for value in event.get("meter_value", ()) for one in value["sampled_value"]]
        return any(one.get("measurand") == wanted and abs(one["value"] + POWER) < 0.02 * abs(POWER) for one in sampled)


def _peer(version: str) -> type[Any]:
    """The package's charge point, with a handler for each action."""
    theirs, dynamic = import_module(SPEAKS[version]), version == "ocpp2.1"
    story = Story(dynamic, theirs.call)

    def handlers(action: str, answer: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        def handle(_: Any, **payload: Any) -> Any:
            said(heard=action, payload=payload)
            return getattr(theirs.call_result, action)(**answer())

        async def then(peer: Any, **payload: Any) -> None:
            await story.then(peer, action, payload)

        handle.__name__, then.__name__ = f"on_{action}", f"after_{action}"  # by which the package finds them
        return {f"on_{action}": on(action)(handle), f"after_{action}": after(action)(then)}

    made = [handlers(action, answer) for action, answer in answers(dynamic).items()]
    return type("Peer", (theirs.ChargePoint,), {name: each for one in made for name, each in one.items()})


async def run(version: str) -> None:
    """Serve one station on a free port of the loopback, until the process is ended."""

    async def accept(socket: ServerConnection) -> None:
        peer = _peer(version)("CS", socket)
        try:
            await peer.start()
        finally:
            said(left=True)

    async with serve(accept, "127.0.0.1", 0, subprotocols=[version]) as server:  # type: ignore[list-item]
        said(port=next(iter(server.sockets)).getsockname()[1])
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
