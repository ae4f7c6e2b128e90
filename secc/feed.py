"""Who tells a station what its cars follow besides the CSMS: the table [feed] of its file."""

from dataclasses import dataclass

from v2g.settings.strict import ConfigError


@dataclass(frozen=True, slots=True)
class Feed:
    """A Unix socket on which it is told, or a broker (MQTT) that passes it on."""

    socket: str | None = None
    mode: str = "660"  # octal rights of the socket
    host: str | None = None
    port: int = 1883
    prefix: str = "v2gkit"  # topics are <prefix>/site/<type>
    username: str | None = None
    password_file: str | None = None  # its first line
    ca: str | None = None  # PEM; with it TLS is used

    def __post_init__(self) -> None:
        if (self.socket is None) == (self.host is None):
            raise ConfigError("give socket, the path of a Unix socket, or host, that of a broker; one of them")
        if not self.mode or set(self.mode) - set("01234567") or len(self.mode) > 4:
            raise ConfigError(f"mode is {self.mode!r}; give octal rights such as 660")
        if not 1 <= self.port <= 65_535:
            raise ConfigError(f"port is {self.port}; give 1 to 65535")
        if not self.prefix or set("+#") & set(self.prefix):
            raise ConfigError(f"prefix is {self.prefix!r}; give the beginning of a topic, without + and #")
        if self.password_file is not None and self.username is None:
            raise ConfigError("password_file is given without username; a broker wants both")
