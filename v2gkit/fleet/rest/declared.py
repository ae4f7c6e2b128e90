"""Every path of the REST. Each is asked with a key, and answers with what is that key's tenant's, and nothing else."""

from typing import Annotated, Final, Literal, NamedTuple

import msgspec

Role = Literal["read", "operate", "admin"]
ROLES: Final[tuple[Role, ...]] = ("read", "operate", "admin")  # each may do what those before it may
BASE: Final = "/v1"
PAGE: Final = 100  # rows of a page where no limit is given
LONGEST_PAGE: Final = 1_000
LONGEST_BODY: Final = 1 << 16  # octets


class Listing(NamedTuple):
    """Rows of one table of the store, page by page; `times` is the column that since and until bound."""

    path: str
    table: str
    what: str
    order: tuple[str, ...]
    filters: tuple[str, ...] = ()
    times: str | None = None
    role: Role = "read"
    columns: tuple[str, ...] = ()  # that are shown; empty: all


LISTINGS: Final = (
    Listing("/declared", "declared", "tenant, sites, assets, contracts, programs, tariffs", ("kind", "id"), ("kind", "id")),
    Listing("/signals", "signals", "signals, and what became of them", ("received", "id", "version"), ("source", "fate"), "received"),
    Listing(
        "/decisions",
        "decisions",
        "what was decided, without what it rests on",
        ("at", "id"),
        ("site",),
        "at",
        columns=("id", "site", "at", "cause"),
    ),
    Listing(
        "/orders",
        "orders",
        "what assets were told, and their answers",
        ("sent", "asset", "id"),
        ("asset", "state", "decision"),
        "sent",
    ),
    Listing(
        "/plans",
        "plans",
        "the newest plan of each site: when it was made, the powers of its cars, by which prices, and what it costs",
        ("site",),
        ("site",),
        "at",
    ),
    Listing("/prices", "prices", "what a kWh costs and earns at sites over time, by tariff", ("start", "tariff"), ("tariff",), "start"),
    Listing("/shed", "shed", "who had less than it wanted, and why", ("at", "decision", "asset"), ("site", "asset", "decision"), "at"),
    Listing("/sessions", "sessions", "sessions at assets", ("began", "asset", "id"), ("asset", "contract"), "began"),
    Listing("/registers", "registers", "readings of cumulative registers", ("at", "asset", "session"), ("asset", "session"), "at"),
    Listing("/power", "power", "power of sites over time: what flows, what was ordered, what is allowed", ("number",), ("site",), "at"),
    Listing("/books", "books", "transactions of the books", ("number",), ("contract", "run"), "start"),
    Listing(
        "/keys", "keys", "who may ask", ("name", "digest"), ("role",), None, "admin", columns=("name", "role", "made", "revoked", "digest")
    ),
    Listing("/audit", "audit", "who did what, and who was refused", ("number",), ("who", "outcome"), "at", "admin"),
)
PAYLOADS: Final = frozenset({"doc", "postings", "bases"})  # columns that hold JSON


class Limit(msgspec.Struct, forbid_unknown_fields=True):
    """What a site may draw at most (W), base load with it; null: what its connection and its signals admit."""

    power: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key for somebody else of the same tenant."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9_-]+$")]
    role: Role


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Watts = Annotated[float, msgspec.Meta(ge=0, lt=1e9)]


class NewAsset(msgspec.Struct, forbid_unknown_fields=True):
    """An asset of OCPP, as [[asset]] of the file says it. Other kinds lead to files and addresses of this machine: they are the file's."""

    id: Name
    site: Name
    contract: Name
    station: Annotated[str, msgspec.Meta(min_length=1, max_length=48)]
    power: Watts
    give: Watts = 0.0
    least: Watts = 0.0
    safe: Watts = 0.0
    feeder: Name = "grid"
    phases: Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=3)] = (1, 2, 3)
    viewer: Annotated[str, msgspec.Meta(max_length=300)] = ""


class Removal(msgspec.Struct, forbid_unknown_fields=True):
    """`anyway`: also where the asset does not take that it may draw nothing, or somebody is there; nobody reckons with it then."""

    anyway: bool = False


class Fault(msgspec.Struct):
    """Why nothing was done, in words for people."""

    error: str


class Verb(NamedTuple):
    """Something else than rows: what it reads or does, and for whom."""

    method: str
    path: str
    what: str
    role: Role
    body: type | None = None


VERBS: Final = (
    Verb("GET", "/now", "sites and assets as they are at this moment", "read"),
    Verb("GET", "/decisions/{id}", "a decision with all that it rests on, and whether the same is decided again", "read"),
    Verb("GET", "/bills", "what each party earned, and revenue by tier", "read"),
    Verb("GET", "/forecast", "what sites could draw less, or give, from now on, as bids", "read"),
    Verb("POST", "/sites/{id}/limit", "bound what a site draws", "operate", Limit),
    Verb("POST", "/assets", "add an asset of OCPP to a site", "admin", NewAsset),
    Verb("POST", "/assets/{id}/remove", "have an asset that was added so draw nothing, and take it away", "admin", Removal),
    Verb("POST", "/keys", "make a key; it is shown once", "admin", NewKey),
    Verb("POST", "/keys/{id}/revoke", "let keys of that name open nothing any more", "admin"),
)
