"""The resources of `sep2_server.Server` as XML, in the order of the schema."""

import re
from typing import Any

from tests.interop.sep2_server import PEN, XMLNS, Device, Profile, Program, Server, xml_of

LIMITS = ("opModImpLimW", "opModExpLimW", "opModGenLimW", "opModLoadLimW")


def view(server: Server, path: str, who: str, query: dict[str, list[str]]) -> str | None:
    """A resource as a certificate may see it, or None."""
    if path == "/dcap":
        links = link("TimeLink", "/tm") + link("EndDeviceListLink", "/edev", len(devices(server, who)))
        return (
            f'<DeviceCapability {XMLNS} href="/dcap" pollRate="{server.rates["dcap"]}">{links}'
            f"{link('MirrorUsagePointListLink', '/mup', len(server.points))}</DeviceCapability>"
        )
    if path == "/tm":
        zones = "<dstEndTime>0</dstEndTime><dstOffset>0</dstOffset><dstStartTime>0</dstStartTime>"
        now = int(server.now())
        return f'<Time {XMLNS} href="/tm"><currentTime>{now}</currentTime>{zones}<quality>4</quality><tzOffset>0</tzOffset></Time>'
    if path == "/edev":
        return listed("EndDevice", path, devices(server, who), query, poll=server.rates["edev"], watched=True)
    if path == "/mup":
        points = [xml_of(each).replace("</MirrorUsagePoint>", f"<postRate>{server.rates['mup']}</postRate></MirrorUsagePoint>")
                  for each in server.points.values() if server.mine(each, who)]  # fmt: skip
        return listed("MirrorUsagePoint", path, points, query, poll=server.rates["mup"])
    if (found := re.fullmatch(r"/mup/(\d+)", path)) is not None and int(found[1]) in server.points:
        point = server.points[int(found[1])]
        whole = xml_of(point).replace("</MirrorUsagePoint>", f"<postRate>{server.rates['mup']}</postRate></MirrorUsagePoint>")
        return spaced(whole) if server.mine(point, who) else None
    if path == "/edev/0":
        return spaced(aggregator(who)) if who and server.aggregates(who) else None
    if (found := re.fullmatch(r"/edev/0/sub(?:/(\d+))?", path)) is not None:
        return subscriptions(server, found[1], who, query)
    found = re.fullmatch(r"/edev/(\d+)(/.*)?", path)
    device = server.device(int(found[1]), who) if found is not None else None
    return None if found is None or device is None else of_device(server, device, found[2] or "", query)


def subscriptions(server: Server, number: str | None, who: str, query: dict[str, list[str]]) -> str | None:
    own = {}
    for at, (owner, _, sent, _) in server.subscriptions.items():
        if owner == who:
            sent.set("href", f"/edev/0/sub/{at}")
            own[at] = xml_of(sent)
    if number is None:
        return listed("Subscription", "/edev/0/sub", list(own.values()), query)
    return spaced(own[int(number)]) if int(number) in own else None


def of_device(server: Server, device: Device, path: str, query: dict[str, list[str]]) -> str | None:
    """What is beneath an EndDevice."""
    base = f"/edev/{device.number}"
    there = [each for each in server.programs if each.fsa not in server.gone]
    if not path:
        return spaced(end_device(server, device))
    if path == "/rg" and server.links:
        return f'<Registration {XMLNS} href="{base}/rg"><dateTimeRegistered>0</dateTimeRegistered><pIN>{device.pin}</pIN></Registration>'
    if path == "/cp":
        return f'<csipaus:ConnectionPoint {XMLNS} href="{base}/cp"><csipaus:connectionPointId>{device.point or ""}' \
            "</csipaus:connectionPointId></csipaus:ConnectionPoint>"  # fmt: skip
    if path == "/der":
        return listed("DER", base + path, [der(base)], query, poll=server.rates["der"])
    if path == "/der/1":
        return spaced(der(base))
    if path.startswith("/der/1/"):
        said = device.said.get(path.rpartition("/")[2])
        return spaced(xml_of(said)) if said is not None else None
    if path == "/fsa":
        numbers = sorted(({each.fsa for each in (*there, *server.profiles)} | server.assignments) - server.gone)
        return listed("FunctionSetAssignments", base + path, [assignment(base, at) for at in numbers], query, server.rates["fsa"], True)
    if (found := re.fullmatch(r"/fsa/(\d+)/derp", path)) is not None:
        own = [program_xml(base, each) for each in sorted(there, key=lambda one: one.primacy) if each.fsa == int(found[1])]
        return listed("DERProgram", base + path, own, query, server.rates["derp"], True)
    if (found := re.fullmatch(r"/derp/(\d+)(/derc|/dderc|/derc/\w+)?", path)) is not None and int(found[1]) <= len(server.programs):
        return of_program(server, server.programs[int(found[1]) - 1], base, found[2] or "", query)
    if (found := re.fullmatch(r"/fsa/(\d+)/tp", path)) is not None:
        tariffs = [profile_xml(base, each) for each in server.profiles if each.fsa == int(found[1])]
        return listed("TariffProfile", base + path, tariffs, query, server.rates["tp"], True)
    if (found := re.fullmatch(r"/tp/(\d+)/(.+)", path)) is not None and int(found[1]) <= len(server.profiles):
        return of_profile(server, server.profiles[int(found[1]) - 1], base, found[2], query)
    return None


def of_program(server: Server, program: Program, base: str, path: str, query: dict[str, list[str]]) -> str | None:
    where = f"{base}/derp/{program.number}"
    if not path:
        return spaced(program_xml(base, program))
    if path == "/dderc":
        values = dict(program.default)
        gradient = values.pop("setGradW", None)
        grad = "" if gradient is None else f"<setGradW>{gradient}</setGradW>"
        mrid = f"{0xD000 + program.number:024X}{PEN}"
        inner = f"<mRID>{mrid}</mRID>{control_base(values, None)}{grad}"
        return f'<DefaultDERControl {XMLNS} href="{where}/dderc" subscribable="1">{inner}</DefaultDERControl>'
    there = [each for each in program.controls if each["start"] + each["length"] + each["random"] > server.now()]  # what is over is gone
    controls = sorted(there, key=lambda each: (each["start"], -each["made"], each["mrid"]))
    texts = {each["mrid"]: control_xml(server, f"{where}/derc", base, each) for each in controls}
    if path == "/derc":
        return listed("DERControl", where + path, list(texts.values()), query, watched=True)
    text = texts.get(path.rpartition("/")[2])
    return spaced(text) if text is not None else None


def of_profile(server: Server, profile: Profile, base: str, path: str, query: dict[str, list[str]]) -> str | None:
    where = f"{base}/tp/{profile.number}"
    if path == "rc":
        return listed("RateComponent", f"{where}/rc", [component_xml(where, each) for each in profile.components], query)
    if path == "ctti":
        pairs = [(each, interval) for each in profile.components for interval in each["intervals"]]
        texts = [interval_xml(base, where, each, interval) for each, interval in sorted(pairs, key=lambda pair: pair[1]["start"])]
        return listed("TimeTariffInterval", f"{where}/ctti", texts, query, server.rates["tti"], True)
    found = re.fullmatch(r"rc/(\w+)(/rt|/tti)?", path)
    own = next((each for each in profile.components if found is not None and each["mrid"] == found[1]), None)
    if found is None or own is None:
        return None
    if not found[2]:
        return spaced(component_xml(where, own))
    if found[2] == "/tti":
        return listed("TimeTariffInterval", f"{where}/{path}", [interval_xml(base, where, own, each) for each in own["intervals"]], query)
    flow = f"<flowDirection>{own['flow']}</flowDirection>" if own["flow"] is not None else ""
    inner = f"{flow}<powerOfTenMultiplier>{own['power']}</powerOfTenMultiplier><uom>{own['unit']}</uom>"
    return f'<ReadingType {XMLNS} href="{where}/{path}">{inner}</ReadingType>'


def listed(kind: str, href: str, found: list[str], query: dict[str, list[str]], poll: int | None = None, watched: bool = False) -> str:
    """A page of a list: what stands from `s` on, `l` of it."""
    start = int(query.get("s", ["0"])[0])
    some = found[start : start + int(query.get("l", ["255"])[0])]
    rate = f' pollRate="{poll}"' if poll is not None else ""
    own = f' subscribable="{int(watched)}"' if kind not in ("MirrorUsagePoint", "DER", "Subscription") else ""
    return f'<{kind}List {XMLNS} href="{href}"{own} all="{len(found)}" results="{len(some)}"{rate}>{"".join(some)}</{kind}List>'


def spaced(text: str) -> str:
    """An element as a document."""
    return re.sub(r"^<([\w:]+)", rf"<\1 {XMLNS}", text)


def link(name: str, href: str, count: int | None = None) -> str:
    return f'<{name} href="{href}"/>' if count is None else f'<{name} href="{href}" all="{count}"/>'


def devices(server: Server, who: str) -> list[str]:
    own = [end_device(server, each) for each in server.devices if server.device(each.number, who) is not None]
    return ([aggregator(who)] if who and server.aggregates(who) else []) + own


def aggregator(lfdi: str) -> str:
    inner = f"<lFDI>{lfdi}</lFDI><sFDI>{sfdi_of(lfdi)}</sFDI><changedTime>0</changedTime>{link('SubscriptionListLink', '/edev/0/sub', 0)}"
    return f'<EndDevice href="/edev/0" subscribable="0">{inner}</EndDevice>'


def end_device(server: Server, device: Device) -> str:
    base = f"/edev/{device.number}"
    own = link("RegistrationLink", f"{base}/rg") if server.links else ""
    category = f"<deviceCategory>{device.category}</deviceCategory>" if device.category else ""
    subscribing = link("SubscriptionListLink", "/edev/0/sub", 0) if not device.owner else ""
    inner = (
        f"{link('DERListLink', f'{base}/der', 1)}{category}<lFDI>{device.lfdi}</lFDI><sFDI>{sfdi_of(device.lfdi)}</sFDI>"
        f"<changedTime>{device.changed}</changedTime>{link('FunctionSetAssignmentsListLink', f'{base}/fsa', 1)}"
        f"<postRate>{device.every}</postRate>{own}{subscribing}"
        f"{link('csipaus:ConnectionPointLink', f'{base}/cp')}"
    )
    return f'<EndDevice href="{base}" subscribable="0">{inner}</EndDevice>'


def der(base: str) -> str:
    pairs = (("Capability", "dercap"), ("Settings", "derg"), ("Status", "ders"))
    return f'<DER href="{base}/der/1">{"".join(link(f"DER{name}Link", f"{base}/der/1/{last}") for name, last in pairs)}</DER>'


def assignment(base: str, number: int) -> str:
    where = f"{base}/fsa/{number}"
    links = link("DERProgramListLink", f"{where}/derp", 1) + link("TariffProfileListLink", f"{where}/tp", 0)
    return (
        f'<FunctionSetAssignments href="{where}" subscribable="0">{links}<mRID>{0xF000 + number:024X}{PEN}</mRID></FunctionSetAssignments>'
    )


def program_xml(base: str, program: Program) -> str:
    where = f"{base}/derp/{program.number}"
    links = link("DefaultDERControlLink", f"{where}/dderc") + link("DERControlListLink", f"{where}/derc", len(program.controls))
    mrid = f"{0xA000 + program.number:024X}{PEN}"
    return f'<DERProgram href="{where}" subscribable="0"><mRID>{mrid}</mRID>{links}<primacy>{program.primacy}</primacy></DERProgram>'


def control_xml(server: Server, where: str, base: str, each: dict[str, Any]) -> str:
    status = each["status"] or int(each["start"] <= server.now())
    answered = f'replyTo="{base}/rsps/site_control/rsp" responseRequired="03"'
    return (
        f'<DERControl href="{where}/{each["mrid"]}" {answered} subscribable="0"><mRID>{each["mrid"]}</mRID>{event(each, status)}'
        f"<randomizeStart>{each['random']}</randomizeStart>{control_base(each['modes'], each['ramp'])}</DERControl>"
    )


def event(each: dict[str, Any], status: int) -> str:
    return (
        f"<creationTime>{each['made']}</creationTime><EventStatus><currentStatus>{status}</currentStatus><dateTime>{each['changed']}"
        f"</dateTime><potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
        f"<interval><duration>{each['length']}</duration><start>{each['start']}</start></interval>"
    )


def control_base(modes: dict[str, Any], ramp: float | None) -> str:
    order = ("opModConnect", "opModEnergize", "opModFixedW", "rampTms", *LIMITS)
    values = modes | ({} if ramp is None else {"rampTms": int(ramp * 100)})
    made = ""
    for name in sorted(values, key=lambda one: order.index(one)):
        value = values[name]
        if isinstance(value, bool):
            made += f"<{name}>{str(value).lower()}</{name}>"
        elif name not in LIMITS:
            made += f"<{name}>{int(value * 100) if name == 'opModFixedW' else value}</{name}>"
        else:
            power = next(each for each in range(9) if abs(value) / 10**each < 1 << 15)  # a value has 16 bits
            made += f"<csipaus:{name}><multiplier>{power}</multiplier><value>{int(value / 10**power)}</value></csipaus:{name}>"
    return f"<DERControlBase>{made}</DERControlBase>"


def profile_xml(base: str, profile: Profile) -> str:
    where = f"{base}/tp/{profile.number}"
    inner = (
        f"<mRID>{0xB000 + profile.number:024X}{PEN}</mRID><currency>36</currency>"
        f"<pricePowerOfTenMultiplier>{profile.power}</pricePowerOfTenMultiplier><primacy>{profile.primacy}</primacy>"
        f"{link('RateComponentListLink', f'{where}/rc', len(profile.components))}<serviceCategoryKind>0</serviceCategoryKind>"
        f"{link('csipaus:CombinedTimeTariffIntervalListLink', f'{where}/ctti', 0)}"
    )
    return f'<TariffProfile href="{where}">{inner}</TariffProfile>'


def component_xml(where: str, each: dict[str, Any]) -> str:
    own = f"{where}/rc/{each['mrid']}"
    links = f"{link('ReadingTypeLink', f'{own}/rt')}<roleFlags>0000</roleFlags>{link('TimeTariffIntervalListLink', f'{own}/tti', 0)}"
    return f'<RateComponent href="{own}"><mRID>{each["mrid"]}</mRID>{links}</RateComponent>'


def interval_xml(base: str, where: str, component: dict[str, Any], each: dict[str, Any]) -> str:
    blocks = "".join(
        f"<ConsumptionTariffInterval><consumptionBlock>{number}</consumptionBlock><price>{price}</price><startValue>{start}</startValue>"
        "</ConsumptionTariffInterval>"
        for number, (start, price) in enumerate(each["blocks"])
    )
    count = f'all="{len(each["blocks"])}" results="{len(each["blocks"])}"'
    answered = f'replyTo="{base}/rsps/tariff_generated_rates/rsp" responseRequired="03"'
    own = f"{where}/rc/{component['mrid']}"
    return (
        f'<TimeTariffInterval href="{own}/tti/{each["mrid"]}" {answered}><mRID>{each["mrid"]}</mRID>{event(each, each["status"])}'
        f"{link('ConsumptionTariffIntervalListLink', own + '/cti', len(each['blocks']))}<touTier>0</touTier>"
        f"<csipaus:ConsumptionTariffIntervalListSummary {count}>{blocks}</csipaus:ConsumptionTariffIntervalListSummary>"
        f"{link('RateComponentLink', own)}</TimeTariffInterval>"
    )


def sfdi_of(lfdi: str) -> int:
    number = int(lfdi[:9], 16)
    return number * 10 + -sum(map(int, str(number))) % 10
