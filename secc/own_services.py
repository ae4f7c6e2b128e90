"""Value-added services of an owner's own, with their parameter sets, as cars of ISO 15118-2 are offered them."""

from dataclasses import dataclass, field
from typing import Final

USE_CASE: Final = 4  # the id of the standard for a use case of one's own
OWN_IDS: Final = range(60_000, 65_536)  # and those that are left to whoever offers a service
MOST: Final = 6  # beside Certificate and Internet: a list holds eight
NAME, SCOPE, TEXT, PARAMETERS = 32, 64, 100, 16  # characters of a name, a scope and a text, parameters of a set
SHORT, WHOLE = range(-(2**15), 2**15), range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One parameter set of a service: values by their names."""

    id: int
    parameters: dict[str, bool | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.id not in SHORT:
            raise ValueError(f"id is {self.id}; give a parameter set -32768 to 32767")
        if not 1 <= len(self.parameters) <= PARAMETERS:
            raise ValueError(f"parameters are {len(self.parameters)}; give 1 to {PARAMETERS}")
        for name, value in self.parameters.items():
            if not 1 <= len(name) <= TEXT or (isinstance(value, str) and len(value) > TEXT):
                raise ValueError(f"parameters.{name[:TEXT]} is too long; give names and texts of at most {TEXT} characters")
            if isinstance(value, int) and value not in WHOLE:
                raise ValueError(f"parameters.{name} is {value}; give a number of 32 bits")


@dataclass(frozen=True, slots=True)
class OwnService:
    """A value-added service of the owner's own: what it is and does is between owner and car; who takes it is told the backend."""

    id: int
    name: str
    scope: str = ""
    free: bool = True
    sets: tuple[ParameterSet, ...] = ()

    def __post_init__(self) -> None:
        if self.id != USE_CASE and self.id not in OWN_IDS:
            raise ValueError(f"id is {self.id}; give {USE_CASE} (use case) or {OWN_IDS[0]} to {OWN_IDS[-1]}")
        if not 1 <= len(self.name) <= NAME or len(self.scope) > SCOPE:
            raise ValueError(f"name is {self.name!r}, scope {self.scope!r}; give 1 to {NAME} and at most {SCOPE} characters")
        if len({one.id for one in self.sets}) < len(self.sets) or len(self.sets) > 255:
            raise ValueError(
                f"sets of {self.name!r} have the ids {', '.join(str(one.id) for one in self.sets)}; give each its own, at most 255"
            )
