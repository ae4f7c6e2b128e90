"""The socket between a station's parent process and a worker: values of ours, whole and in order, never more waiting than is foreseen.

A value is one frame, a length and a pickle. Only values of this project and a few of Python can be read from it: a worker, which hears
strangers, has no way to make its parent run anything. A value that cannot be written or read costs itself, and no session.
"""

import asyncio
import io
import pickle
import socket
import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from v2g.legible import logger
from v2gkit.station.shards import said

log = logger("v2g.service")
# What the other side has not read yet. A loop of a car is 2 kB where it is watched, so 8 MiB are some ten seconds of a hundred cars; what
# only watches is left out beyond that. Whoever does not read twice as much has stopped.
PATIENT: Final = 8 << 20  # octets
MOST: Final = 2 * PATIENT
FRAME: Final = MOST + PATIENT  # octets of one value: beyond all that may wait
_LENGTH: Final = struct.Struct("<I")
OURS: Final = ("v2g.", "secc.", "pki.", "v2gkit.station.shards.said")
PLAIN: Final = frozenset(
    [
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("builtins", "complex"),
        ("pathlib", "PosixPath"),
        ("pathlib._local", "PosixPath"),
        ("zoneinfo", "ZoneInfo"),
        ("msgspec", "UnsetType"),
    ]
)
FUNCTIONS: Final = frozenset(  # each makes an object of a class
    [("v2g.session.errors", "remade"), ("msgspec._utils", "rebuild"), (said.__name__, said.certificate.__name__)]
)


class Foreign(pickle.UnpicklingError):
    """Something else than a value of ours was said."""


class _Reader(pickle.Unpickler):
    known: dict[tuple[str, str], Any] = {}  # noqa: RUF012 - one for all: what may be read does not change

    def find_class(self, module: str, name: str) -> Any:
        """A class of ours, or one of the few of Python."""
        where = module, name
        if (found := self.known.get(where)) is None:
            if not (module.startswith(OURS) or where in PLAIN | FUNCTIONS):
                raise Foreign(f"{module}.{name} is no value of ours")
            found = super().find_class(module, name)
            if where not in FUNCTIONS and not isinstance(found, type):
                raise Foreign(f"{module}.{name} is no class")
            self.known[where] = found
        return found


class _Reductions(dict[type, Callable[[Any], Any]]):
    """Ways to write a frozen dataclass by its fields: a fifth of the time that Python takes by itself."""

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        if issubclass(kind, x509.Certificate):
            self[kind] = lambda value: (said.certificate, (value.public_bytes(Encoding.DER),))
            return self[kind]
        declared: Any = kind
        if not is_dataclass(kind) or "__reduce__" in kind.__dict__ or not declared.__dataclass_params__.frozen:
            raise KeyError(kind)
        known = fields(declared)
        if not known or any(one.kw_only or not one.init for one in known):
            raise KeyError(kind)
        every = [attrgetter(one.name) for one in known]
        self[kind] = lambda value: (kind, tuple(get(value) for get in every))
        return self[kind]


_reductions: Final = _Reductions()


def written(value: Any) -> bytes:
    """The octets of a value."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.dispatch_table = _reductions
    pickler.dump(value)
    return buffer.getvalue()


def understood(octets: bytes) -> Any:
    """The value of such octets. Raises Foreign, or what a class of ours raises for values that it does not take."""
    return _Reader(io.BytesIO(octets)).load()


class Channel(asyncio.Protocol):
    """One end. `hear` is called with each value; `gone` is set once the other end is no more, or has not read for long."""

    def __init__(self, hear: Callable[[Any], None]):
        self._hear = hear
        self.gone = asyncio.Event()
        self.why = ""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._said: list[Any] = []
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def over(cls, connected: socket.socket, hear: Callable[[Any], None]) -> "Channel":
        """The end of a connected pair of sockets."""
        connected.setblocking(False)
        _, channel = await asyncio.get_running_loop().create_unix_connection(lambda: cls(hear), sock=connected)
        return channel

    @property
    def behind(self) -> bool:
        """Whether the other side is so late that what only watches is to be left out."""
        return self._transport is None or self._transport.get_write_buffer_size() > PATIENT

    def say(self, value: Any) -> None:
        """Say a value, with all others of this turn. Must be called on the loop."""
        if not self._said and not self.gone.is_set():
            self._loop.call_soon(self.flush)
        self._said.append(value)

    def flush(self) -> None:
        """Hand over what was said to the system."""
        waiting, self._said = self._said, []
        if not waiting or self._transport is None or self.gone.is_set():
            return
        frames = bytearray()
        for value in waiting:
            try:
                octets = written(value)
            except Exception:
                log.exception("%s cannot be told to the other process of this station", type(value).__name__)
                continue
            frames += _LENGTH.pack(len(octets)) + octets
        self._transport.write(bytes(frames))
        if self._transport.get_write_buffer_size() > MOST:
            self.why = f"it has not read {MOST >> 20} MiB"
            self._transport.abort()

    async def close(self) -> None:
        """Hand everything over, and close."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
        await self.gone.wait()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by the loop. Whatever a hearer raises costs what was heard, and nothing else."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME:
                self.why = f"it said something of {length} octets; {FRAME} are understood"
                if self._transport is not None:
                    self._transport.abort()
                return
            if len(self._buffer) < _LENGTH.size + length:
                return
            octets = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
            del self._buffer[: _LENGTH.size + length]
            self._understand(octets)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop."""
        self.why = self.why or (str(error) if error else "")
        self.gone.set()

    def _understand(self, octets: bytes) -> None:
        try:
            self._hear(understood(octets))
        except Exception:
            log.exception("something that was said between the processes of this station is lost")
