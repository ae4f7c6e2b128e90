"""What grid.toml says of a CEM of S2."""

from dataclasses import dataclass
from typing import Literal

from v2gkit.grid.link import Promise
from v2gkit.grid.secrecy import demand_secret

Quantity = Literal["ELECTRIC.POWER.L1", "ELECTRIC.POWER.3_PHASE_SYMMETRIC"]


@dataclass(frozen=True, slots=True)
class S2:
    """A CEM, to which we are the resource manager of the site's chargers. Powers in W."""

    name: str
    url: str  # ws://localhost:8080/..., wss:// where it is another machine
    import_limit: float  # what the chargers may take at most: within this a CEM limits them
    export_limit: float = 0.0
    resource: str = "3e6f0d5c-4c0b-4d5e-9d0a-76326b697400"  # resource_id
    quantity: Quantity = "ELECTRIC.POWER.3_PHASE_SYMMETRIC"
    version: str = "0.0.2-beta"
    secret_file: str | None = None  # with a bearer token
    roots: str | None = None  # PEM; None: the system's
    measure: float | None = None  # s between two PowerMeasurements of the meters of role chargers; None: none
    timeout: float = 10.0  # s for connecting, and for the answer to a ping
    patience: float = 60.0  # s
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        if not self.url.startswith(("ws://", "wss://")):
            raise ValueError(f"url {self.url[:80]!r} is none of WebSocket; begin it with wss://, or ws:// on the loopback")
        demand_secret("http" + self.url[2:], "what is said")
        if not (0 < self.import_limit < 1e9 and 0 <= self.export_limit < 1e9):
            raise ValueError(
                f"{self.name}: import_limit {self.import_limit} W, export_limit {self.export_limit} W; give what chargers may do"
            )
        if not 0.05 <= self.timeout <= 60 or (self.measure is not None and not 1 <= self.measure <= 3_600):
            raise ValueError(f"{self.name}: timeout {self.timeout} s, measure {self.measure} s; give 0.05 to 60 s, and 1 to 3600 s")
        if not (
            2 <= len(self.resource) <= 64 and self.resource.isascii() and all(each.isalnum() or each in "-_:" for each in self.resource)
        ):
            raise ValueError(f"{self.name}: resource is {self.resource[:20]!r}; give 2 to 64 letters, digits, -, _ and :")

    @property
    def promise(self) -> Promise:
        """What holds while the CEM is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)
