"""A utility server of IEEE 2030.5 (CSIP-AUS) for tests: devices, programs, controls, tariffs, mirrors, subscriptions, sans-I/O.

It plays the client procedures of `cactus-test-definitions` against our client (`test_grid_cactus.py`), and is judged by `cactus-client`
(`sep2_judge.py`), for which it runs in a foreign interpreter: it imports nothing of this project. Who asks is known by the LFDI of a
certificate: that of an aggregator acts for every device that it registered, any other one for its own.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring, register_namespace, tostring

NS, AUS = "urn:ieee:std:2030.5:ns", "https://csipaus.org/ns"
XMLNS = f'xmlns="{NS}" xmlns:csipaus="{AUS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
PEN = "00028547"
register_namespace("", NS)
register_namespace("csipaus", AUS)
WANTED = {  # what has to stand in what is sent
    "EndDevice": ("sFDI", "changedTime"),
    "DERSettings": ("setGradW", "setMaxW", "updatedTime"),
    "DERCapability": ("modesSupported", "rtgMaxW", "type"),
    "DERStatus": ("readingTime",),
    "DERControlResponse": ("endDeviceLFDI", "status", "subject"),
    "PriceResponse": ("endDeviceLFDI", "status", "subject"),
    "Subscription": ("subscribedResource", "notificationURI"),
    "MirrorUsagePoint": ("mRID", "deviceLFDI"),
}
STATUSES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 252, 253, 254)  # Response.status
Answer = tuple[int, str, str | None]  # status, body, Location


def number_of(xml: Element, name: str) -> int:
    return int(text_of(xml, name) or "")


def text_of(xml: Element, name: str) -> str | None:
    found = xml.find(f"{{{NS}}}{name}")
    return None if found is None else (found.text or "").strip()


@dataclass
class Device:
    number: int
    lfdi: str
    owner: str
    pin: int = 111_115
    every: int = 60
    point: str | None = None
    category: str | None = None
    changed: int = 0
    said: dict[str, Element] = field(default_factory=dict)  # reports by the last part of their path


@dataclass
class Program:
    number: int
    primacy: int
    fsa: int = 1
    tag: str = ""
    default: dict[str, Any] = field(default_factory=dict)
    controls: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Profile:
    number: int
    primacy: int
    fsa: int
    power: int
    components: list[dict[str, Any]] = field(default_factory=list)


class Server:
    """`now` gives epoch s; `told` hears of each change: URL and the Notification for it. `closed`: devices cannot register themselves."""

    def __init__(self, now: Callable[[], float], told: Callable[[str, str], None] = lambda url, body: None) -> None:
        self.now, self.told = now, told
        self.devices: list[Device] = []
        self.programs: list[Program] = [Program(1, 1)]
        self.assignments: set[int] = set()  # those without anything as well
        self.profiles: list[Profile] = []
        self.subscriptions: dict[int, tuple[str, str, Element, str]] = {}  # number -> who, resource, as it was sent, as the resource was
        self.points: dict[int, Element] = {}
        self.rates = dict.fromkeys(("dcap", "edev", "fsa", "der", "derp", "mup", "tp", "tti"), 60)
        self.closed, self.links = False, True
        self.barred: set[str] = set()  # LFDIs of certificates that may do nothing any more
        self.gone: set[int] = set()  # assignments that devices have no more
        self.routes: dict[str, list[str]] = {}  # version -> paths of the DeviceCapability
        self.proxies: dict[str, str] = {}
        self.responses: list[Element] = []
        self.read: list[tuple[int, int]] = []  # of each reading: the roles of its point, the unit
        self.count = 0

    # --- what a test lets be ---

    def mrid(self) -> str:
        self.count += 1
        return f"{self.count:024X}{PEN}"

    def add(self, lfdi: str, owner: str | None = None) -> Device:
        found = next((each for each in self.devices if each.lfdi == lfdi), None)
        if found is None:
            self.devices.append(found := Device(len(self.devices) + 1, lfdi, owner or lfdi))
        return found

    def program(self, primacy: int, fsa: int = 1, tag: str = "") -> Program:
        self.programs.append(Program(len(self.programs) + 1, primacy, fsa, tag))
        return self.programs[-1]

    def control(
        self, program: Program, modes: dict[str, Any], start: float, length: int, random: int = 0, ramp: float | None = None
    ) -> str:
        mrid = self.mrid()
        program.controls.append(
            {"mrid": mrid, "start": int(start), "length": length, "modes": modes, "status": 0, "made": int(self.now())}
            | {"random": random, "ramp": ramp, "primacy": program.primacy, "changed": int(self.now())}
        )
        return mrid

    def tariff(self, primacy: int, fsa: int, power: int) -> Profile:
        self.profiles.append(Profile(len(self.profiles) + 1, primacy, fsa, power))
        return self.profiles[-1]

    def component(self, flow: int | None, power: int, unit: int) -> dict[str, Any]:
        found: dict[str, Any] = {"mrid": self.mrid(), "flow": flow, "power": power, "unit": unit, "intervals": []}
        self.profiles[-1].components.append(found)
        return found

    def interval(self, component: dict[str, Any], start: float, length: int, blocks: list[tuple[int, int]]) -> dict[str, Any]:
        now = int(self.now())
        found = {"mrid": self.mrid(), "start": int(start), "length": length, "blocks": blocks, "status": 0, "made": now, "changed": now}
        component["intervals"].append(found)
        return found

    def announce(self) -> None:
        """Tell every subscriber whose resource is not as it was; whatever a test changed is told by this alone."""
        for number, (who, resource, sent, before) in list(self.subscriptions.items()):
            text = self.resource(resource, who, {}) or ""
            if text == before:
                continue
            self.subscriptions[number] = who, resource, sent, text
            url, limit = text_of(sent, "notificationURI") or "", number_of(sent, "limit")
            found = re.match(r"<(\w+) ", text)
            if found is None:
                continue
            shown = self.resource(resource, who, {"l": [str(limit)]}) or ""
            inner = re.sub(r"^<\w+ xmlns=.*?-instance\"", f'<Resource xsi:type="{found[1]}"', shown).replace(
                f"</{found[1]}>", "</Resource>"
            )
            body = f"<subscribedResource>{resource}</subscribedResource>{inner}<status>0</status>"
            self.told(url, f"<Notification {XMLNS}>{body}<subscriptionURI>/edev/0/sub/{number}</subscriptionURI></Notification>")

    # --- what is asked ---

    def answer(self, method: str, target: str, body: bytes, who: str) -> Answer:
        """The answer to a request of whoever has the certificate of this LFDI."""
        parts = urlsplit(target)
        path = self.proxies.get(parts.path, parts.path)
        if who in self.barred:
            return 403, error(2), None
        if method == "GET":
            if path == "/.well-known/csipaus":
                said = {"supportedSchemaVersions": {version: {"dcap": paths} for version, paths in self.routes.items()}}
                return 200, json.dumps(said), None
            text = self.resource(path, who, parse_qs(parts.query))
            return (404, error(0), None) if text is None else (200, text, None)
        owned = re.match(r"/edev/(\d+)", path)
        if owned is not None and owned[1] != "0" and self.device(int(owned[1]), who) is None:
            return 404, error(0), None
        if method == "DELETE":
            found = re.fullmatch(r"/edev/0/sub/(\d+)", path)
            there = found is not None and self.subscriptions.pop(int(found[1]), None) is not None
            return (204, "", None) if there else (404, error(0), None)
        try:
            xml = fromstring(body)
            self.demand_whole(xml)
            return self.taken(method, path, xml, who)
        except (ParseError, ValueError):
            return 400, error(1), None

    def demand_whole(self, xml: Element) -> None:
        """ValueError for what lacks something that it wants, or has what cannot be."""
        for name in WANTED.get(xml.tag.rpartition("}")[2], ()):
            if not text_of(xml, name) and not len(xml.findall(f"{{{NS}}}{name}/*")):
                raise ValueError(name)
        for name in ("lFDI", "endDeviceLFDI", "deviceLFDI"):
            if (lfdi := text_of(xml, name)) is not None and not re.fullmatch(r"[0-9A-Fa-f]{40}", lfdi):
                raise ValueError(name)

    def taken(self, method: str, path: str, xml: Element, who: str) -> Answer:
        """The answer to what was sent. ValueError where it cannot be meant."""
        kind = xml.tag.rpartition("}")[2]
        if (method, path, kind) == ("POST", "/edev", "EndDevice"):
            return self.registered(xml, who)
        if (method, path, kind) == ("POST", "/edev/0/sub", "Subscription"):
            resource = text_of(xml, "subscribedResource") or ""
            before = self.resource(resource, who, {})
            if before is None:
                raise ValueError(resource)
            self.count += 1
            url = text_of(xml, "notificationURI")
            known = [
                at for at, each in self.subscriptions.items() if (*each[:2], text_of(each[2], "notificationURI")) == (who, resource, url)
            ]
            number = next(iter(known), self.count)
            self.subscriptions[number] = who, resource, xml, before
            return 201, "", f"/edev/0/sub/{number}"
        if method == "POST" and path.startswith("/mup"):
            return self.mirrored(path, xml, who)
        found = re.fullmatch(r"/edev/(\d+)/(.+)", path)
        device = self.device(int(found[1]), who) if found is not None else None
        if found is None or device is None:
            return 404, error(0), None
        if method == "POST" and re.fullmatch(r"rsps/\w+/rsp", found[2]):
            return self.responded(device, xml, path)
        if method == "PUT" and found[2] == "cp":
            point = next((each.text for each in xml.iter() if each.tag.rpartition("}")[2] in ("connectionPointId", "id")), None)
            if not re.fullmatch(r"[0-9A-HJ-NP-Z]{10,11}", point or ""):  # a NMI has neither I nor O
                raise ValueError("connectionPointId")
            device.point = point
            return 201, "", path
        if method == "PUT" and found[2] in ("der/1/dercap", "der/1/derg", "der/1/ders"):
            xml.set("href", path)
            device.said[path.rpartition("/")[2]] = xml
            return 204, "", None
        return 404, error(0), None

    def registered(self, xml: Element, who: str) -> Answer:
        lfdi = (text_of(xml, "lFDI") or who).upper()
        known = next((each for each in self.devices if each.lfdi == lfdi), None)
        if self.closed or known is not None or (lfdi != who and not self.aggregates(who)):
            return 403, error(2), None
        device = self.add(lfdi, who)
        device.category, device.changed = text_of(xml, "deviceCategory"), number_of(xml, "changedTime")
        return 201, "", f"/edev/{device.number}"

    def responded(self, device: Device, xml: Element, path: str) -> Answer:
        subjects = {each["mrid"] for program in self.programs for each in program.controls}
        subjects |= {each["mrid"] for profile in self.profiles for one in profile.components for each in one["intervals"]}
        if text_of(xml, "subject") not in subjects or (text_of(xml, "endDeviceLFDI") or "").upper() != device.lfdi:
            raise ValueError("subject")
        if number_of(xml, "status") not in STATUSES:
            raise ValueError("status")
        self.responses.append(xml)
        return 201, "", f"{path}/{len(self.responses)}"

    def mirrored(self, path: str, xml: Element, who: str) -> Answer:
        kind = xml.tag.rpartition("}")[2]
        readings = {text_of(each, "mRID"): at for at, point in self.points.items() for each in point.iter(f"{{{NS}}}MirrorMeterReading")}
        if path == "/mup" and kind == "MirrorUsagePoint":
            lfdi = (text_of(xml, "deviceLFDI") or "").upper()
            if not any(each.lfdi == lfdi and self.device(each.number, who) for each in self.devices):
                return 403, error(2), None
            number = next((at for at, each in self.points.items() if text_of(each, "mRID") == text_of(xml, "mRID")), len(self.points) + 1)
            if number in self.points and text_of(self.points[number], "deviceLFDI") != text_of(xml, "deviceLFDI"):
                raise ValueError("mRID")
            for each in xml.iter(f"{{{NS}}}MirrorMeterReading"):
                if readings.get(text_of(each, "mRID"), number) != number:  # a reading of another point
                    raise ValueError("mRID")
            xml.set("href", f"/mup/{number}")
            self.points[number] = xml
            self.counted(xml, list(xml.iter(f"{{{NS}}}MirrorMeterReading")))
            return 201, "", f"/mup/{number}"
        found = re.fullmatch(r"/mup/(\d+)", path)
        point = self.points.get(int(found[1])) if found is not None else None
        if found is None or point is None or not self.mine(point, who):
            return 404, error(0), None
        sent = [xml] if kind == "MirrorMeterReading" else list(xml)
        for value in xml.iter(f"{{{NS}}}value"):
            if not -(1 << 47) <= int(value.text or "") < 1 << 47:
                raise ValueError("value")
        if any(text_of(each, "mRID") not in readings and each.find(f"{{{NS}}}ReadingType") is None for each in sent):
            raise ValueError("mRID")
        self.counted(point, sent)
        return 201, "", path

    def counted(self, point: Element, sent: list[Element]) -> None:
        units = {text_of(each, "mRID"): each.find(f"{{{NS}}}ReadingType") for each in point.iter(f"{{{NS}}}MirrorMeterReading")}
        for each in sent:
            kind = units.get(text_of(each, "mRID"))
            if each.find(f"{{{NS}}}Reading") is not None and kind is not None:
                self.read.append((int(text_of(point, "roleFlags") or "0", 16), number_of(kind, "uom")))

    # --- who may see what ---

    def aggregates(self, who: str) -> bool:
        return not who or any(each.owner == who != each.lfdi for each in self.devices) or who in self.aggregators

    aggregators: frozenset[str] = frozenset()

    def device(self, number: int, who: str) -> Device | None:
        found = next((each for each in self.devices if each.number == number), None)
        return found if found is not None and who in (found.lfdi, found.owner, "") else None

    def mine(self, point: Element, who: str) -> bool:
        lfdi = (text_of(point, "deviceLFDI") or "").upper()
        return any(each.lfdi == lfdi and self.device(each.number, who) is not None for each in self.devices)

    def resource(self, path: str, who: str, query: dict[str, list[str]]) -> str | None:
        """A resource as this certificate may see it, or None."""
        from tests.interop.sep2_views import view

        return view(self, path, who, query)


def error(reason: int) -> str:
    return f"<Error {XMLNS}><reasonCode>{reason}</reasonCode></Error>"


def xml_of(element: Element) -> str:
    """An element that was sent, without the names of its namespaces."""
    return re.sub(r' xmlns(:\w+)?="[^"]*"', "", tostring(element, "unicode"))
