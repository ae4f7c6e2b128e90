"""The secrets of TLS connections, by the lines of a key log as browsers, OpenSSL and our own ends write it.

    CLIENT_RANDOM 52362c10... 9f97...                      TLS 1.2: the master secret
    SERVER_HANDSHAKE_TRAFFIC_SECRET 52362c10... 0b1d...    TLS 1.3, and three more labels

A line that is none of these is passed over, as everybody does who reads such logs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

MASTER: Final = "CLIENT_RANDOM"
HANDSHAKE: Final = ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET")  # the car's, the station's
TRAFFIC: Final = ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")
_LABELS: Final = frozenset({MASTER, *HANDSHAKE, *TRAFFIC})
_SIZES: Final = frozenset({32, 48})  # octets of a secret: those of SHA-256 and SHA-384
# Five lines for each connection of TLS 1.3: those of 40,000 sessions, while a capture of a day has as many as a site has cars.
MOST: Final = 200_000
# Octets of a file of keys that are read: so many lines of 170.
LARGEST: Final = 64 * 1024 * 1024
# Where a capture begins in mid-session, or lost records, the place of a record in its sequence is found by trying, 3 us each: a charge of
# three hours has 40,000 messages of either end. Beyond it a hostile file would only cost time.
TRIES: Final = 400_000


class KeyLog:
    """Secrets by label and the random of the ClientHello. `tries` is how many may still be made to find the place of a record."""

    def __init__(self) -> None:
        self.tries = TRIES
        self._secrets: dict[tuple[str, bytes], bytes] = {}

    def __len__(self) -> int:
        return len(self._secrets)

    def read(self, text: bytes) -> int:
        """Take the lines of a key log; returns how many secrets were among them. Beyond `MOST` nothing more is taken."""
        found = 0
        for line in text.splitlines():
            words = line.split()
            if len(words) != 3 or len(self._secrets) >= MOST:
                continue
            try:
                label, random, secret = (
                    words[0].decode("ascii"),
                    bytes.fromhex(words[1].decode("ascii")),
                    bytes.fromhex(words[2].decode("ascii")),
                )
            except ValueError:
                continue
            if label in _LABELS and len(random) == 32 and len(secret) in _SIZES:
                self._secrets[label, random] = secret
                found += 1
        return found

    def secret(self, label: str, random: bytes) -> bytes | None:
        """The secret of that label of the connection whose ClientHello has that random; None where nobody wrote it down."""
        return self._secrets.get((label, random))

    def traffic(self) -> Iterator[tuple[int, bytes, bytes]]:
        """The secrets of application data in TLS 1.3: whose (0 the car's, 1 the station's), the random, the secret."""
        for (label, random), secret in self._secrets.items():
            if label in TRAFFIC:
                yield TRAFFIC.index(label), random, secret


def key_log(path: Path) -> KeyLog:
    """The secrets in a file. Raises ValueError for a file that holds none, OSError where it cannot be read."""
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST} octets, which no key log needs; give the lines of this capture's connections")
    found = KeyLog()
    if not found.read(text):
        raise ValueError(
            f"{path} holds no secret of TLS: lines CLIENT_RANDOM, CLIENT_TRAFFIC_SECRET_0 and so on are wanted, as SSLKEYLOGFILE and "
            "`v2g secc --key-log` write them"
        )
    return found
