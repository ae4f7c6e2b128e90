"""What vtn.toml says: who may ask the laboratory's VTN, with which secret and role."""

from dataclasses import dataclass
from pathlib import Path

from v2g.settings import strict
from v2gkit.grid.openadr3.vtn import Client, Role

SECRET = 4_096  # octets of a file with a secret


@dataclass(frozen=True, slots=True)
class Declared:
    """A client; its secret stands in a file beside vtn.toml."""

    id: str
    secret_file: str
    role: Role


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients of a VTN."""

    client: tuple[Declared, ...] = ()

    def __post_init__(self) -> None:
        ids = [each.id for each in self.client]
        if not ids or len(set(ids)) < len(ids) or not all(ids):
            raise ValueError(f"client has the ids {ids}; give one or more, each another one, as [[client]]")


def read(path: Path) -> dict[str, Client]:
    """The clients of a file by their id. Raises ConfigError, which names file, key, value and cure; OSError."""
    found = strict.read(Clients, strict.text_of(path), path).client
    return {each.id: Client(each.id, _secret(path.parent / each.secret_file), each.role) for each in found}


def _secret(path: Path) -> str:
    text = strict.text_of(path, SECRET).strip()
    if len(text) < 8:
        raise strict.ConfigError(f"{path}: a secret of {len(text)} characters; give 8 or more")
    return text
