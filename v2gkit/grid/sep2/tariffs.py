"""How the tariffs of a server are asked for: profiles, components, intervals, each list as often as it wants. Scripts, as in OpenADR 3.

With CSIP-AUS 1.3 the intervals of a profile are one list and carry their prices; else each component has a list, and each interval another.
"""

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.asking import Asking, Script
from v2gkit.grid.sep2.events import Program, event_of
from v2gkit.grid.sep2.prices import Block, Charge, Way

FORWARD, REVERSE = 1, 19  # ReadingType.flowDirection: taken from the grid, given to it
WATT_HOURS, DAYS = 72, 195  # ReadingType.uom
EARLY: Final = 1.0  # s by which a list may be asked for before its time: rounds tremble
COMBINED: Final = ("csipaus:CombinedTimeTariffIntervalList", "CombinedTimeTariffIntervalList")
SUMMARY: Final = "csipaus:ConsumptionTariffIntervalListSummary"
KINDS: Final = 256  # readings' kinds that are known at once
CURRENCIES: Final = {36: "AUD", 124: "CAD", 554: "NZD", 826: "GBP", 840: "USD", 978: "EUR"}  # ISO 4217, by number


@dataclass(frozen=True, slots=True)
class Profile:
    """A TariffProfile: what one count of a price is in its currency, and where its parts are."""

    program: Program
    unit: float
    currency: str | None
    components: str | None
    combined: str | None


@dataclass(frozen=True, slots=True)
class Component:
    """A RateComponent: which way it counts, of how many kWh (or days) one count of its reading is; `way` None: nothing that we meter."""

    mrid: str
    profile: Profile
    way: Way | None
    amount: float
    intervals: str | None


class Tariffs:
    """The tariffs of one device. What is known of a component is kept until the list of its profile is asked for again."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._due: dict[str, float] = {}  # list -> when it is asked for again (epoch s)
        self._profiles: dict[str, list[Profile]] = {}  # list -> its profiles
        self._components: dict[str, Component] = {}  # link -> it
        self._kinds: dict[str, tuple[Way | None, float]] = {}  # link of a ReadingType -> which way, and of how much
        self._charges: dict[str, list[Charge]] = {}  # list of intervals -> them

    def reading(self, lists: list[str], offset: float, now: float) -> Script[tuple[Charge, ...]]:
        """All charges of the profiles in these lists, by our clock; `offset` is by how many s the server's is ahead. Raises GridFault."""
        for where in lists:
            if now >= self._due.get(where, 0.0) - EARLY:
                yield from self._profiled(where, now)
        self._profiles = {where: self._profiles[where] for where in lists}
        known = [each for profiles in self._profiles.values() for each in profiles]
        self._components = {href: each for href, each in self._components.items() if each.profile in known}
        wanted: list[str] = []
        for profile in known:
            own = [each for each in self._components.values() if each.profile == profile]
            listed = [(profile.combined, None)] if profile.combined else [(each.intervals, each) for each in own]
            for where_, component in listed:
                if where_ is None:
                    continue
                wanted.append(where_)
                if now >= self._due.get(where_, 0.0) - EARLY:
                    yield from self._charged(where_, profile, component, offset, now)
        self._charges = {where: self._charges[where] for where in wanted}
        self._due = {where: due for where, due in self._due.items() if where in wanted or where in lists}
        return tuple(charge for where in wanted for charge in self._charges[where])

    def _profiled(self, where: str, now: float) -> Script[None]:
        """The profiles of a list, and their components."""
        elements, poll = yield from self._asking.pages(where, "TariffProfile")
        profiles: list[Profile] = []
        for each in elements:
            unit = 10.0 ** _power(each, "pricePowerOfTenMultiplier")
            profile = Profile(
                Program((words.text(each, "mRID") or "")[:32], words.number(each, "primacy")),
                unit,
                CURRENCIES.get(words.number(each, "currency", otherwise=0)),
                words.href(each, "RateComponentListLink"),
                words.href(each, "csipaus:CombinedTimeTariffIntervalListLink"),
            )
            profiles.append(profile)
            self._components = {href: one for href, one in self._components.items() if one.profile != profile}
            if profile.components is not None:
                for element in (yield from self._asking.all(profile.components, "RateComponent")):
                    yield from self._component(element, element.get("href", ""), profile)
        self._profiles[where] = profiles
        self._due[where] = now + poll

    def _component(self, element: Element, href: str, profile: Profile) -> Script[Component]:
        link = words.href(element, "ReadingTypeLink")
        way, amount = (yield from self._kind(link)) if link is not None else (None, 1.0)
        found = Component(
            (words.text(element, "mRID") or href)[:64], profile, way, amount, words.href(element, "TimeTariffIntervalListLink")
        )
        self._components[href] = found
        return found

    def _kind(self, link: str) -> Script[tuple[Way | None, float]]:
        """What is counted by a ReadingType."""
        if link not in self._kinds:
            kind = yield from self._asking.get(link, "ReadingType")
            count = 10.0 ** _power(kind, "powerOfTenMultiplier")
            unit, flow = words.number(kind, "uom", otherwise=0), words.number(kind, "flowDirection", otherwise=0)
            ways: dict[tuple[int, int], Way] = {(WATT_HOURS, FORWARD): "import", (WATT_HOURS, REVERSE): "export"}
            way = "day" if unit == DAYS else ways.get((unit, flow))
            if len(self._kinds) >= KINDS:
                self._kinds.clear()
            self._kinds[link] = way, count if unit == DAYS else count / 1_000
        return self._kinds[link]

    def _charged(self, where: str, profile: Profile, component: Component | None, offset: float, now: float) -> Script[None]:
        """The charges in a list of intervals: of one component, or of a whole profile."""
        elements, poll = yield from self._asking.pages(where, "TimeTariffInterval", *COMBINED)
        charges: list[Charge] = []
        for each in elements:
            own = component
            if own is None:
                link = words.href(each, "RateComponentLink")
                if link is None:
                    raise words.malformed("a TimeTariffInterval of several components has no RateComponentLink")
                own = self._components.get(link)
                if own is None:
                    own = yield from self._component((yield from self._asking.get(link, "RateComponent")), link, profile)
            event = event_of(each, profile.program, "", offset)
            charges.append(Charge(event, own.mrid, own.way or "day", (yield from self._blocks(each, own)), profile.currency))
        self._charges[where] = charges
        self._due[where] = now + poll

    def _blocks(self, interval: Element, component: Component) -> Script[tuple[Block, ...]]:
        """The blocks of an interval; none of what we do not meter."""
        if component.way is None:
            return ()
        summary = words.child(interval, SUMMARY)
        if summary is not None:
            found = summary.findall(words.full("ConsumptionTariffInterval"))
        else:
            link = words.href(interval, "ConsumptionTariffIntervalListLink")
            found = (yield from self._asking.all(link, "ConsumptionTariffInterval")) if link is not None else []
        amount, unit = component.amount, component.profile.unit
        blocks = [
            (words.number(each, "startValue") * amount, words.number(each, "price", otherwise=0) * unit / amount) for each in found[:64]
        ]
        return tuple(sorted(blocks))


def _power(element: Element, name: str) -> int:
    power = words.number(element, name, otherwise=0)
    if not -12 <= power <= 12:
        raise words.malformed(f"{name} is {power}; -12 to 12 is a price")
    return power
