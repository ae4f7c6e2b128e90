"""Every path of the REST: listings of what is kept, and commands to stations. The description and the tests are made of these tables."""

from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec

Role = Literal["read", "operate"]
ROLES: Final[tuple[Role, ...]] = ("read", "operate")  # each may do what those before it may
BASE: Final = "/v1"
PAGE: Final = 100  # rows of a page where no limit is given
LONGEST_PAGE: Final = 1_000  # rows: at most 1 MB of events of common size; more is asked for page by page
LONGEST_BODY: Final = 1 << 20  # octets: as long as a frame of OCPP may be, for a call is one


class Listing(NamedTuple):
    """Rows of one table, page by page. `under_station`: of the station in the path; `times` is the column that since and until bound."""

    path: str
    table: str
    what: str
    order: tuple[str, ...]
    filters: tuple[str, ...] = ()
    times: str | None = None
    role: Role = "read"

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters in the path."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


NUMBERED: Final = ("number",)
LISTINGS: Final = (
    Listing("/stations", "stations", "stations that were ever seen", ("id",), ("status", "vendor", "model"), "last_seen"),
    Listing("/stations/{station}/connections", "connections", "connections of a station", ("began", "id"), (), "began"),
    Listing(
        "/transactions", "transactions", "transactions of all stations", ("began", "station", "id"), ("station", "evse", "token"), "began"
    ),
    Listing("/stations/{station}/transactions", "transactions", "transactions of a station", ("began", "id"), ("evse", "token"), "began"),
    Listing(
        "/stations/{station}/transactions/{transaction}/events",
        "events",
        "the events of a transaction",
        NUMBERED,
        ("kind", "trigger"),
        "at",
    ),
    Listing(
        "/stations/{station}/transactions/{transaction}/samples",
        "samples",
        "what was measured in a transaction",
        NUMBERED,
        ("measurand", "phase", "context"),
        "at",
    ),
    Listing("/stations/{station}/samples", "samples", "what a station measured", NUMBERED, ("measurand", "evse", "phase"), "at"),
    Listing(
        "/stations/{station}/profiles",
        "profiles",
        "charging profiles that were sent, schedules that were chosen, needs that were told",
        NUMBERED,
        ("kind", "transaction", "evse"),
        "at",
    ),
    Listing(
        "/stations/{station}/variables",
        "variables",
        "the device model as far as it was told",
        ("component", "variable", "attribute"),
        ("component", "variable", "attribute"),
    ),
    Listing("/stations/{station}/certificates", "certificates", "what was done with certificates", NUMBERED, ("kind", "status"), "at"),
    Listing("/stations/{station}/security-events", "security_events", "security events of a station", NUMBERED, ("kind",), "at"),
    Listing("/stations/{station}/messages", "messages", "reports and alarms, DER's too", NUMBERED, ("action",), "at"),
    Listing("/story", "story", "what happened, in lines for people", NUMBERED, ("station", "topic"), "at"),
    Listing("/power", "power", "power of the fleet over time, one row for each process", NUMBERED, ("process",), "at"),
    Listing(
        "/operations", "operations", "who asked for which operation, and what came of it", NUMBERED, ("who", "station"), "at", "operate"
    ),
)
PAYLOADS: Final = frozenset({"payload", "connectors"})  # columns that hold JSON

Limit = Annotated[str, msgspec.Meta(max_length=48)]


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """A remote start: which EVSE (none: the station chooses), for which token (none: the laboratory's)."""

    evse: Annotated[int, msgspec.Meta(ge=1)] | None = None
    token: Annotated[str, msgspec.Meta(max_length=255)] = ""


class Stop(msgspec.Struct, forbid_unknown_fields=True):
    """A remote stop: which transaction; none: the one that runs."""

    transaction: Annotated[str, msgspec.Meta(max_length=36)] | None = None


class Setpoint(msgspec.Struct, forbid_unknown_fields=True):
    """A setpoint for the transaction that runs: W, + into the car, - out of it."""

    power: Annotated[float, msgspec.Meta(ge=-1e7, le=1e7)]


class Answer(msgspec.Struct):
    """What the station answered: the payload of its CALLRESULT."""

    answer: dict[str, Any]


class Fault(msgspec.Struct):
    """Why nothing was done: words for people, and the code of OCPP where there is one."""

    error: str
    code: str = ""


class Command(NamedTuple):
    """A command to a station: with a body of our own, or with the payload of an action of OCPP."""

    path: str
    what: str
    body: type | None = None
    action: str = ""


def _ocpp(path: str, action: str, what: str) -> Command:
    return Command(f"/stations/{{station}}/{path}", f"{what} ({action}; the body is its payload)", None, action)


COMMANDS: Final = (
    Command("/stations/{station}/start", "start a transaction (RequestStartTransaction)", Start),
    Command("/stations/{station}/stop", "stop a transaction (RequestStopTransaction)", Stop),
    Command("/stations/{station}/setpoint", "steer the transaction that runs", Setpoint),
    _ocpp("profiles", "SetChargingProfile", "set a charging profile"),
    _ocpp("profiles/clear", "ClearChargingProfile", "clear charging profiles"),
    _ocpp("variables", "SetVariables", "set variables"),
    _ocpp("variables/read", "GetVariables", "read variables from the station"),
    _ocpp("certificates", "InstallCertificate", "install a root certificate"),
    _ocpp("certificates/delete", "DeleteCertificate", "delete a certificate"),
    _ocpp("der", "SetDERControl", "set a DER control"),
    _ocpp("der/read", "GetDERControl", "ask for DER controls, which come as messages"),
    _ocpp("der/clear", "ClearDERControl", "clear DER controls"),
    _ocpp("reset", "Reset", "reset the station or one EVSE"),
    _ocpp("availability", "ChangeAvailability", "change the availability"),
    Command("/stations/{station}/calls/{action}", "send any action of OCPP; the body is its payload, which is validated before it is sent"),
)
