"""What grid.toml says of a device behind its maker's REST API."""

import math
from dataclasses import dataclass
from typing import Literal

from v2gkit.grid.link import Promise
from v2gkit.grid.secrecy import demand_secret

Role = Literal["connection", "chargers", "load", "source", "battery", "charger", "signal"]
Reads = Literal["power", "import_cap", "export_cap", "setpoint", "energy", "exported", "state", "limit"]
SAID = ("import_cap", "export_cap", "setpoint")  # by the role signal, and by no other
VALUE = "{value}"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the answer. Its `path` has keys and indexes with dots between: nrg.11 is the twelfth of the list nrg.

    Powers in W, energies in Wh: (value x scale). A `state` is a word, or one of `words` by what the answer has. `limit` is what the device
    keeps to at this moment, in the units of [vendor.limit].
    """

    reads: Reads
    path: str
    scale: float = 1.0
    invert: bool = False
    absent: float | None = None  # this value says that there is none
    words: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if not (self.path and len(self.path) <= 256 and all(self.path.split("."))):
            raise ValueError(f"path is {self.path[:40]!r}; give keys and indexes with dots between, as nrg.11")
        if not 0 < self.scale < 1e9:
            raise ValueError(f"scale is {self.scale}; give the W or Wh of one unit, above 0; `invert` turns the sign")


@dataclass(frozen=True, slots=True)
class Status:
    """What is asked again and again."""

    url: str
    field: tuple[Field, ...]
    method: Literal["GET", "POST"] = "GET"
    body: str | None = None  # JSON

    def __post_init__(self) -> None:
        reads = [field.reads for field in self.field]
        if not reads or len(set(reads)) < len(reads):
            raise ValueError(
                f"fields read {', '.join(reads) or 'nothing'}; give one or more [[vendor.status.field]], each for another thing"
            )


@dataclass(frozen=True, slots=True)
class Limit:
    """How the device is limited: `{value}` in URL and body is the limit in its units, of `watts` each, rounded down to `step`.

    A limit below `least` units is told by `off_url` and `off_body`; a device without them cannot keep to it, and is refused it.
    """

    url: str
    watts: float  # of one unit: 690 of an ampere on three phases, 1000 of a kW
    share: float  # of what holds for the site, that is this device's; stations have the rest
    least: float = 0.0  # units
    most: float = 1e6  # units; told where nothing limits
    step: float = 1.0  # units
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    body: str | None = None  # JSON, with {value}
    off_url: str | None = None
    off_body: str | None = None
    accepts: tuple[int, ...] = (200, 202, 204)
    repeat: float = 60.0  # s after which a limit is told again

    def __post_init__(self) -> None:
        if VALUE not in self.url + (self.body or ""):
            raise ValueError(f"neither url nor body holds {VALUE}, where the limit is to stand")
        if not (0 < self.watts < 1e7 and 0 < self.share <= 1 and 0 < self.step <= 1e6 and 0 <= self.least <= self.most <= 1e6):
            raise ValueError(
                f"watts {self.watts}, share {self.share}, step {self.step}, least {self.least}, most {self.most}; give W of one unit, a "
                "share above 0 and up to 1, and units from least to most"
            )
        if not 1 <= self.repeat <= 86_400:
            raise ValueError(f"repeat is {self.repeat} s; give 1 to 86400")

    def units(self, cap: float) -> float | None:
        """The limit in units for a cap of the site (W); None: less than the least, the device has to be off."""
        given = cap * self.share / self.watts if math.isfinite(cap) else self.most
        told = math.floor(min(given, self.most) / self.step + 1e-9) * self.step
        return told if told >= self.least and (told > 0 or (self.off_url is None and self.off_body is None)) else None


@dataclass(frozen=True, slots=True)
class Vendor:
    """A device of a maker, read and limited through its REST API. A `charger` is no meter: what it takes lowers no other limit."""

    name: str
    role: Role
    status: Status
    limit: Limit | None = None
    auth: Literal["none", "bearer", "basic", "header", "query"] = "none"
    secret_file: str | None = None  # of `basic` USER:PASSWORD
    key: str = ""  # the name of header or query parameter
    requests: float = 30.0  # in a minute, of all kinds: what the API allows
    every: float = 5.0  # s between two readings, if `requests` allow
    roots: str | None = None  # PEM; None: the system's
    timeout: float = 10.0  # s for one answer
    patience: float = 30.0  # s; of the role signal: silence after which its fallbacks hold
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        demand_secret(self.status.url, "the secret" if self.auth != "none" else "what is asked")
        for url in (self.limit.url, self.limit.off_url) if self.limit is not None else ():
            if url is not None:
                demand_secret(url, "the secret" if self.auth != "none" else "what is asked")
        if (self.auth == "none") != (self.secret_file is None) or (self.auth in ("header", "query")) != bool(self.key):
            raise ValueError(f"{self.name}: auth {self.auth} wants secret_file{' and key' if self.auth in ('header', 'query') else ''}")
        if not (0.05 <= self.every <= 3_600 and 0.05 <= self.timeout <= 60 and 1 <= self.requests <= 6_000):
            raise ValueError(
                f"{self.name}: every {self.every} s, timeout {self.timeout} s, {self.requests} requests a minute; "
                "give 0.05 to 3600 s, to 60 s, and 1 to 6000"
            )
        reads = {field.reads for field in self.status.field}
        if self.role == "signal" and not reads & set(SAID):
            raise ValueError(f"{self.name}: the role signal reads {', '.join(SAID)}")
        if self.role != "signal" and (reads & set(SAID) or "power" not in reads):
            raise ValueError(f"{self.name}: the role {self.role} reads power, and other things of a device, but no {', '.join(SAID)}")
        if "limit" in reads and self.limit is None:
            raise ValueError(f"{self.name}: a field reads limit; give [vendor.limit], in whose units it is")

    @property
    def promise(self) -> Promise:
        """What holds while a device of the role signal is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)
