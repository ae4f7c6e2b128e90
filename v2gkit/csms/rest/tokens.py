"""Who may read and who may operate: bearer tokens, of which a file keeps the digests.

A line of the file is `NAME ROLE SHA256`, in hex. A token has 256 bits of chance, so its digest needs neither salt nor slowness.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from v2gkit.csms.rest.declared import ROLES, Role
from v2gkit.private import open_private

LINE: Final = re.compile(r"(\S{1,48}) (read|operate) ([0-9a-f]{64})")
LONGEST: Final = 1 << 16  # octets of a file of tokens: 500 of them


@dataclass(frozen=True, slots=True)
class Bearer:
    """Somebody who came with a token."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether what wants this role is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Tokens:
    """The tokens that open, by their digests."""

    def __init__(self, known: Mapping[str, Bearer]):
        self._known = dict(known)

    def bearer(self, token: str) -> Bearer | None:
        """Whose token this is; None: nobody's. Every digest is compared, whichever fits."""
        digest, found = _digest(token), None
        for known, bearer in self._known.items():
            if hmac.compare_digest(known, digest):
                found = bearer
        return found


def fresh() -> tuple[Tokens, dict[Role, str]]:
    """New tokens, one of each role, with their text: it is nowhere else."""
    texts: dict[Role, str] = {role: secrets.token_urlsafe(32) for role in ROLES}
    return Tokens({_digest(text): Bearer(role, role) for role, text in texts.items()}), texts


def read(path: Path) -> Tokens:
    """The tokens of a file. Raises ValueError for a line that is none."""
    with path.open("rb") as file:
        octets = file.read(LONGEST + 1)
    if len(octets) > LONGEST:
        raise ValueError(f"--tokens {path}: more than {LONGEST} octets; {LONGEST // 128} tokens are enough")
    known = {}
    for number, line in enumerate(octets.decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if (said := LINE.fullmatch(line.strip())) is None:
            raise ValueError(f"--tokens {path}, line {number}: not NAME read|operate SHA256; remove the file, and a new one is made")
        known[said[3]] = Bearer(said[1], cast(Role, said[2]))
    if not known:
        raise ValueError(f"--tokens {path}: no token in it; remove the file, and a new one is made")
    return Tokens(known)


def made(path: Path) -> tuple[Tokens, dict[Role, str]]:
    """The tokens of a file that is not there yet, with their text, which the file does not hold."""
    tokens, texts = fresh()
    lines = "".join(f"{role} {role} {_digest(text)}\n" for role, text in texts.items())
    with open(open_private(path), "w", encoding="utf-8") as file:
        file.write(lines)
    return tokens, texts


def _digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()
