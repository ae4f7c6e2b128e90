"""The offer of one outlet to every car that plugs in; it is fixed when a session begins."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from secc.evse import EVSE_ID
from secc.own_services import MOST, OwnService
from secc.station import Authorization, Control, Limits, Service
from v2g.energy.der import FUNCTIONS
from v2g.generations import GENERATIONS
from v2g.services import OFFERED, SERVICES
from v2g.session.endpoint import Relaxed
from v2g.session.profiles import Deviation, Profile, let_pass
from v2g.session.service import Intended, InternetProtocol, ParkingType
from v2g.session.wireless import GroundDevice
from v2g.settings import suggestion

Spoken = Literal["20", "2", "DIN"]  # generations, as people call them
SPOKEN: tuple[Spoken, ...] = ("20", "2", "DIN")  # by default: each demands the link that is safe for it
Pricing = Literal["none", "absolute", "levels"]

Standby = Literal["none", "closed", "open"]  # not offered, or what the contactor does meanwhile


@dataclass(frozen=True, slots=True)
class Outlet:
    """What one EVSE offers: services, controls, authorizations, limits, and how it deals with cars.

    The order of `controls` is the order of the parameter sets, and some cars take the first. ValueError for an offer that no message can
    carry.
    """

    evse_id: str = EVSE_ID
    services: tuple[Service, ...] = OFFERED
    generations: tuple[Spoken, ...] = SPOKEN  # of the standard
    controls: tuple[Control, ...] = ("Scheduled", "Dynamic")  # a station offers both [V2G20-2656]
    authorizations: tuple[Authorization, ...] = ("EIM",)
    providers: tuple[str, ...] = ()  # eMSPs whose contracts are taken; empty: not said
    limits: Limits = field(default_factory=Limits)
    mobility_by_station: bool = False  # also offer Dynamic control with departure and SOC from the station (MobilityNeedsMode 2)
    pricing: Pricing = "absolute"
    price_levels: int = 3  # of pricing "levels"
    bpt_channel: Literal["unified", "separated"] = "unified"
    generator_mode: Literal["following", "forming"] = "following"  # of the grid, or making it
    islanding_detection: Literal["active", "passive"] = "active"
    grid_functions: tuple[str, ...] = FUNCTIONS  # what a grid may ask of a car that feeds it (AC_DER_IEC)
    negative_discharge: bool = False  # discharge limits are sent below zero, for cars that want them so; either sign is read
    internet: tuple[InternetProtocol, ...] = ()  # of the value-added service Internet (65); empty: it is not offered
    value_added: tuple[OwnService, ...] = ()  # beside those of the standard, for cars of ISO 15118-2
    parking: tuple[Intended, ...] = ()  # by the value-added service ParkingStatus (66); empty: it is not offered
    parking_type: ParkingType = "ManualInternal"
    ground_device: GroundDevice = field(default_factory=GroundDevice)  # of WPT
    check_in_required: bool = False  # a car that does not select VehicleCheckIn is refused
    free: bool = False
    certificate_installation: bool = False
    service_renegotiation: bool = True
    pause: bool = True
    standby: Standby = "none"
    standby_limit: float = 86_400.0  # s that a car may stand by before it is asked to come back to power or leave
    tolerance_required: bool = False  # a car that does not confirm the power tolerance is refused
    authorization_limit: float = min(generation.ongoing for generation in GENERATIONS)  # s that a car is kept waiting for a verdict
    pause_limit: float = 86_400.0  # s that a paused session is kept
    profile: Profile = "conformance"

    def __post_init__(self) -> None:
        if not 1 <= len(self.evse_id) <= 255:
            raise ValueError(f"evse_id has {len(self.evse_id)} characters; give 1 to 255, such as DE*ABC*E1")
        for name in ("services", "generations", "controls", "authorizations"):
            given = getattr(self, name)
            if not given or len(set(given)) != len(given):
                raise ValueError(f"{name} is {given}; name at least one, none twice")
        suggestion.demand("services", self.services, SERVICES)
        suggestion.demand("generations", self.generations, SPOKEN)
        suggestion.demand("internet", self.internet, get_args(InternetProtocol))
        suggestion.demand("parking", self.parking, get_args(Intended))
        if len(set(self.parking)) != len(self.parking):
            raise ValueError(f"parking is {self.parking}; name none twice")
        own = [service.id for service in self.value_added]
        if len(own) > MOST or len(set(own)) < len(own):
            raise ValueError(f"value_added has the ids {', '.join(map(str, own))}; give at most {MOST} services, each an id of its own")
        if self.check_in_required and "VehicleCheckIn" not in self.parking:
            raise ValueError(f"check_in_required is true, and parking is {self.parking}; name VehicleCheckIn there")
        suggestion.demand("grid_functions", self.grid_functions, FUNCTIONS)
        if not 1 <= self.price_levels <= 255:
            raise ValueError(f"price_levels is {self.price_levels}; give 1 to 255")

    @property
    def plain(self) -> bool:
        """Whether a car may come without TLS beside those that come with it, to charge without a contract: in -2 it may, in DIN it must."""
        return bool({"2", "DIN"} & set(self.generations)) and "EIM" in self.authorizations

    @property
    def secured(self) -> bool:
        """Whether any generation that is spoken here knows TLS; DIN does not [V2G-DC-618], and discovery is to say so."""
        return bool({"20", "2"} & set(self.generations))

    @property
    def couplings(self) -> frozenset[int]:
        """The values of `sdp.Coupling` with which a car finds this outlet over WLAN; empty: cars come by cable alone."""
        return frozenset(coupling for name in self.services for coupling in SERVICES[name].couplings)

    def let_pass(self, deviation: Deviation, now: float) -> tuple[Relaxed, ...]:
        """The record for the trace of a deviation that is used at `now` (monotonic s); empty where the profile does not allow it."""
        return let_pass(deviation, self.profile, now)
