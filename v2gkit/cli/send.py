"""`v2g send`: messages that were written or edited, sent to a station; its answers decoded."""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from v2gkit.cli.parser import number
from v2gkit.output import complain, put

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g send 127.0.0.1:15118 hello.xml setup.json --no-tls           one after the other; XML, JSON, or octets in any form
  v2g send [::1]:15118 frames.jsonl --pki certs                    what `v2g decode --jsonl` printed: the car's frames of it
  v2g send [::1]:15118 edited.json --then more.json --pki certs    the same as two files
  v2g send [::1]:15118 edited.json --in-session --pki certs        an ordinary session in which it stands for the car's own message
  v2g send [::1]:15118 odd.hex --type 0xA001 --keep --no-tls       on another payload type, with the session id that stands in it

JSON is as `v2g exi json` writes it, one message, an array, or one a line, also as {"set", "message"}; XML as `v2g exi decode` does. Each
message is sent when the one before it was answered. Session ids and time stamps become those of this session, unless --keep says
otherwise. With --in-session a car charges as `v2g ev` does, and goes on after the edited message as the standard has it.

With --jsonl each frame is {"frame", "connection", "from", "type", "set", "message", "exi", "content"}.

exit codes: 0 every message was sent and answered, whatever the answer says; 1 it was not: silence, a closed connection, no TLS, or a
session that did not get as far; 2 wrong usage, or what was given is no message
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g send`."""
    parser.add_argument("address", metavar="HOST:PORT", help="of the station, IPv6 in brackets")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="messages, in the order in which they are sent")
    parser.add_argument("--then", action="append", default=[], type=Path, metavar="FILE", help="and after them these")
    parser.add_argument("--in-session", action="store_true", help="an ordinary session of -20, with these in place of the car's own")
    parser.add_argument("--pki", type=Path, metavar="DIR", help="certificates of the car, for TLS")
    parser.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, default=True, help="TLS 1.3 (default); --no-tls is for benches only"
    )
    parser.add_argument("--profile", choices=("conformance", "interop"), default="conformance", help="what of TLS is let pass")
    parser.add_argument("--set", metavar="SET", help="schema set of the messages (default: the first that has them)")
    parser.add_argument("--type", metavar="0xNNNN", help="payload type of their frames (default: that of their set)")
    parser.add_argument(
        "--within", type=number(above=0, most=3600), default=5.0, metavar="S", help="wait so long for an answer (default: 5)"
    )
    parser.add_argument("--keep", action="store_true", help="send session ids and time stamps as they were written")
    parser.add_argument("--jsonl", action="store_true", help="a line of JSON for each frame")


def run(options: argparse.Namespace) -> int:
    """Send the messages and print what came back; the exit code."""
    from pki.errors import StoreError
    from v2g.address import host_and_port
    from v2g.settings.strict import ConfigError
    from v2gkit.lab.sending import prepared

    try:
        host, port = host_and_port(options.address)
        kind = None if options.type is None else _payload_type(options.type)
        messages = [each for file in (*options.files, *options.then) for each in prepared(file.read_bytes(), str(file), options.set, kind)]
        if options.tls and options.pki is None:
            raise ValueError("TLS needs the certificates of a car; give --pki DIR, or --no-tls for a bench")
        if options.in_session:
            return asyncio.run(_in_session(options, messages))
        return asyncio.run(_sent(options, host, port, messages))
    except (ValueError, StoreError, ConfigError) as error:
        complain(f"v2g send: {error}")
        return USAGE


def _payload_type(text: str) -> int:
    try:
        found = int(text, 16)
    except ValueError:
        found = -1
    if not 0 <= found <= 0xFFFF:
        raise ValueError(f"--type {text} is no payload type; give 0x0000 to 0xFFFF")
    return found


class Shown:
    """Prints frames as they are sent and received."""

    def __init__(self, as_json: bool):
        from v2gkit.insight.decode.lines import Lines
        from v2gkit.insight.decode.telling import Sessions

        self._as_json, self._lines = as_json, Lines()
        self._offset = time.time() - time.monotonic()
        self._telling = Sessions(lambda at: at + self._offset).another()
        self._began = False

    def event(self, event: Any) -> None:
        """Print what an event says, where it is of a frame."""
        from v2g.session.endpoint import FrameReceived, FrameSent, Noted

        if not self._began:
            self._began = True
            self._print(self._telling.opening(event.at, {}))
        if isinstance(event, FrameReceived | FrameSent):
            self._print(self._telling.frame(isinstance(event, FrameSent), event.payload_type, event.exi, event.at))
        elif isinstance(event, Noted) and event.topic == "raw octets sent":
            self._print(self._telling.note(event.at, event.topic, event.facts))

    def _print(self, record: dict[str, Any]) -> None:
        if self._as_json:
            for frame in self._lines.frame(record):
                put(json.dumps({**frame, "content": record.get("message")}))
            return
        for line in self._lines.text(record):
            if record["type"] != "trace":
                put(line)
        if record["type"] == "frame" and record["direction"] == "sent" and record.get("message") is not None:
            put(json.dumps(record["message"], indent=2, ensure_ascii=False))


def _observed(shown: Shown) -> Any:
    from v2g.session.link import Observer

    class Watch(Observer):
        def event(self, event: Any) -> None:
            shown.event(event)

    return lambda local, peer, number: Watch()


async def _sent(options: argparse.Namespace, host: str, port: int, messages: list[Any]) -> int:
    from evcc.trust import vehicle_tls
    from pki.store import Store
    from v2g.session.transport import run as connect
    from v2gkit.lab.sending import Sending

    offset = time.time() - time.monotonic()
    tls = vehicle_tls(Store(options.pki), options.profile) if options.tls else None

    def attend(link: Any) -> Sending:
        return Sending(messages, time.monotonic(), lambda now: now + offset, options.within, options.keep)

    ended = await connect(attend, host, port, tls, observe=[_observed(Shown(options.jsonl))])
    if ended.error is not None:
        complain(f"v2g send: {ended.error}")
    return NEGATIVE if ended.error is not None else WELL


async def _in_session(options: argparse.Namespace, messages: list[Any]) -> int:
    from dataclasses import replace

    from evcc.config import Config
    from evcc.opening import usual
    from v2g.iso20.sequence import REQUESTS
    from v2g.session.clock import Clock
    from v2gkit.lab.sending import replacing
    from v2gkit.lab.visit import visit, visit_of

    wrong = next((each.name for each in messages if type(each.message) not in REQUESTS), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is no request of ISO 15118-20, which a car could send in a session; leave --in-session out")
    config = Config(connect=options.address, pki=str(options.pki) if options.pki else None, tls=options.tls)
    wish = replace(config.wish, loops=5, bench_plain=not options.tls, profile=options.profile)
    config = replace(config, wish=wish)
    driving = visit_of(config, Clock(time.time(), time.monotonic()), "charge")
    used: list[str] = []
    driving.script = replacing(driving.script or usual(driving.conducts), messages, used.append)
    driving.observe = [*driving.observe, _observed(Shown(options.jsonl))]
    said = await visit(driving, config)
    missing = len(messages) - len(used)
    complain(
        f"v2g send: {len(used)} of {len(messages)} messages were sent; the session ended {said['ended']}: {said['reason'] or 'in order'}"
    )
    return NEGATIVE if missing else WELL
