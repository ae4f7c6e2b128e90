"""What a session of the interoperability matrix is about, besides its service and control mode; one row for each story.

The stories of -20 and those of -2 and DIN (`OLDER`) are two tables: they share names, not options. A story says what each of the four
programs is told beyond the cell. What the peer cannot play is not here: `docs/interop.md` lists it.
"""

from dataclasses import dataclass
from typing import Final

from v2g.iso20.services import AC, AC_BPT, DC, DC_BPT

SERVICES: Final = tuple(row.name for row in (DC, DC_BPT, AC, AC_BPT))  # what the peer knows
ENDLESS: Final = 1000  # charge loops that nobody waits for
TOLD_AFTER: Final = 5  # charge loops after which the foreign station asks the car to stop
TOLD_IN: Final = 1.0  # s under power after which ours does


@dataclass(frozen=True, slots=True)
class Story:
    """`head` stands behind the role in the table. `told`: the car means to charge for ever, and leaves because the station asks it to.
    `seen` is what the peer's account must say, so that a session without its story is no success.
    """

    name: str
    head: str = ""
    told: bool = False
    seen: tuple[tuple[str, int], ...] = (("mobility", 1),)
    foreign_station: tuple[str, ...] = ()
    foreign_car: tuple[str, ...] = ()
    our_station: str = ""  # TOML
    our_car: str = ""  # TOML
    our_station_options: tuple[str, ...] = ()
    our_car_options: tuple[str, ...] = ()
    bare: bool = False  # our car comes without a contract
    roles: tuple[str, ...] = ("car", "station")  # of the peer
    services: tuple[str, ...] = SERVICES
    controls: tuple[str, ...] = ("scheduled", "dynamic")


WHOLE: Final = Story("whole")
TOLD: Final = Story("told", ", which is told to stop", told=True, foreign_station=("--tell-after", str(TOLD_AFTER)))
NEEDS: Final = Story(
    "needs",
    ", mobility needs by the station",
    seen=(("mobility", 2),),
    foreign_car=("--mobility", "2"),
    our_station="[offer]\nmobility_by_station = true\n[stay]\nseconds = 7200\ntarget_soc = 80\n",
    our_car='[wish]\nmobility = "SECC"\n',
    controls=("dynamic",),
)
RENEGOTIATED: Final = Story(
    "renegotiated",
    ", which renegotiates the service",
    seen=(("details", 2),),
    foreign_station=("--renegotiation",),
    our_car_options=("--script", "service-renegotiation"),
    roles=("station",),  # its car raises when its own request for it is answered
    services=(AC.name, AC_BPT.name),  # with DC the package's station ends the session in any case
)
PAUSED: Final = Story(
    "paused",
    ", which pauses and comes back",
    seen=(("visits", 2),),
    foreign_station=("--visits", "2"),
    our_car_options=("--pause-after", "4"),
    roles=("station",),  # its car does not resume
)
STORIES: Final = {story.name: story for story in (WHOLE, TOLD, NEEDS, RENEGOTIATED, PAUSED)}


# --- ISO 15118-2 and DIN SPEC 70121 ---


@dataclass(frozen=True, slots=True)
class OlderStory(Story):
    """A story of -2 and DIN: `sessions` are the generations and services in which it is played."""

    seen: tuple[tuple[str, int], ...] = (("deliveries", 2),)  # PowerDelivery: a start and a stop
    sessions: tuple[tuple[str, str], ...] = (("2", DC.name), ("2", AC.name))


OLDER: Final = {
    story.name: story
    for story in (
        OlderStory("whole", sessions=(("2", DC.name), ("2", AC.name), ("DIN", DC.name))),
        OlderStory(
            "told",
            ", which is told to stop",
            told=True,
            foreign_station=("--tell-after", str(TOLD_AFTER)),
            sessions=(("2", DC.name), ("2", AC.name), ("DIN", DC.name)),
        ),
        OlderStory(
            "rescheduled",
            ", which is told to take another schedule",
            seen=(("deliveries", 4),),
            foreign_station=("--tell-after", str(TOLD_AFTER), "--tell", "renegotiate"),
            roles=("station",),  # what our station asks it for comes from a CSMS or a limit, which no cell has
        ),
        OlderStory(
            "paused",
            ", which pauses and comes back",
            seen=(("visits", 2), ("joined", 1)),
            foreign_station=("--visits", "2"),
            our_car_options=("--pause-after", "4"),
            roles=("station",),  # its car does not pause
        ),
        OlderStory(
            "installed",
            ", which gets its contract first",
            seen=(("deliveries", 2), ("installed", 1)),
            foreign_car=("--install",),
            our_station_options=("--installation",),
            our_car_options=("--install",),
            bare=True,
            sessions=(("2", DC.name),),
        ),
    )
}
