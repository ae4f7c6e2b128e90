"""What grid.toml says of a utility server of IEEE 2030.5."""

from dataclasses import dataclass
from typing import Literal

from v2gkit.grid.link import Promise
from v2gkit.grid.secrecy import demand_secret


@dataclass(frozen=True, slots=True)
class Sep2:
    """A server of IEEE 2030.5, and this site as its DER. Powers in W."""

    name: str
    url: str  # of its DeviceCapability, as https://utility.example/dcap, or with /.well-known/csipaus of what names it
    import_limit: float  # what the chargers may take at most: capability, and 100 % of a charge
    export_limit: float = 0.0  # and give
    cert: str | None = None  # PEM: its chain; who we are
    key: str | None = None  # PEM
    roots: str | None = None  # PEM; None: the system's
    csipaus: Literal["1.2", "1.3"] = "1.2"  # whose namespace our messages have
    lfdi: str | None = None  # 40 hex digits: of the device that an aggregator's certificate acts for; None: that of our certificate
    pin: int | None = None  # of our registration there, with its check digit: another one is another site's, and is not followed
    connection_point: str | None = None  # that the server is told (CSIP-AUS), as a NMI
    notified: bool = False  # the server tells changes to our own web server, [serving]: a round follows each
    drm: bool = False  # our state is told in the demand response modes of AS/NZS 4755
    every: float | None = None  # s between two rounds; None: what the server says, a second to a quarter of an hour
    timeout: float = 10.0  # s for one answer
    patience: float = 900.0  # s
    fallback_import: float | None = None  # W
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        demand_secret(self.url, "what is said")
        if (self.cert is None) != (self.key is None) or (self.cert is None and self.lfdi is None):
            raise ValueError(f"{self.name}: give cert and key, whose LFDI names us; lfdi alone is for a laboratory without TLS")
        if self.lfdi is not None and (len(self.lfdi) != 40 or set(self.lfdi.lower()) - set("0123456789abcdef")):
            raise ValueError(f"{self.name}: lfdi is {self.lfdi[:48]!r}; give 40 hex digits")
        if self.pin is not None and not (0 <= self.pin <= 999_999 and sum(map(int, str(self.pin // 10))) % 10 == self.pin % 10):
            raise ValueError(f"{self.name}: pin is {self.pin}; give five digits and the one that makes their sum")
        if self.connection_point is not None and not 1 <= len(self.connection_point) <= 36:
            raise ValueError(f"{self.name}: connection_point has {len(self.connection_point)} characters; give 1 to 36")
        if not (0 < self.import_limit < 1e9 and 0 <= self.export_limit < 1e9):
            raise ValueError(
                f"{self.name}: import_limit {self.import_limit} W, export_limit {self.export_limit} W; give what chargers may do"
            )
        if not 0.05 <= self.timeout <= 60 or (self.every is not None and not 0.05 <= self.every <= 3_600):
            raise ValueError(f"{self.name}: every {self.every} s, timeout {self.timeout} s; give 0.05 to 3600 s, and to 60 s")

    @property
    def promise(self) -> Promise:
        """What holds while the server is not heard."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)
