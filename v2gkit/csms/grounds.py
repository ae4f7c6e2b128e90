"""The connection that stations of a CSMS share: one plan for their cars, sent as charging profiles.

A plan is made when a car tells its needs, when one leaves, when a limit is told, and every quarter of an hour. What a car loses is sent
first, and what another gains only once the stations have taken that (`order`); a car whose station does not answer keeps what it was sent
last, and the others are planned around it. A car that tells no needs counts with what it draws, and may be bounded by a default profile.
Batteries are planned with the cars (`batteries`).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from v2g.energy.fleet.connection import ALL_PHASES
from v2g.energy.fleet.feeders import TOP, Feeder, corrected, grounds, tree
from v2g.energy.fleet.ground import Ground, Outlet
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.pack import Pack, demand_apart
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import Party, Settled, settled
from v2g.energy.fleet.shares import Contract, Tenant, contract_of, demand_tenants, place_of
from v2g.energy.forecast import Visit
from v2g.energy.loads import parse_loads
from v2g.energy.market.hours import Hours, OffPeak
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.past import Past
from v2g.energy.patience import Patience
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site
from v2g.energy.stay import POWER_BOUND
from v2g.legible import logger
from v2g.settings.strict import TABLE_LIMIT, ConfigError, read, text_of
from v2gkit.csms.batteries import Batteries
from v2gkit.csms.order import differs, in_order
from v2gkit.csms.stations import Station, Transaction
from v2gkit.csms.steering import Strategy, needs_of, schedule_of
from v2gkit.wall import LOCAL

LOG = logger("v2g.csms")
ROLL: Final = 900.0  # s after which a plan is made anew though nothing happened
USUAL: Final = 22_000.0  # W of an outlet where no car has drawn more: AC on three phases of 32 A
FOREVER: Final = 3e8  # s
Plan = Callable[[Hashable, Callable[[Patience], Settled]], Awaitable[Settled]]
Bound = Callable[[Station, Payload], Awaitable[None]]
Send = Callable[[Station, Transaction, Payload], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class OutletPlace:
    """Where the outlets of a station are. Without `evse` it says it of all of them."""

    station: str = ""
    evse: int | None = None
    feeder: str = TOP
    phases: tuple[int, ...] = ALL_PHASES
    rank: int = 0
    tenant: str = ""  # to whose share its cars belong
    power: float | None = None  # W that a car draws there at most; None: what the most demanding car so far could


@dataclass(frozen=True, slots=True)
class GroundsConfig:
    """The connection of a site over stations: every key of the file. Powers in W, limits are magnitudes."""

    import_limit: float | None = None
    export_limit: float | None = None
    phase_import_limit: float | None = None
    phase_export_limit: float | None = None
    base_load: float = 0.0
    load: str | None = None
    peak_price: float = 0.0  # currency per kW
    peak_before: float = 0.0
    carbon: str | None = None  # file of what the grid emits: start, carbon (g/kWh)
    carbon_price: float = 0.0  # currency per kg that a plan counts with, on no bill
    off_peak: OffPeak | None = None  # default hours, and random delays
    unplanned: float | None = None  # W for a car that tells no needs, by a default profile; None: as it likes
    feeder: tuple[Feeder, ...] = ()
    tenant: tuple[Tenant, ...] = ()
    contract: tuple[Contract, ...] = ()
    outlet: tuple[OutletPlace, ...] = ()  # without any: all outlets of all stations, at the top
    battery: tuple[Pack, ...] = ()  # at the top, behind inverters of --grid
    metered: bool = field(default=False, init=False)
    blind: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        try:
            demand_tenants(self.tenant, [*(each.tenant or "" for each in self.contract), *(each.tenant for each in self.outlet)])
            Ground(tree(self, self.feeder), peak_price=self.peak_price, peak_before=self.peak_before, carbon_price=self.carbon_price)
            demand_apart(self.battery, (TOP,), self.export_limit)
        except ValueError as error:
            raise ConfigError(f"{error}") from None
        names = [TOP, *(each.name for each in self.feeder)]
        for each in self.outlet:
            if each.feeder not in names:
                raise ConfigError(f"an outlet of {each.station!r} is at the feeder {each.feeder!r}; there are {', '.join(names)}")
        if metered := next((each.name for each in self.feeder if each.metered), None):
            raise ConfigError(
                f"the feeder {metered!r} is metered; only the station at a meter can follow it: leave it out, or foresee a load"
            )
        if feigned := next((each.name for each in self.battery if each.driver != "feed"), None):
            raise ConfigError(
                f"the battery {feigned} is simulated; a CSMS leads those behind an inverter of --grid alone: leave driver out"
            )


def read_grounds(file: Path) -> GroundsConfig:
    """The configuration in a TOML file. Raises ConfigError, OSError."""
    return read(GroundsConfig, text_of(file), file)


@dataclass(slots=True)
class Member:
    """A car that told its needs, with the energies (Wh) that were metered when it did, and what it was sent last."""

    station: Station
    tx: Transaction
    place: OutletPlace
    needs: Needs
    before: Mapping[str, float]
    scheduled: bool
    told_at: float
    asks: bool = True
    stuck: bool = False  # its station did not take what was sent: it is planned around
    sent: Series | None = None  # W, signed
    free: bool = False  # of default hours and delays
    noted: set[float] = field(default_factory=set)  # epoch s of edges whose delay was logged

    @property
    def name(self) -> str:
        """The name of the car in a plan."""
        return f"{self.station.id} {self.tx.id}"

    def rest(self, wall: float, site: Site) -> Needs:
        """What the car still needs at `wall` (epoch s): its needs, less what was metered since it told them, or what it was sent."""
        now = self.tx.energy
        gained = (now["imported"] - self.before["imported"]) * site.efficiency_charge
        gained -= (now["exported"] - self.before["exported"]) / site.efficiency_discharge
        if not self.tx.registers and self.sent is not None:
            parts = self.sent.clip(self.told_at, wall)
            gained = sum(
                v * (e - s) / 3600.0 * (site.efficiency_charge if v > 0 else 1 / site.efficiency_discharge) for s, e, v in parts.spans()
            )
        names = ("energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum")
        said = {name: getattr(self.needs, name) for name in names}
        return replace(self.needs, **{name: value - gained for name, value in said.items() if value is not None})


class Grounds:
    """The connection of stations, and the cars at them. `ways` are what makes a plan off the event loop, what sends a
    profile and tells whether its station took it, and what sends one for all cars of a station."""

    def __init__(
        self,
        config: GroundsConfig,
        strategy: Strategy,
        ways: tuple[Plan, Send, Bound],
        wall: Callable[[], float],
        stations: Mapping[str, Station],
    ) -> None:
        files = [one.load for one in (*config.feeder, config) if one.load is not None]  # type: ignore[attr-defined]
        loads = {file: parse_loads(text_of(Path(file), TABLE_LIMIT)) for file in files}
        self.config, self._wall, self._stations = config, wall, stations
        self._plan, self._send, self._bound = ways
        site = replace(strategy.priced(wall()), daily=strategy.prices if strategy.prices and strategy.prices.relative else None)
        site = replace(site, zone=strategy.zone or LOCAL)
        emits = parse_loads(text_of(Path(config.carbon), TABLE_LIMIT), "carbon") if config.carbon is not None else None
        peak, carbon = (config.peak_price, config.peak_before), (emits, config.carbon_price)
        self._ground = grounds(config, config.feeder, loads, site, LOCAL, peak, carbon, config.tenant)
        self._hours = Hours(config.off_peak, site.zone, secrets.token_bytes) if config.off_peak is not None else None
        self.members: dict[str, Member] = {}
        self._past = Past(LOCAL)
        self._most = USUAL  # W: the most that a car could draw that was here
        self._made: FleetPlan | None = None
        self._signals: tuple[Signal, ...] = ()  # of the operator
        self._heeded: tuple[Signal, ...] = ()  # of the grid
        self._wanted = asyncio.Event()
        self.batteries = Batteries(config.battery, wall, self._wanted.set, self._signalled, self._drawn)

    # --- what is told ---

    def place(self, station: str, evse: int | None) -> OutletPlace | None:
        """Where an outlet is; None: it belongs to another connection."""
        if not self.config.outlet:
            return OutletPlace(station)
        fits = (each for each in self.config.outlet if each.station == station and each.evse in (None, evse))
        return next(fits, None)

    def wants(self, station: Station, tx: Transaction, payload: Payload) -> bool:
        """A car tells its needs: everybody is planned for, and it gets a profile. False: its outlet is none of ours."""
        place = self.place(station.id, tx.evse or payload["evseId"])
        if place is None:
            return False
        charging = payload["chargingNeeds"]
        scheduled = charging.get("controlMode") != "DynamicControl"
        needs = needs_of(payload, self._ground(self._wall()).site.currency)
        known = self.members.get(f"{station.id} {tx.id}")
        member = Member(station, tx, place, needs, dict(tx.energy), scheduled, self._wall(), sent=known.sent if known else None)
        member.free = known is not None and known.free
        self.members[member.name] = member
        self._most = max(self._most, min(needs.charge_maximum, POWER_BOUND))
        self._wanted.set()
        return True

    async def bounds(self, station: Station) -> None:
        """Bound what cars of a station draw that tell no needs, where the file says so."""
        if self.config.unplanned is not None and any(
            each.station == station.id for each in self.config.outlet or (OutletPlace(station.id),)
        ):
            await self._bound(station, default_profile(self.config.unplanned, next(station.profile_ids)))

    def ended(self, station: Station, tx: Transaction) -> None:
        """A car has left: its power is the others'."""
        if self.members.pop(f"{station.id} {tx.id}", None) is not None:
            if (began := tx.began) is not None and self._wall() > began:
                self._past.add(Visit(began, self._wall(), tx.energy["imported"]))
            self._wanted.set()

    def override(self, station: str, overridden: bool) -> int:
        """Let the cars of a station charge in peak hours, and without random delays, until they leave, or no more; how many there are."""
        those = [member for member in self.members.values() if member.station.id == station]
        for member in those:
            member.free, member.asks = overridden, True
        self._wanted.set()
        return len(those)

    def limit(self, power: float | None) -> None:
        """Bound what the connection draws (W), base load included; None: by nothing but its own limits any more."""
        told = Series.constant(self._wall(), FOREVER, power) if power is not None else None
        self._signals = () if told is None else (Signal("operator", Kind.IMPORT_CAP, told),)
        self._anew()

    def heed(self, signals: tuple[Signal, ...]) -> None:
        """Plan within what the grid asks of the connection, base load included, from now on."""
        self._heeded = signals
        self._anew()

    def _anew(self) -> None:
        for member in self.members.values():
            member.stuck = False  # what it refused before was another profile
        self._wanted.set()

    # --- plans ---

    async def run(self) -> None:
        """Plan and send until it is cancelled, one plan at a time."""
        while True:
            try:
                async with asyncio.timeout(ROLL):
                    await self._wanted.wait()
            except TimeoutError:
                for member in self.members.values():
                    member.stuck = False  # its station may be there again
            self._wanted.clear()
            if self.members or self.batteries.parties(self._wall()):
                await self.planned()

    async def planned(self) -> None:
        """Make one plan off the event loop, and send what it changes."""
        wall, here = self._wall(), dict(self.members)
        ground, parties, before = self.ground(wall), [self._party(member, wall) for member in here.values()], self._made
        parties += self.batteries.parties(wall)
        try:
            made = await self._plan(self, lambda patience: settled(ground, parties, wall, patience, before))
        except Exception:
            LOG.exception("no plan for the stations of this connection; their cars go on by the profiles that they have")
            return
        self._made = made.plan
        self.batteries.planned(made.plan)
        self._note(made.plan, here)
        offers = [(here[name], offer) for name, offer in made.offers.items() if name in here and self.members.get(name) is here[name]]
        changes = [
            (member, member.sent, offer)
            for member, offer in offers
            if member.sent is None or member.asks or differs(member.sent, offer.tuples[0].power, wall)
        ]
        for member, offer in in_order(changes, wall):
            if not await self._told(member, offer, ground.site):
                member.stuck = True  # the others had more only because it had less
                self._wanted.set()
                return
        self.batteries.told()

    def _note(self, made: FleetPlan, here: Mapping[str, Member]) -> None:
        """Log the random delays behind what is planned, each once for a car."""
        for name, member in here.items():
            plan = made.plans.get(name)
            for change in self._hours.behind(plan.power) if self._hours is not None and plan is not None and not member.free else ():
                if change.at not in member.noted:
                    member.noted.add(change.at)
                    LOG.info("%s: %s at %s comes %d s later, by a random delay", name, change.why, timestamp(change.at), change.seconds)

    async def _told(self, member: Member, offer: Offer, site: Site) -> bool:
        bare = member.station.version != "ocpp2.1"
        schedule = schedule_of(offer.tuples[0], member.needs, site, bare=bare)
        id_ = member.tx.profile["id"] if member.tx.profile else next(member.station.profile_ids)
        head = {"id": id_, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "transactionId": member.tx.id}
        profile = head | {"chargingProfileKind": "Absolute", "chargingSchedule": [schedule]}
        try:
            async with member.tx.steering:
                taken = await self._send(member.station, member.tx, profile)
        except CallFailed as error:
            LOG.warning("%s: no profile: %s", member.name, error)
            taken = False
        if taken:
            member.sent, member.asks, member.stuck = offer.tuples[0].power, False, False
        return taken

    def ground(self, wall: float) -> Ground:
        """The connection with what cars draw that are planned by nobody, with the signals that hold, and batteries above it."""
        ground = self._signalled(wall)
        off: dict[str, float] = {}
        ways = ground.connection.ways()
        for station in self._stations.values():
            for tx in station.transactions.values():
                place = self.place(station.id, tx.evse)
                if tx.ended or place is None or f"{station.id} {tx.id}" in self.members:
                    continue
                for name in ways[place.feeder]:
                    off[name] = off.get(name, 0.0) + max(tx.power or 0.0, self.config.unplanned or 0.0)
        if self._hours is not None and not any(member.free for member in self.members.values()):
            site = ground.site
            imports, exports = self._hours.prices(site.import_prices, 0, wall), self._hours.prices(site.export_prices, 1, wall)
            ground = replace(ground, site=replace(site, import_prices=imports, export_prices=exports))
        outlets = tuple(self._outlets())
        crowd = self._past.crowd(wall, max((outlet.power for outlet in outlets), default=0.0))
        connection = corrected(ground.connection, off, wall)
        return self.batteries.above(replace(ground, connection=connection, outlets=outlets, crowd=crowd))

    def _signalled(self, wall: float) -> Ground:
        ground = self._ground(wall)
        return replace(ground, signals=(*ground.signals, *self._signals, *self._heeded))

    def _drawn(self, wall: float) -> tuple[float, float]:
        """The least and the most (W, signed) that cars here draw by their meters, what they were sent, and what they may without needs."""
        least = most = 0.0
        for station in self._stations.values():
            for tx in station.transactions.values():
                if tx.ended or self.place(station.id, tx.evse) is None:
                    continue
                member = self.members.get(f"{station.id} {tx.id}")
                sent = member.sent.at(wall) if member is not None and member.sent is not None else None
                own = [tx.power or 0.0] if sent is None else [tx.power or 0.0, sent]
                least += min(own)
                most += max(*own, 0.0 if member is not None else self.config.unplanned or 0.0)
        return least, most

    def _outlets(self) -> Iterator[Outlet]:
        """Where cars may come: the EVSEs that the file names, those that their stations told of, else one for each station."""
        for station in self._stations.values():
            told = {number for number in station.connectors if number > 0}
            told |= {tx.evse for tx in station.transactions.values() if tx.evse is not None and not tx.ended}
            named = {each.evse for each in self.config.outlet if each.station == station.id and each.evse is not None}
            for number in sorted(told | named) or [1]:
                if (place := self.place(station.id, number)) is not None:
                    yield Outlet(f"{station.id} {number}", place.feeder, self._most if place.power is None else place.power, place.phases)

    def _party(self, member: Member, wall: float) -> Party:
        place, site = member.place, self._ground(wall).site
        outlet = f"{member.station.id} {member.tx.evse or 1}"
        signals = self._hours.signals(wall) if self._hours is not None and not member.free else ()
        token = member.tx.token or {}
        contract = contract_of(self.config.contract, token.get("idToken", ""))
        ranked = place_of(contract, place.rank, place.tenant)
        guest = Guest(member.name, member.rest(wall, site), place.feeder, place.phases, *ranked, signals=signals, outlet=outlet)
        if member.stuck and member.sent is not None:
            return Party(guest, member.sent, firm=True)
        kept = member.sent if member.scheduled and not member.asks else None
        return Party(guest, kept, member.asks or not member.scheduled)


def default_profile(power: float, number: int) -> dict[str, Any]:
    """A TxDefaultProfile of that power (W): what a car may draw that tells no needs, or has no profile yet."""
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": power}]}
    head = {"id": number, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    return head | {"chargingSchedule": [schedule]}
