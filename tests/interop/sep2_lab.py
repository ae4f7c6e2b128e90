"""A procedure of `cactus-test-definitions` as data: what its actions make of a `Server`, and what its events and checks wait for."""

import re
import time
from fnmatch import fnmatch
from math import inf
from typing import Any
from urllib.parse import urlsplit

from tests.interop.sep2_server import Program, Server, number_of, text_of
from v2gkit.grid.http import Response

LFDIS = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5", "3E4F45AB31EDFE5B67E343E5E4562E31984E23E6"
OWNER = "A" * 40  # of the aggregator's certificate
TAKEN, GIVEN = 20_000, 10_000
NAMES = {
    "setMaxW": GIVEN, "maxImportW": TAKEN, "maxExportW": GIVEN, "rtgMaxW": GIVEN, "setMaxChargeRateW": TAKEN,
    "setMaxDischargeRateW": GIVEN, "rtgMaxChargeRateW": TAKEN, "rtgMaxDischargeRateW": GIVEN,
}  # fmt: skip
UNITS = {"second": 1, "minute": 60, "hour": 3_600}
PIN = 111_115  # of the client, as the procedures have it
RESOURCES = {
    "TariffProfileList": r"/edev/1/fsa/\d+/tp", "TariffProfile": r"/edev/1/tp/\d+", "RateComponentList": r"/edev/1/tp/\d+/rc",
    "RateComponent": r"/edev/1/tp/\d+/rc/\w+", "TimeTariffIntervalList": r"/edev/1/tp/\d+/rc/\w+/tti",
    "CombinedTimeTariffIntervalList": r"/edev/1/tp/\d+/ctti", "TimeTariffInterval": r"/edev/1/tp/\d+/rc/\w+/tti/\w+",
}  # fmt: skip
READ = {"readings-site-active-power": 2, "readings-der-active-power": 8}  # bits of RoleFlagsType: the premises' connection, a DER
WATT = 38  # UomType
REPORTS = {"der-settings-contents": "derg", "der-status-contents": "ders", "der-capability-contents": "dercap"}


def resolved(value: Any, now: float) -> Any:
    """A parameter, with its expression computed."""
    if not isinstance(value, str) or not (found := re.fullmatch(r"\$\((.*)\)", value)):
        return value
    text = re.sub(r"'(\d+) (\w+?)s?'", lambda match: str(int(match[1]) * UNITS[match[2]]), found[1])
    times = {"now": int(now), "now_hour": int(now) // 3_600 * 3_600, "now_day": int(now) // 86_400 * 86_400}
    return eval(text, {"__builtins__": {}}, NAMES | times)


class Lab:
    """A server as a procedure wants it, and the procedure itself."""

    def __init__(self, procedure: dict[str, Any]) -> None:
        self.now = float(int(time.time()))
        self.steps: dict[str, dict[str, Any]] = procedure["Steps"]
        self.enabled = {next(iter(self.steps)): self.now}
        self.left = set(self.steps)
        self.asked: list[str] = []
        self.tags: dict[str, Any] = {}
        self.cut, self.finished, self.notified = False, False, 0
        self.latest: Any = None
        self.server = Server(lambda: self.now, lambda url, body: self.tell(url, body))
        self.server.aggregators = frozenset((OWNER,))
        self.hear: Any = None
        before = procedure.get("Preconditions") or {}
        self.do(before.get("init_actions"))
        self.later = before.get("actions")
        self.checks = before.get("checks") or ()

    def start(self) -> bool:
        """Do what a procedure begins with, where what it presupposes is there; whether it was done."""
        if not all(self.holds(check) for check in self.checks if not check["type"].startswith("readings-")):
            return False
        self.do(self.later)
        return True

    def tell(self, url: str, body: str) -> None:
        self.hear(url, body.encode())
        self.notified += 1

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
        for name, seconds in given.items():
            if name == "edev_post_seconds":
                for device in self.server.devices:
                    device.every = seconds
            else:
                self.server.rates[name.partition("_")[0]] = int(seconds)

    def do_communications_status(self, given: dict[str, Any]) -> None:
        self.cut = not given["enabled"]

    def do_register_end_device(self, given: dict[str, Any]) -> None:
        pin = int(given["registration_pin"])
        self.server.add(LFDIS[0], OWNER).pin = pin * 10 + sum(map(int, str(pin))) % 10

    def do_remove_function_set_assignment(self, given: dict[str, Any]) -> None:
        self.server.gone.add(given["fsa_id"])

    def do_edev_registration_links(self, given: dict[str, Any]) -> None:
        self.server.links = given["enabled"]

    def do_create_der_program(self, given: dict[str, Any]) -> None:
        self.server.program(given["primacy"], given.get("fsa_id", 1), given.get("tag", ""))

    def do_set_default_der_control(self, given: dict[str, Any]) -> None:
        program = self.server.programs[given.get("derp_id", 1) - 1]
        if given.get("cancelled"):
            program.default = {}
        else:
            program.default |= {name: value for name, value in given.items() if name.startswith(("opMod", "setGradW"))}

    def do_create_der_control(self, given: dict[str, Any]) -> None:
        primacy = given.get("primacy", self.server.programs[0].primacy)
        fsa, tag = given.get("fsa_id"), given.get("der_program_tag")
        there = self.server.programs
        alike = (
            [each for each in there if each.tag == tag]
            if tag
            else [each for each in there if each.primacy == primacy and fsa in (None, each.fsa)]
        )
        program: Program = next(iter(alike), None) or self.server.program(primacy, fsa or 1)
        modes = {name: value for name, value in given.items() if name.startswith("opMod")}
        random, ramp = given.get("randomizeStart_seconds", 0), given.get("ramp_time_seconds")
        mrid = self.server.control(program, modes, given["start"], given["duration_seconds"], random, ramp)
        self.tags[given.get("tag", mrid)] = mrid

    def do_cancel_active_der_controls(self, given: dict[str, Any]) -> None:
        for program in self.server.programs:
            for control in program.controls:
                if control["start"] + control["length"] > self.now:
                    control["status"] = 2

    def do_create_tariff_profile(self, given: dict[str, Any]) -> None:
        self.server.tariff(given["primacy"], given.get("fsa_id", 1), given.get("price_pow_10_multiplier", 0))

    def do_create_rate_component(self, given: dict[str, Any]) -> None:
        self.tags[given["tag"]] = self.server.component(given.get("flow_direction"), given["power_of_ten_multiplier"], given["uom"])

    def do_create_time_tariff_interval(self, given: dict[str, Any]) -> None:
        blocks = [(0, given["price_pow10_encoded_block0"])]
        if "price_pow10_encoded_block1" in given:
            blocks.append((given["price_start_pow10_block1"], given["price_pow10_encoded_block1"]))
        component = self.tags[given["rate_component_tag"]]
        found = self.server.interval(component, given["start"], given["duration_seconds"], blocks)
        self.tags[given.get("tag", found["mrid"])] = found

    def do_cancel_time_tariff_intervals(self, given: dict[str, Any]) -> None:
        there = [each for profile in self.server.profiles for one in profile.components for each in one["intervals"]]
        for each in [self.tags[given["tag"]]] if "tag" in given else there:
            each["status"] = 2

    def do_delete_rate_component(self, given: dict[str, Any]) -> None:
        for profile in self.server.profiles:
            profile.components = [each for each in profile.components if each is not self.tags[given["tag"]]]

    def do_create_wellknown_route(self, given: dict[str, Any]) -> None:
        self.server.routes[given["version"]] = ["/" + path.removeprefix("$") for path in given["dcap_paths"]]

    def do_add_proxy_route(self, given: dict[str, Any]) -> None:
        self.server.proxies["/" + given["route"].removeprefix("$")] = given["proxy_to"]

    # --- events ---

    def happen(self, kind: str, path: str, first: bool) -> None:
        for name in list(self.enabled):
            event = self.steps[name]["event"]
            given = event.get("parameters") or {}
            endpoint = re.sub(r"^\$", "/", given.get("endpoint", ""))
            if event["type"] != kind or not fnmatch(path, endpoint) or bool(given.get("serve_request_first")) is not first:
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
        given, kind = check.get("parameters") or {}, check["type"]
        if kind.endswith("response-contents"):
            return self.responded("PriceResponse" if kind.startswith("price") else "DERControlResponse", given)
        if kind == "subscription-contents":
            return any(each[1] == given["subscribed_resource"] for each in self.server.subscriptions.values())
        if kind == "all-notifications-transmitted":
            return self.notified > 0
        if kind == "resource-requests":
            found = sum(bool(re.fullmatch(RESOURCES[one], path)) for one in given["resources"] for path in self.asked)
            return bool(given["minimum_count"] <= found <= given["maximum_count"])
        if kind == "end-device-count":
            return bool(given["minimum_count"] <= len(self.server.devices) <= given["maximum_count"])
        if kind == "end-device-contents":
            device = next(iter(self.server.devices), None)
            return device is not None and (device.point is not None or not given.get("has_connection_point_id"))
        if kind in REPORTS:
            return self.reported(REPORTS[kind], given)
        if kind == "all-steps-complete":
            return self.left <= set(given.get("ignored_steps", ()))
        if kind in READ:
            return sum(unit == WATT and bool(roles & READ[kind]) for roles, unit in self.server.read) >= int(given["minimum_count"])
        raise NotImplementedError(kind)

    def responded(self, kind: str, given: dict[str, Any]) -> bool:
        every = [each for each in self.server.responses if each.tag.endswith("}" + kind)]
        tag = given.get("subject_tag")
        wanted = None if tag is None else self.tags[tag]["mrid"] if isinstance(self.tags[tag], dict) else self.tags[tag]
        found = [
            text_of(each, "subject")
            for each in (every[-1:] if given.get("latest") else every)
            if wanted in (None, text_of(each, "subject")) and number_of(each, "status") == given.get("status", number_of(each, "status"))
        ]
        if given.get("all"):
            price = [each["mrid"] for profile in self.server.profiles for one in profile.components for each in one["intervals"]]
            there = price if kind == "PriceResponse" else [each["mrid"] for one in self.server.programs for each in one.controls]
            return set(there) <= set(found)
        return bool(found) is given.get("exists", True)

    def reported(self, last: str, given: dict[str, Any]) -> bool:
        report = next((each.said[last] for each in self.server.devices if last in each.said), None)
        if report is None:
            return False
        for name, value in given.items():
            if (bit := re.fullmatch(r"genConnectStatus_bit(\d)", name)) is not None:
                if bool(int(report.findtext("{*}genConnectStatus/{*}value", "0"), 16) >> int(bit[1]) & 1) is not value:
                    return False
            elif isinstance(value, str) and value.startswith("$(this"):
                raise NotImplementedError(name)
            elif (part := re.fullmatch(r"(\w+)_set", name)) is not None:
                if int(report.findtext(f"{{*}}{part[1]}", "0"), 16) & int(value, 16) != int(value, 16):
                    return False
            elif name == "operationalModeStatus":
                if int(report.findtext("{*}operationalModeStatus/{*}value", "-1")) != value:
                    return False
            elif value is True:
                if report.find(f"{{*}}{name}") is None:
                    return False
            elif int(report.findtext(f"{{*}}{name}", "-1"), 16 if name == "alarmStatus" else 10) != value:
                return False
        return True

    # --- what is asked ---

    def answer(self, method: str, url: str, body: bytes) -> Response:
        path, kind = urlsplit(url).path, f"{method}-request-received"
        target = path + (f"?{urlsplit(url).query}" if urlsplit(url).query else "")
        self.asked += [path] if method == "GET" else []
        self.happen(kind, path, False)
        status, text, _ = self.server.answer(method, target, body, OWNER)
        self.happen(kind, path, True)
        return Response(status, text.encode())

    def meant(self, mode: str) -> float | None:
        """The cap that the server means at this moment in a mode; None where events overlap, so that history decides."""
        there = [program for program in self.server.programs if program.fsa not in self.server.gone]
        given = [each for program in there for each in program.controls if mode in each["modes"] and each["status"] == 0]
        active = [each for each in given if each["start"] <= self.now < each["start"] + each["length"]]
        if any(each["random"] for each in given) or any(
            one is not other and one["start"] < other["start"] + other["length"] and other["start"] < one["start"] + one["length"]
            for one in active
            for other in given
        ):
            return None
        if active:
            return float(int(active[0]["modes"][mode]))
        ordered = sorted(there, key=lambda program: program.primacy)
        return next((float(int(program.default[mode])) for program in ordered if mode in program.default), inf)
