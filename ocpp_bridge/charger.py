"""The state of a charging station that speaks OCPP: its EVSEs with their sessions and transactions, profiles, variables and calls.

A `Charger` is the state that `bridge` and its functions change; it decides nothing. `now` is the shell's monotonic time (s). Wall times
here are by the clock of the CSMS: the station's own plus `skew`. They are turned back where sessions are told.
"""

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ocpp_bridge.model.account import Account
from ocpp_bridge.model.boot import Boot
from ocpp_bridge.model.der import CarInverter, Controls
from ocpp_bridge.model.device_model import DeviceModel
from ocpp_bridge.model.display import Messages
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.firmware import Firmware
from ocpp_bridge.model.identity import Identity as Identity
from ocpp_bridge.model.known_tokens import AuthorizationCache, LocalList
from ocpp_bridge.model.log_upload import Logs
from ocpp_bridge.model.mapping import transfers
from ocpp_bridge.model.measurands import ByClock, Metering, Sample
from ocpp_bridge.model.monitors import Monitors
from ocpp_bridge.model.payments import Payments
from ocpp_bridge.model.reservations import Reservations
from ocpp_bridge.model.safe import Safe
from ocpp_bridge.model.streams import Stream
from ocpp_bridge.model.transaction_limit import TransactionLimit
from ocpp_bridge.model.vetting import Vetted, Vetting
from ocpp_bridge.smart.feeds import BAND, LIVE, Band, Feeds, Limit
from ocpp_bridge.smart.periods import MODES, Composite, Fallback, Outlet, Period, RanOut
from ocpp_bridge.smart.profiles import Profiles
from ocpp_bridge.wire.outbox import QUEUED, Call, Outbox
from ocpp_bridge.wire.ration import Ration
from ocpp_bridge.wire.schemas import Payload, Version
from ocpp_bridge.wire.times import Clock
from secc.station import (
    AuthorizationWanted,
    CertificateInstallationWanted,
    Fact,
    Limits,
    MeterReading,
    NeedsChanged,
    ScheduleChosen,
    Service,
    ServiceSelected,
)
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.plan import Plan
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.services import SERVICES

ChargingState = Literal["EVConnected", "Charging", "SuspendedEV", "SuspendedEVSE", "Idle"]


@dataclass(slots=True)
class Transaction:
    """A transaction at an EVSE. `seq` is the number of its next event."""

    id: str
    started: float  # epoch s
    seq: int = 0
    own: float | None = None  # epoch s of the station's own clock when it began, which no CSMS sets; None: not known
    first: float | None = None  # Wh, import register when it was read first in it
    metered: bool = False  # the CSMS was told a reading of the meter in it
    state: ChargingState = "EVConnected"
    remote_start_id: int | None = None
    stopping: str = ""  # stoppedReason, once an end was asked for
    stop_trigger: str = ""
    mode: str = ""  # operationMode last told
    told: Period | None = None  # the composite last told
    told_at: float = -math.inf  # monotonic s, when
    cost: float | None = None
    priority: bool = False  # a PriorityCharging profile leads it, where there is one
    evccid: str = ""  # of its car, as far as that has said so
    register: MeterReading | None = None  # the last that was kept before it was cut off
    resumed: bool = False  # it was cut off by the end of the process, and goes on
    unpaid: float | None = None  # Wh, import register up to which it may charge though its token is not accepted; None: it is
    spent: bool = False  # it has: no power flows


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A transaction that the end of the process cut off, and that waits for its car."""

    transaction: Transaction
    conditions: frozenset[str]  # of TxStopPoint, those that a restart does not end
    allowed: tuple[Service, ...] | None
    reading: MeterReading | None  # the last register that is known
    until: float | None = None  # monotonic s


@dataclass(slots=True)
class Session:
    """What the bridge knows of the present session at an EVSE: what the car asked, and what it was answered."""

    evccid: str = ""
    authorization: AuthorizationWanted | None = None  # waiting for a verdict
    installation: CertificateInstallationWanted | None = None  # the last request for a contract
    remote: int | None = None  # remoteStartId of the RequestStartTransaction that let it charge
    held: tuple[float, Payload] | None = None  # until when (monotonic s) a token waits for the CSMS to come back
    token: Payload | None = None  # idToken it was authorized with
    tariff: Payload | None = None  # of its driver, as the CSMS said with the token
    reserved: float | None = None  # s that the EVSE was held for it
    billed: bool = False  # it was settled by which tariff, if any
    group: str = ""  # name of the group of that token (`known_tokens.group_of`)
    selected: ServiceSelected | None = None
    needs: Needs | None = None
    car: Limits | None = None  # what it can take, by its own word
    vetting: Vetting | None = None  # of its certificates, by the CSMS
    stated: NeedsChanged | None = None  # its last needs, as it told them
    asked: bool = False  # it waits for a schedule
    patience: float | None = None  # monotonic s, until when the CSMS may send one
    offer: Offer | None = None
    by_csms: bool = False  # the offer is the CSMS's
    schedules: list[Payload] = field(default_factory=list)  # the CSMS's, one for each tuple of the offer
    composites: list[Composite] = field(default_factory=list)  # as offered, one for each tuple
    alternative: int = 0  # which of them the car follows
    chosen: ScheduleChosen | None = None  # not told to the CSMS yet
    told_chosen: tuple[int | None, tuple[float, ...]] | None = None  # schedule and powers that it was told last
    told_chosen_at: float = -math.inf  # monotonic s, when
    choice: ScheduleChosen | None = None  # the last, told or not
    followed_changed: bool = False  # what a led car follows has changed, and the CSMS is to be told
    leads: Period | None = None  # what leads it at present, as its profile says, without what is told at this moment
    plan: Plan | None = None  # the local one, for Dynamic control
    planning: int = 0  # number of the plan that is being made, 0: none
    renegotiating: bool = False
    reselect: bool = False  # other services are allowed than it was offered: it is asked to choose anew once power flows
    needs_at: float = 0.0  # epoch s, when they came
    told_needs: tuple[float, Needs] | None = None  # when (monotonic s) and what the CSMS was told last
    delivering: bool = False
    steer_due: float | None = None  # monotonic s; the local plan is looked at anew
    steered: tuple[float | None, ...] = ()  # W, the setpoint as last told
    limits: Limits | None = None  # as last told
    ran_out: RanOut = field(default_factory=RanOut)  # what holds where no profile leads the car any more
    lapsed: bool = False  # that holds at present


@dataclass(slots=True)
class Evse:
    """One EVSE: its id, services and limits are fixed, everything else is its present state."""

    id: int
    services: tuple[Service, ...]
    limits: Limits
    evse_id: str = ""  # ISO 15118, such as DE*V2G*E1
    connector_type: str = ""  # OCPP's, such as cCCS2; empty: nobody has said it
    session: Session | None = None
    transaction: Transaction | None = None
    interrupted: Interrupted | None = None
    conditions: set[str] = field(default_factory=set)  # those of TxStartPoint that hold
    allowed: tuple[Service, ...] | None = None  # what the CSMS lets the car choose, over its pauses; None: it said nothing
    presented: Payload | None = None  # a token that nobody has used yet
    presented_due: float = 0.0  # monotonic s, until when it may be
    remote: Payload | None = None  # RequestStartTransaction that waits for its car
    remote_due: float = 0.0  # monotonic s, until when
    brought: Payload | None = None  # the profile that came with it, until there is a transaction
    sample: Sample = field(default_factory=Sample)
    metering: Metering = field(default_factory=Metering)
    inverter: CarInverter = field(default_factory=CarInverter)  # of the car, as it is asked and as it tells
    sample_due: float | None = None  # epoch s of the station's own clock, whose speed may change until then
    sampled: float = 0.0  # monotonic s of the last sample
    next_edge: float | None = None  # epoch s, when the composite may say something else
    profiles_due: float | None = None  # monotonic s, when profiles that have changed take effect
    profiles_applied: float = -math.inf  # monotonic s, when they last did
    operative: bool = True  # whether the CSMS lets it serve cars
    retiring: bool = False  # it is to serve none once its transaction is over
    closed: str = ""  # why no new car is served although the CSMS lets it, such as an installation; empty: they are
    unwelcome: bool = False  # a cable was plugged in while nobody was served
    plugged: bool = False  # a cable is in, as the hardware tells
    reset: str = ""  # type of the Reset of this EVSE that waits for the end of its transaction
    v2x: bool = True  # V2XChargingCtrlr.Enabled: whether any car may discharge here
    faulted: str = ""  # why the outlet serves nobody
    shown: tuple[Payload, ...] = ()  # MessageInfoType, what its display says now, in turn
    account: Account | None = None  # what the transaction costs by its tariff
    limit: TransactionLimit | None = None
    limit_look: float = 0.0  # monotonic s, when it is looked at next
    reserved: bool = False  # held for somebody who is to come, as last told
    status: str = "Available"
    told: str = ""  # the status that the CSMS was told last

    @property
    def resting(self) -> str:
        """The connectorStatus of the EVSE while no car is there."""
        free = "Reserved" if self.reserved else "Available"
        return "Faulted" if self.faulted else free if self.operative and not self.closed else "Unavailable"

    @property
    def gives_back(self) -> bool:
        """Whether a car may discharge here by any of its services."""
        return any(SERVICES[service].bidirectional for service in self.services)

    @property
    def may_give(self) -> bool:
        """Whether the CSMS lets the car discharge by the service that it has selected: leave may be withdrawn while it does."""
        selected = self.session.selected if self.session is not None else None
        return self.v2x and (self.allowed is None or selected is None or selected.service in self.allowed)

    @property
    def in_watts(self) -> bool:
        """Whether the EVSE is limited in W alone: it gives no current of the mains, but direct current or a field."""
        return any(not SERVICES[service].mains for service in self.services)

    @property
    def outlet(self) -> Outlet:
        """The EVSE as charging profiles need it: AC or DC, phases, voltage, transaction."""
        tx = self.transaction
        selected = self.session.selected if self.session is not None else None
        needs = self.session.needs if self.session is not None else None
        led = selected is not None and selected.control == "Dynamic"
        return Outlet(
            self.id,
            self.in_watts,
            self.limits.phases,
            self.limits.nominal_voltage,
            tx.id if tx else None,
            tx.started if tx else 0.0,
            control="" if selected is None else selected.control,
            reactive=led and selected is not None and SERVICES[selected.service].mains,
            soc=None if needs is None else needs.soc,
            priority=tx is not None and tx.priority,
        )


@dataclass(frozen=True, slots=True)
class PlanWanted:
    """The request for a schedule that the station makes itself, on another thread; the answer goes to `Bridge.planned`."""

    evse: int
    number: int
    needs: Needs
    site: Site
    wall: float
    signals: tuple[Signal, ...] = ()


@dataclass(slots=True)
class Charger:
    """The state of the whole station. `entropy(n)` gives n random octets."""

    clock: Clock
    entropy: Callable[[int], bytes]
    evses: dict[int, Evse]
    identity: Identity = field(default_factory=Identity)
    site: Site = field(default_factory=Site)
    roots: tuple[bytes, ...] = ()  # DER of the MO roots, for the hash data of contracts
    owner: Payload | None = None  # idToken of whoever plugs in, where nobody shows another: a wallbox at home
    v2x_unasked: bool = False  # let cars discharge where the CSMS did not say allowedEnergyTransfer
    patience: float = 20.0  # s that the CSMS has to send a schedule; the car waits 60 s at most (V2G_EVCC_Ongoing_Timeout)
    fallback: Fallback = "local"  # how cars go on whose profile has run out
    version: Version = "ocpp2.1"  # of the connection, for people: what is said has the words of 2.1, and a link its dialect
    variables: DeviceModel = field(init=False)
    profiles: Profiles = field(default_factory=Profiles)
    feeds: Feeds = field(default_factory=Feeds)
    external: dict[tuple[str, int, bool], Limit] = field(default_factory=dict)  # limits from elsewhere
    der: Controls = field(default_factory=Controls)
    by_clock: ByClock = field(default_factory=ByClock)
    outbox: Outbox = field(default_factory=Outbox)
    boot: Boot = field(default_factory=Boot)
    # A car that tries for ever makes one event a minute, for the same words are told once. A flood of strangers must be no flood of events,
    # nor take the room of what is told of sessions; its queue is full after ten minutes offline, with 100 KB.
    strangers: Ration = field(default_factory=lambda: Ration(10, 100, "cars that were turned away"))
    problems: Ration = field(default_factory=lambda: Ration(60, 400, "problems of sessions"))
    online: bool = False
    offline_since: float | None = None  # monotonic s
    offline_checked: float = 0.0  # monotonic s, up to when profiles that end while offline have been seen to
    cache: AuthorizationCache = field(default_factory=AuthorizationCache)
    local_list: LocalList = field(default_factory=LocalList)
    messages: Messages = field(default_factory=Messages)
    logs: Logs = field(default_factory=Logs)
    firmware: Firmware = field(default_factory=Firmware)
    tariffs: dict[int, list[Payload]] = field(default_factory=dict)  # TariffType by EVSE
    reservations: Reservations = field(default_factory=Reservations)
    payments: Payments = field(default_factory=Payments)
    facts: list[tuple[int, Fact]] = field(default_factory=list)
    plans: list[PlanWanted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    monitors: Monitors = field(default_factory=Monitors)
    streams: dict[int, Stream] = field(default_factory=dict)  # by monitor
    sends: list[tuple[str, Payload]] = field(default_factory=list)  # messages that nobody answers (SEND): action, payload
    reset: str = ""  # its type, once the CSMS asked for it
    resuming: bool = False  # transactions went on through a reset, and the CSMS is to be told
    triggers: dict[str, Any] = field(default_factory=dict)  # what TriggerMessage may ask for, by kind
    unlock: Callable[[int], None] | None = None  # unlocks the connector of an EVSE; may take seconds; OSError says why it did not
    kept: dict[str, Any] = field(default_factory=dict)  # JSON by name, such as "profile/7": what outlives the process
    changed: dict[str, Any] = field(default_factory=dict)  # what of it the store does not have yet; None: forgotten
    staples: dict[bytes, bytes] = field(default_factory=dict)  # DER of a certificate -> DER of its OCSPResponse
    vetted: Vetted = field(default_factory=Vetted)
    safe: Safe = field(default_factory=Safe)
    errands: list[Errand] = field(default_factory=list)  # for the shell
    numbers: int = 0
    skew: float = 0.0  # s that the clock of the CSMS is ahead of ours

    def __post_init__(self) -> None:
        self.variables = DeviceModel(tuple(self.evses))
        for evse in self.evses.values():
            modes = ",".join(transfers(evse.services, evse.limits.phases))
            led = ",".join(mode for mode in MODES if mode not in LIVE)
            for name, value in (("SupportedEnergyTransferModes", modes), ("SupportedOperationModes", led)):
                self.variables["V2XChargingCtrlr", name, "", evse.id] = value
        if all(evse.in_watts for evse in self.evses.values()):
            self.variables["SmartChargingCtrlr.RateUnit"] = "W"  # amperes at a DC outlet say nothing without its voltage
        self.configure()

    def configure(self) -> None:
        """Copy the variables that the outbox holds into it, after one has changed."""
        self.outbox.attempts = int(self.variables.number("OCPPCommCtrlr.MessageAttempts[TransactionEvent]"))
        self.outbox.interval = self.variables.number("OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]")

    @property
    def accepted(self) -> bool:
        """Whether the CSMS may be told anything but BootNotification."""
        return self.online and self.boot.status == "Accepted"

    def call(self, action: str, payload: Payload, **how: Any) -> bool:
        """Queue a call, with fields of `Call`; False, and nothing is queued, while there is no connection and it need not be kept."""
        if action in QUEUED and self.variables.yes("OCPPCommCtrlr.QueueAllMessages"):
            how["kept"] = True
        call = Call(action, payload, **how)
        pending = call.solicited and self.online and self.boot.status == "Pending"
        if not (call.kept or self.accepted or pending or action == "BootNotification"):
            return False
        self.outbox.put(call)
        return True

    def tell(self, evse: Evse, fact: Fact) -> None:
        """Queue a fact for the session at an EVSE."""
        self.facts.append((evse.id, fact))

    def note(self, text: str) -> None:
        """Queue a line for the log."""
        self.notes.append(text)

    def wall(self, now: float) -> float:
        """The CSMS's wall time (epoch s) at `now`, rounded up to a millisecond, so that an edge that is due is never still ahead."""
        return math.ceil((self.clock.wall(now) + self.skew) * 1000.0) / 1000.0

    def moment(self, wall: float) -> float:
        """The monotonic time (s) at which the CSMS's clock shows `wall` (epoch s)."""
        return self.clock.now(wall - self.skew)

    def uuid(self) -> str:
        """A new random id (UUID)."""
        return str(uuid.UUID(bytes=self.entropy(16), version=4))

    def keep(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name over restarts of the process; None forgets it. It is on the disk before our answer leaves."""
        if value is None:
            self.kept.pop(name, None)
        else:
            self.kept[name] = value
        self.changed[name] = value
        self.outbox.number += 1  # what is said from now on rests on it

    def number(self) -> int:
        """The next number, counted from 1."""
        self.numbers += 1
        return self.numbers

    def offline(self, now: float) -> float:
        """How long (s) the connection has been lost; 0 while there is one, above 0 otherwise."""
        return 0.0 if self.online else max(now - (now if self.offline_since is None else self.offline_since), 1e-3)

    @property
    def whole(self) -> Evse:
        """The station's grid connection as EVSE 0, for profiles of the whole station."""
        places = list(self.evses.values())
        services = tuple(dict.fromkeys(service for place in places for service in place.services))
        power = sum(place.limits.charge_power for place in places), sum(place.limits.discharge_power for place in places)
        return Evse(0, services, replace(places[0].limits, charge_power=power[0], discharge_power=power[1]))

    def of_transaction(self, id_: str) -> Evse | None:
        """The EVSE at which the transaction with that id runs, None: none."""
        return next((evse for evse in self.evses.values() if evse.transaction and evse.transaction.id == id_), None)

    def band(self, evse: int) -> Band:
        """The band in which an EVSE holds the upstream meter, by its variables; the lower end is never above the upper one."""
        keys = (DeviceModel.key(f"V2XChargingCtrlr.LocalLoadBalancing[{name}]", evse) for name in BAND)
        lower, upper, *offsets = (float(self.variables[key]) for key in keys)
        return Band(min(lower, upper), upper, *(max(offset, 0.0) for offset in offsets))

    def runs(self, id_: str) -> bool:
        """Whether the transaction with that id runs, or waits for its car after a restart."""
        waits = any(cut is not None and cut.transaction.id == id_ for cut in (evse.interrupted for evse in self.evses.values()))
        return waits or self.of_transaction(id_) is not None

    def keep_profile(self, id_: int) -> None:
        """Keep a charging profile over restarts, or forget it where it is gone. What is not of the CSMS is told anew by whoever said it."""
        held = self.profiles.held.get(id_)
        self.keep(f"profile/{id_}", None if held is None else held.kept)

    def forget_profiles(self, transaction: str) -> None:
        """Remove the TxProfiles of a transaction that has ended."""
        for id_ in self.profiles.forget(transaction):
            self.keep_profile(id_)
