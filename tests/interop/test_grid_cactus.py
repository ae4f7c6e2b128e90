"""IEEE 2030.5: client procedures of `cactus-test-definitions`, which others wrote, played against our client in virtual time.

The server is a stub of ours: it serves what a procedure's actions make, and tells the procedure what is asked and sent. A procedure is
passed when every step of it is complete, and the cap that holds after each round is the one that the server means. `LACKING` names those
that want what the client or the stub has not.
"""

import functools
import re
import time
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from v2gkit.grid.book import Book
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Response
from v2gkit.grid.link import Promise
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.client import Client
from v2gkit.grid.sep2.events import Following, Rating

ROOT = Path(__file__).parents[2]
PROCEDURES = next(iter((ROOT / ".interop" / "csip").glob("lib/*/site-packages/cactus_test_definitions/client/procedures")), None)
pytestmark = pytest.mark.skipif(PROCEDURES is None, reason="cactus-test-definitions is not in .interop/csip (it wants Python 3.12)")
RATING = Rating(20_000, 10_000, "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")
NAMES = {
    "setMaxW": 10_000, "maxImportW": 20_000, "maxExportW": 10_000, "rtgMaxW": 10_000, "setMaxChargeRateW": 20_000,
    "setMaxDischargeRateW": 10_000, "rtgMaxChargeRateW": 20_000, "rtgMaxDischargeRateW": 10_000,
}  # fmt: skip
UNITS = {"second": 1, "minute": 60, "hour": 3_600}
MIRRORS = '<MirrorUsagePointListLink href="/mup"/>'
NS = 'xmlns="urn:ieee:std:2030.5:ns" xmlns:csipaus="https://csipaus.org/ns"'
LONGEST = 80 * 3_600.0  # s of a procedure: one lasts three days
PIN = 111_115  # of the client, as the procedures have it
LACKING = {
    "discovery by .well-known": "SDVN-01",
    "a person at the DER, its alarms and ramps": "ALL-07 ALL-08 ALL-13 ALL-17 ALL-28 DRA-02 DRD-01 DRG-01 DRL-01 MUL-01 MUL-03",
    "subscriptions": "ALL-14",
    "two devices": "P-01",
    "prices": "PRC-01 PRC-02 PRC-03 PRC-04 PRC-05",
}


def resolved(value: Any, now: float) -> Any:
    """A parameter, with its expression computed."""
    if not isinstance(value, str) or not (found := re.fullmatch(r"\$\((.*)\)", value)):
        return value
    text = re.sub(r"'(\d+) (\w+?)s?'", lambda match: str(int(match[1]) * UNITS[match[2]]), found[1])
    return eval(text, {"__builtins__": {}}, NAMES | {"now": int(now)})


class Lab:
    """A server as a procedure wants it, and the procedure itself."""

    def __init__(self, procedure: dict[str, Any]) -> None:
        self.now = float(int(time.time()))
        self.steps: dict[str, dict[str, Any]] = procedure["Steps"]
        self.enabled = {next(iter(self.steps)): self.now}
        self.left = set(self.steps)
        self.programs: list[dict[str, Any]] = [{"primacy": 1, "default": {}, "controls": [], "fsa": 1, "tag": ""}]
        self.pin, self.links, self.cut, self.every = PIN, True, False, 60
        self.gone: set[int] = set()  # assignments that the device has no more
        self.tags: dict[str, str] = {}
        self.reports: dict[str, bytes] = {}
        self.finished = False
        self.registered = False
        self.count = 0
        self.do((procedure.get("Preconditions") or {}).get("init_actions"))
        self.later = (procedure.get("Preconditions") or {}).get("actions")

    # --- actions ---

    def do(self, actions: Any) -> None:
        for action in actions or ():
            given = {name: resolved(value, self.now) for name, value in (action.get("parameters") or {}).items()}
            getattr(self, "do_" + action["type"].replace("-", "_"))(given)

    def do_enable_steps(self, given: dict[str, Any]) -> None:
        self.enabled |= dict.fromkeys(given["steps"], self.now)

    def do_remove_steps(self, given: dict[str, Any]) -> None:
        for step in given["steps"]:
            self.enabled.pop(step, None)
            self.left.discard(step)

    def do_finish_test(self, given: dict[str, Any]) -> None:
        assert "fail_message" not in given, given
        self.finished = True

    def do_set_comms_rate(self, given: dict[str, Any]) -> None:
        self.every = int(given.get("derp_list_poll_seconds", self.every))

    def do_communications_status(self, given: dict[str, Any]) -> None:
        self.cut = not given["enabled"]

    def do_register_end_device(self, given: dict[str, Any]) -> None:
        pin = int(given["registration_pin"])
        self.registered, self.pin = True, pin * 10 + sum(map(int, str(pin))) % 10

    def do_remove_function_set_assignment(self, given: dict[str, Any]) -> None:
        self.gone.add(given["fsa_id"])

    def do_edev_registration_links(self, given: dict[str, Any]) -> None:
        self.links = given["enabled"]

    def do_create_der_program(self, given: dict[str, Any]) -> None:
        program = {"primacy": given["primacy"], "default": {}, "controls": [], "fsa": given.get("fsa_id", 1), "tag": given.get("tag", "")}
        self.programs.append(program)

    def do_set_default_der_control(self, given: dict[str, Any]) -> None:
        program = self.programs[given.get("derp_id", 1) - 1]
        if given.get("cancelled"):
            program["default"] = {}
        else:
            program["default"] |= {name: value for name, value in given.items() if name.startswith("opMod")}

    def do_create_der_control(self, given: dict[str, Any]) -> None:
        primacy = given.get("primacy", self.programs[0]["primacy"])
        fsa, tag = given.get("fsa_id"), given.get("der_program_tag")
        alike = (
            [each for each in self.programs if each["tag"] == tag]
            if tag
            else [each for each in self.programs if each["primacy"] == primacy and fsa in (None, each["fsa"])]
        )
        program = next(iter(alike), None)
        if program is None:
            self.programs.append(program := {"primacy": primacy, "default": {}, "controls": [], "fsa": fsa or 1, "tag": ""})
        primacy = program["primacy"]
        self.count += 1
        mrid = f"{self.count:08X}"
        self.tags[given.get("tag", mrid)] = mrid
        modes = {name: value for name, value in given.items() if name.startswith("opMod")}
        program["controls"].append(
            {"mrid": mrid, "start": given["start"], "length": given["duration_seconds"], "modes": modes, "status": 0, "made": self.now}
            | {"random": given.get("randomizeStart_seconds", 0), "primacy": primacy}
        )

    def do_cancel_active_der_controls(self, given: dict[str, Any]) -> None:
        for program in self.programs:
            for control in program["controls"]:
                if control["start"] + control["length"] > self.now:
                    control["status"] = 2

    # --- events ---

    def happen(self, kind: str, path: str, first: bool) -> None:
        for name in list(self.enabled):
            event = self.steps[name]["event"]
            given = event.get("parameters") or {}
            if event["type"] != kind or given.get("endpoint") != path or bool(given.get("serve_request_first")) is not first:
                continue
            if all(self.holds(check) for check in event.get("checks") or ()):
                self.do(self.steps[name].get("actions"))

    def wait(self) -> None:
        for name, since in list(self.enabled.items()):
            event = self.steps[name]["event"]
            if event["type"] == "proceed" or (event["type"] == "wait" and self.now >= since + event["parameters"]["duration_seconds"]):
                self.do(self.steps[name].get("actions"))

    def deadline(self) -> float:
        waits = [
            since + self.steps[name]["event"]["parameters"]["duration_seconds"]
            for name, since in self.enabled.items()
            if self.steps[name]["event"]["type"] == "wait"
        ]
        return min(waits, default=inf)

    def holds(self, check: dict[str, Any]) -> bool:
        given = check.get("parameters") or {}
        if check["type"] == "response-contents":
            body = words.read(self.reports["rsp"], "DERControlResponse")
            wanted = self.tags.get(given["subject_tag"]) if "subject_tag" in given else None
            return (wanted is None or words.text(body, "subject") == wanted) and words.number(body, "status") == given.get(
                "status", words.number(body, "status")
            )
        if check["type"] == "der-status-contents":
            body = words.read(self.reports["ders"], "DERStatus")
            bits = int(words.text(body, "genConnectStatus", "value") or "0", 16)
            for name, value in given.items():
                if (bit := re.fullmatch(r"genConnectStatus_bit(\d)", name)) is not None:
                    if bool(bits >> int(bit[1]) & 1) is not value:
                        return False
                elif name == "operationalModeStatus":
                    if words.number(body, name, "value") != value:
                        return False
                else:
                    raise NotImplementedError(name)
            return True
        if check["type"] == "der-settings-contents" and not given:
            return "derg" in self.reports
        raise NotImplementedError(check["type"])

    # --- resources ---

    def answer(self, method: str, url: str, body: bytes) -> Response:
        path = urlsplit(url).path
        if method != "GET":
            self.reports[path.rpartition("/")[2]] = body
            self.registered |= path == "/edev"
            kind = f"{method}-request-received"
            self.happen(kind, path, False)
            self.happen(kind, path, True)
            return Response(201 if method == "POST" else 204)
        self.happen("GET-request-received", path, False)
        text = self.resource(path)
        self.happen("GET-request-received", path, True)
        return Response(404) if text is None else Response(200, text.encode())

    def resource(self, path: str) -> str | None:
        if path == "/dcap":
            links = f'<TimeLink href="/tm"/><EndDeviceListLink href="/edev"/>{MIRRORS}'
            return f'<DeviceCapability {NS} pollRate="{self.every}">{links}</DeviceCapability>'
        if path == "/mup":
            point = f'<MirrorUsagePoint href="/mup/1"><mRID>{RATING.lfdi[:30]}01</mRID></MirrorUsagePoint>' if "mup" in self.reports else ""
            return f"<MirrorUsagePointList {NS}>{point}</MirrorUsagePointList>"
        if path == "/tm":
            return f"<Time {NS}><currentTime>{int(self.now)}</currentTime></Time>"
        if path == "/edev/1/rg":
            return f"<Registration {NS}><dateTimeRegistered>{int(self.now)}</dateTimeRegistered><pIN>{self.pin}</pIN></Registration>"
        if path == "/edev":
            parts = '<DERListLink href="/edev/1/der"/>', '<FunctionSetAssignmentsListLink href="/edev/1/fsa"/>'
            own = '<RegistrationLink href="/edev/1/rg"/>' if self.links else ""
            own += '<csipaus:ConnectionPointLink href="/edev/1/cp"/>'
            device = f'<EndDevice href="/edev/1">{parts[0]}<lFDI>{RATING.lfdi}</lFDI>{parts[1]}{own}</EndDevice>' if self.registered else ""
            return f"<EndDeviceList {NS}>{device}</EndDeviceList>"
        if path == "/edev/1/fsa":
            inner = "".join(
                f'<FunctionSetAssignments><DERProgramListLink href="/edev/1/fsa/{fsa}/derp"/></FunctionSetAssignments>'
                for fsa in sorted({program["fsa"] for program in self.programs} - self.gone)
            )
            return f"<FunctionSetAssignmentsList {NS}>{inner}</FunctionSetAssignmentsList>"
        if path == "/edev/1/der":
            pairs = (("Capability", "dercap"), ("Settings", "derg"), ("Status", "ders"))
            links_ = "".join(f'<DER{name}Link href="/edev/1/der/1/{last}"/>' for name, last in pairs)
            return f"<DERList {NS}><DER>{links_}</DER></DERList>"
        if (listed := re.fullmatch(r"/edev/1/fsa/(\d+)/derp", path)) is not None:
            places = [place for place, program in enumerate(self.programs) if program["fsa"] == int(listed[1])]
            return f"<DERProgramList {NS}>{''.join(map(self.program, places))}</DERProgramList>"
        found = re.fullmatch(r"/edev/1/derp/(\d+)/(d?derc)", path)
        if found is None or int(found[1]) > len(self.programs):
            return None
        program = self.programs[int(found[1]) - 1]
        if found[2] == "dderc":
            base = self.base(program["default"])
            return f"<DefaultDERControl {NS}><mRID>D{found[1]}</mRID><DERControlBase>{base}</DERControlBase></DefaultDERControl>"
        return f"<DERControlList {NS}>{''.join(map(self.control, program['controls']))}</DERControlList>"

    def program(self, number: int) -> str:
        base = f"/edev/1/derp/{number + 1}"
        return (
            f'<DERProgram><mRID>A{number}</mRID><DefaultDERControlLink href="{base}/dderc"/><DERControlListLink href="{base}/derc"/>'
            f"<primacy>{self.programs[number]['primacy']}</primacy></DERProgram>"
        )

    def control(self, each: dict[str, Any]) -> str:
        return (
            f'<DERControl replyTo="/edev/1/rsps/site_control/rsp" responseRequired="03"><mRID>{each["mrid"]}</mRID>'
            f"<creationTime>{int(each['made'])}</creationTime><EventStatus><currentStatus>{each['status']}</currentStatus></EventStatus>"
            f"<interval><duration>{each['length']}</duration><start>{each['start']}</start></interval>"
            f"<randomizeStart>{each['random']}</randomizeStart><DERControlBase>{self.base(each['modes'])}</DERControlBase></DERControl>"
        )

    def base(self, modes: dict[str, Any]) -> str:
        made = ""
        for name, value in modes.items():
            if isinstance(value, bool):
                made += f"<{name}>{str(value).lower()}</{name}>"
            elif name == "opModFixedW":
                made += f"<{name}>{int(value * 100)}</{name}>"
            else:
                made += f"<csipaus:{name}><multiplier>0</multiplier><value>{int(value)}</value></csipaus:{name}>"
        return made

    def meant(self, mode: str) -> float | None:
        """The cap that the server means at this moment in a mode; None where events overlap, so that history decides."""
        there = [program for program in self.programs if program["fsa"] not in self.gone]
        given = [each for program in there for each in program["controls"] if mode in each["modes"] and each["status"] == 0]
        active = [each for each in given if each["start"] <= self.now < each["start"] + each["length"]]
        if any(each["random"] for each in given) or any(
            one is not other and one["start"] < other["start"] + other["length"] and other["start"] < one["start"] + one["length"]
            for one in active
            for other in given
        ):
            return None
        if active:
            return float(int(active[0]["modes"][mode]))
        ordered = sorted(there, key=lambda program: program["primacy"])
        return next((float(int(program["default"][mode])) for program in ordered if mode in program["default"]), inf)


def play(procedure: dict[str, Any]) -> None:
    """Play a procedure to its end; fails where the client does not what it wants."""
    server = Lab(procedure)
    pin = PIN if server.links and "edev-registration-links" not in str(procedure) else None
    client, following = Client("http://[::1]/dcap", RATING, pin=pin, point="1234567890"), Following("u")
    book = Book("site", {"u": Promise(900)})

    def carried(script: Any) -> Any:
        try:
            request = next(script)
            while True:
                if server.cut:
                    raise GridFault(Trouble.UNREACHABLE, "the link is cut")
                request = script.send(server.answer(request.method, request.url, request.body or b""))
        except StopIteration as end:
            return end.value

    def one_round(session: Any) -> None:
        before = repr(server.programs)
        found = carried(client.polling(session))
        assert not found.faults
        assert not book.take_all("u", "sep2", following.told(found.controls, server.now), server.now)
        book.settle(server.now)
        carried(client.responding(session, found, server.now))
        carried(client.stating(session, found, server.now))
        carried(client.metering(session, 9_000.0, server.now))
        if repr(server.programs) == before:  # what was changed meanwhile is for the next round
            demand_meant(server, book)

    if (procedure.get("Preconditions") or {}).get("immediate_start"):
        server.do(server.later)
    session: Any = None
    started, denied = False, 0
    due, ends = server.now, server.now + LONGEST
    while server.left and not server.finished:
        assert server.now < ends, f"never complete: {sorted(server.left)}"
        server.wait()
        if server.now >= due:
            try:
                if session is None:
                    session = carried(client.opening(server.now))
                    carried(client.reporting(session, server.now))
                    if not started and not (procedure.get("Preconditions") or {}).get("immediate_start"):
                        server.do(server.later)
                    started = True
                one_round(session)
            except GridFault as fault:  # as the shell does
                if fault.trouble is not Trouble.UNREACHABLE and server.pin == PIN:
                    raise
                denied += fault.trouble is Trouble.DENIED
                session = None
            due = server.now + server.every
        server.now = min(due, max(server.deadline(), server.now + 1))
    assert not server.left or server.finished
    assert bool(denied) is (server.pin != PIN)
    assert not (denied and started)  # where another is meant, nothing but the registration was asked for


def demand_meant(server: Lab, book: Book) -> None:
    """Fail unless the caps that hold are those that the server means, where that does not depend on what was before."""
    held = book.standing(server.now)
    for cap, modes in ((held.import_cap, ("opModImpLimW", "opModLoadLimW")), (held.export_cap, ("opModExpLimW", "opModGenLimW"))):
        wanted = [server.meant(mode) for mode in modes]
        off = [server.meant(mode) for mode in ("opModConnect", "opModEnergize")]
        if None in wanted or None in off:
            continue
        assert cap == (0.0 if 0.0 in off else min(each for each in wanted if each is not None)), (server.now, cap, wanted, off)


@functools.cache
def procedures() -> dict[str, dict[str, Any]]:
    import yaml

    assert PROCEDURES is not None
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(PROCEDURES.glob("*.yaml"))}


def passed() -> list[str]:
    lacking = {name for names in LACKING.values() for name in names.split()}
    return [] if PROCEDURES is None else [name for name in procedures() if name not in lacking]


@pytest.mark.parametrize("name", passed())
def test_the_client_passes_a_procedure(name: str) -> None:
    play(procedures()[name])


def test_every_procedure_is_played_or_named() -> None:
    lacking = {name for names in LACKING.values() for name in names.split()}
    assert lacking <= procedures().keys()
    assert len(passed()) + len(lacking) == len(procedures())
    for name in sorted(lacking):
        with pytest.raises((AssertionError, AttributeError, NotImplementedError)):
            play(procedures()[name])
