"""A foreign VTN of OpenADR 2.0b: the PyPI package `openleadr`, which holds each message of a VEN to the Alliance's schema.

It runs in an interpreter of its own, and prints what it hears as lines of JSON: the port, who registers, what is opted. On each line of
standard input it makes an event, cancels one, or says how many messages broke the schema:

{"event": "e1", "signal": ["SIMPLE", "level"], "intervals": [[0, 900, 1]]}     start in s from now, s, value
{"event": "e2", "signal": ["LOAD_DISPATCH", "setpoint"], "bare": true, "intervals": [[0, 900, 1]]}     without its unit
{"cancel": "e1"}
"""

import asyncio
import json
import logging
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

WRONG: list[str] = []


def said(**facts: Any) -> None:
    """Print one line of JSON with these facts."""
    print(json.dumps(facts), flush=True)


class Noting(logging.Handler):
    """Keeps what the package complains of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line of the log."""
        WRONG.append(record.getMessage()[:300])


async def registered(info: Any) -> tuple[str, str]:
    """Let every VEN in."""
    said(registers=info["ven_name"], pulls=info["http_pull_model"])
    return "ven_1", "registration_1"


async def opted(ven_id: str, event_id: str, opt_type: str) -> None:
    """Tell what a VEN answers to an event."""
    said(event=event_id, opt=opt_type)


def event_of(asked: Any) -> dict[str, Any]:
    """The arguments of an event for the package."""
    from openleadr.objects import Interval, Measurement  # type: ignore[import-not-found]

    now = datetime.now(UTC)
    intervals = [
        Interval(dtstart=now + timedelta(seconds=at), duration=timedelta(seconds=lasts), signal_payload=value)
        for at, lasts, value in asked["intervals"]
    ]
    signal, kind = asked["signal"]
    made = {"ven_id": "ven_1", "signal_name": signal, "signal_type": kind, "intervals": intervals, "event_id": asked["event"]}
    if signal == "LOAD_DISPATCH" and not asked.get("bare"):
        measured = {"name": "powerReal", "description": "RealPower", "unit": "W", "scale": "k", "ns": "power"}
        made["measurement"] = Measurement(**measured, power_attributes={"hertz": 50, "voltage": 230, "ac": True})
    return made


async def main() -> None:
    """Serve until standard input ends."""
    from openleadr import OpenADRServer  # type: ignore[import-not-found]

    logging.getLogger("openleadr").addHandler(Noting(logging.WARNING))
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    server = OpenADRServer(vtn_id="vtn", http_host="127.0.0.1", http_port=port, requested_poll_freq=timedelta(seconds=1))
    server.add_handler("on_create_party_registration", registered)
    await server.run()
    said(port=port)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        if "cancel" in asked:
            server.cancel_event("ven_1", asked["cancel"])
        elif "event" in asked:
            given = event_of(asked)
            measurement = given.pop("measurement", None)
            server.add_event(**given, callback=opted)
            if measurement is not None:
                event = next(e for e in server.services["event_service"].events["ven_1"] if e.event_descriptor.event_id == asked["event"])
                event.event_signals[0].measurement = measurement
        said(done=True, wrong=WRONG)


if __name__ == "__main__":
    asyncio.run(main())
