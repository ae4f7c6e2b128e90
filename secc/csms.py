"""The CSMS of a station, as its file names it: the table [ocpp], or `ocpp = "wss://..."` where the address is all there is to say."""

import typing
from dataclasses import dataclass

from v2g.address import demand_address
from v2g.settings.strict import ConfigError

Version = typing.Literal["ocpp2.1", "ocpp2.0.1"]


@dataclass(frozen=True, slots=True)
class Firmware:
    """How the station takes firmware that its CSMS names: commands of its owner, each a program and its arguments; exit code 0 is well."""

    install: tuple[str, ...] = ()  # installs the file whose path is put behind the arguments
    verify: tuple[str, ...] = ()  # says before that, of the same path, whether the file is firmware for this station
    activate: tuple[str, ...] = ()  # restarts the station into what was installed; without it install alone is enough
    confirm: tuple[str, ...] = ()  # says after a restart, of the same path, whether the station runs what was installed
    hosts: tuple[str, ...] = ()  # from which files are fetched; none: the host of the CSMS
    maximum_mb: int = 512  # of a file
    unsigned: bool = False  # take files that nobody has signed

    def __post_init__(self) -> None:
        if not self.install:
            raise ConfigError('install is missing, the command that installs a file; give one such as ["/usr/lib/station/install"]')
        for name in ("install", "verify", "activate", "confirm"):
            command = getattr(self, name)
            if command and not command[0].startswith("/"):
                raise ConfigError(f"{name} begins with {command[0]!r}; give the whole path of the program, as /usr/lib/station/{name}")
        if not 1 <= self.maximum_mb <= 65_536:
            raise ConfigError(f"maximum_mb is {self.maximum_mb}; give 1 to 65536")


@dataclass(frozen=True, slots=True)
class Ocpp:
    """Where the CSMS is, who the station is to it, and how each proves that to the other. Paths are of PEM files."""

    url: str = ""
    station_id: str | None = None  # None: the id of the first outlet
    password_file: str | None = None  # None: V2G_OCPP_PASSWORD of the environment, if it is set
    trust: str | None = None  # roots by which the CSMS is verified; None: those of the operating system
    certificate: str | None = None  # the station's chain for TLS
    key: str | None = None
    security_profile: typing.Literal[1, 2, 3] | None = None  # the least that is good enough; None: what the other keys give
    versions: tuple[Version, ...] = ("ocpp2.1", "ocpp2.0.1")  # in order of preference
    fallback: typing.Literal["local", "hold", "zero", "free"] = "local"  # how a car goes on whose charging profile has run out
    vehicle_status: typing.Literal["known", "demanded"] = "known"  # demanded: only a car whose certificates the CSMS calls good is served
    allow_downgrade: bool = False  # a CSMS may go back from security profile 3 to 2, never to 1
    additional_root_check: bool = False  # a CSMS root must be signed by the one that it replaces

    firmware: Firmware | None = None  # None: the CSMS installs none

    SHORT: typing.ClassVar[str] = "url"

    def __post_init__(self) -> None:
        if not self.url:
            raise ConfigError("url is missing, the address of the CSMS; give one such as wss://csms.example/ocpp")
        try:
            demand_address(self.url, "ws", "wss")
        except ValueError as error:
            raise ConfigError(f"url: {error}") from None
        if self.station_id is not None and (not 1 <= len(self.station_id) <= 48 or ":" in self.station_id):
            raise ConfigError(f"station_id is {self.station_id!r}; OCPP takes 1 to 48 characters without a colon")
        if (self.certificate is None) != (self.key is None):
            given, lacking = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ConfigError(f"{given} is given without {lacking}; a station shows both, or has a password")
        for name in ("trust", "certificate"):
            if getattr(self, name) is not None and not self.url.startswith("wss:"):
                raise ConfigError(f"{name} is for TLS, and url is {self.url}; give a wss:// address, or leave {name} out")
        if not self.versions or len(set(self.versions)) < len(self.versions):
            raise ConfigError("versions is empty or names one twice; give ocpp2.1, ocpp2.0.1 or both")
        self._demand_profile()

    def _demand_profile(self) -> None:
        """Raise ConfigError where the demanded security profile cannot be had by the other keys: nothing falls back in silence."""
        if self.security_profile in (2, 3) and not self.url.startswith("wss:"):
            raise ConfigError(f"security_profile {self.security_profile} needs TLS, and url is {self.url}; give a wss:// address")
        if self.security_profile == 3 and self.certificate is None:
            raise ConfigError("security_profile 3 needs the station's certificate; give certificate and key")
        if self.security_profile in (1, 2) and self.certificate is not None:
            raise ConfigError(f"security_profile is {self.security_profile} and certificate is given, which makes it 3; leave one out")
        if self.security_profile == 1 and self.url.startswith("wss:"):
            raise ConfigError("security_profile is 1 and url is wss://, which makes it 2; leave security_profile out")
