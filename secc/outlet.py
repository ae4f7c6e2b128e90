"""What one outlet offers to every car that plugs in: fixed when a session begins."""

from dataclasses import dataclass, field
from typing import Literal

from secc.station import Authorization, Control, Limits, Service
from v2g.session.profiles import PROFILES, Deviation, Profile
from v2g.session.timing import SECC_ONGOING_TIMEOUT

EVSE_ID = "DE*V2G*E1"  # of an outlet that nobody has named
Pricing = Literal["none", "absolute"]


@dataclass(frozen=True, slots=True)
class Outlet:
    """The offer of one EVSE.

    The order of `controls` is the order of the parameter sets, and some cars take the first. ValueError for an offer that no message can
    carry.
    """

    evse_id: str = EVSE_ID
    services: tuple[Service, ...] = ("DC", "DC_BPT")
    controls: tuple[Control, ...] = ("Scheduled", "Dynamic")  # a station offers both [V2G20-2656]
    authorizations: tuple[Authorization, ...] = ("EIM",)
    providers: tuple[str, ...] = ()  # eMSPs whose contracts are taken; empty: not said
    limits: Limits = field(default_factory=Limits)
    mobility_by_station: bool = False  # also offer Dynamic control with departure and SOC from the station (MobilityNeedsMode 2)
    pricing: Pricing = "absolute"
    internet: bool = False  # value-added service 65
    free: bool = False
    certificate_installation: bool = False
    service_renegotiation: bool = True
    pause: bool = True
    tolerance_required: bool = False  # a car that does not confirm the power tolerance is refused
    authorization_limit: float = SECC_ONGOING_TIMEOUT  # s that a car is kept waiting for a verdict
    pause_limit: float = 86_400.0  # s that a paused session is kept
    profile: Profile = "conformance"

    def __post_init__(self) -> None:
        if not 1 <= len(self.evse_id) <= 255:
            raise ValueError(f"evse_id has {len(self.evse_id)} characters; give 1 to 255, such as DE*ABC*E1")
        for name in ("services", "controls", "authorizations"):
            given = getattr(self, name)
            if not given or len(set(given)) != len(given):
                raise ValueError(f"{name} is {given}; name at least one, none twice")

    def puts_up_with(self, deviation: Deviation) -> bool:
        """Whether the profile lists this deviation."""
        return deviation in PROFILES[self.profile]
