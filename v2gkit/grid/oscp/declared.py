"""What grid.toml says of a capacity provider."""

from dataclasses import dataclass

from v2gkit.grid.link import Promise


@dataclass(frozen=True, slots=True)
class Oscp:
    """A capacity provider of OSCP 2.0, whose flexibility provider we are for one group. Tokens stand in files."""

    name: str
    group: str  # group_id
    token_file: str  # with the token by which it registers here the first time
    keep: str | None = None  # file of tokens that were agreed upon; None: it has to register anew whenever we begin
    heartbeat: float = 30.0  # s between two heartbeats that we want
    ampere: float | None = None  # W that 1 A of a block stands for; None: blocks in A are refused
    measure: float | None = None  # s between two UpdateAssetMeasurements of the meters; None: none
    roots: str | None = None  # PEM; None: the system's
    timeout: float = 10.0  # s for one answer
    patience: float = 300.0  # s; at most: its heartbeats say when it is offline
    fallback_import: float | None = None  # W, beside the fallback that it forecasts
    fallback_export: float | None = None  # W

    def __post_init__(self) -> None:
        _ = self.promise
        if not (1 <= len(self.group) <= 128 and self.token_file):
            raise ValueError(f"{self.name}: give token_file and group, a group_id of up to 128 characters")
        if not (1 <= self.heartbeat <= 3_600 and 0.05 <= self.timeout <= 60):
            raise ValueError(f"{self.name}: heartbeat {self.heartbeat} s, timeout {self.timeout} s; give 1 to 3600 s, and 0.05 to 60 s")
        if self.measure is not None and not 1 <= self.measure <= 3_600:
            raise ValueError(f"{self.name}: measure is {self.measure} s; give 1 to 3600")
        if self.ampere is not None and not 1 <= self.ampere <= 1e6:
            raise ValueError(f"{self.name}: ampere is {self.ampere} W; give 230 for one phase, 690 for three")

    @property
    def promise(self) -> Promise:
        """What holds while the capacity provider is offline."""
        return Promise(self.patience, self.fallback_import, self.fallback_export)
