"""EXI decode and encode of every engine, beside msgspec's JSON of the same content."""

import subprocess
import sys
import timeit
from collections.abc import Callable
from typing import Any

import msgspec

from bench import _messages as messages
from v2g.exi import engine
from v2g.exi.codec import decode, encode
from v2g.exi.schema import Type, fields
from v2g.messages import schema_set

SECONDS = 0.25  # of one measurement, in many short rounds; the best counts, since everything else is the noise of the machine
ROUNDS = 40
THREE_KILOBYTES = 3000

# goal: engine, message or every message, what is measured, at most
RATIO_GOALS = [
    ("compiled", "DC_ChargeLoopReq", "decode", 2.0),
    ("compiled", "DC_ChargeLoopRes", "decode", 2.0),
    ("compiled", "DC_ChargeLoopReq", "encode", 3.0),
    ("compiled", "DC_ChargeLoopRes", "encode", 3.0),
    ("straight", "DC_ChargeLoopReq", "decode", 20.0),
    ("straight", "DC_ChargeLoopRes", "decode", 20.0),
]  # of msgspec's JSON decode
BULK_GOALS = [("compiled", 6.0), ("straight", 60.0)]  # us for 3 kB of AuthorizationReq or CertificateInstallationRes
BULK = ("AuthorizationReq", "CertificateInstallationRes")
START_GOAL = 120.0  # ms for the import of the codec and the first DC message
MEMORY_GOAL = 30.0  # MiB resident in a process that only decodes

FIRST = """
import time; begin = time.perf_counter()
from v2g.exi.codec import decode
from v2g.messages import schema_set
decode(bytes.fromhex({octets!r}), schema_set("dc"))
taken = time.perf_counter() - begin
print(taken * 1e3, [l for l in open("/proc/self/status") if l.startswith("VmRSS")][0].split()[1])
"""


def run() -> None:
    """Print the table and the goals."""
    usual, measured = engine.used(), {}
    print(f"{'':28} {'octets':>15} {'JSON, us':>15}" + "".join(f" {f'{name}, us':>27}" for name in engine.names()))
    print(f"{'message':28} {'EXI':>7} {'JSON':>7} {'decode':>7} {'encode':>7}" + f" {'decode':>13} {'encode':>13}" * len(engine.names()))
    for message, name in messages.SAMPLES:
        measured[type(message).__name__] = row = _measured(message, name)
        times = [row[f"{each} {what}"] for each in engine.names() for what in ("decode", "encode")]
        figures = "".join(f" {t:6.1f} {t / row['JSON decode']:5.1f}x" for t in times)
        size = f"{row['octets']:7.0f} {row['JSON octets']:7.0f}"
        print(f"{type(message).__name__:28} {size} {row['JSON decode']:7.2f} {row['JSON encode']:7.2f}{figures}")
    engine.use(usual)
    print("x: times msgspec's JSON decode into structs of the same content")
    _goals(measured)


def _measured(message: Type, name: str) -> dict[str, float]:
    """Microseconds of each way, and the sizes."""
    schemas = schema_set(name)
    octets, text = encode(message, schemas), msgspec.json.encode(message)
    decoder = msgspec.json.Decoder(_mirror(message))
    row = {
        "octets": len(octets),
        "JSON octets": len(text),
        "JSON decode": _time(lambda: decoder.decode(text)),
        "JSON encode": _time(lambda: msgspec.json.encode(message)),
    }
    for each in engine.names():
        engine.use(each)
        assert decode(octets, schemas) == message
        assert encode(message, schemas) == octets
        row[f"{each} decode"] = _time(lambda: decode(octets, schemas))
        row[f"{each} encode"] = _time(lambda: encode(message, schemas))
    return row


def _time(action: Callable[[], Any]) -> float:
    """Microseconds of one call, at best."""
    timer = timeit.Timer(action)
    number = max(1, int(SECONDS / ROUNDS / max(timer.timeit(3) / 3, 1e-7)))
    return min(timer.repeat(ROUNDS, number)) / number * 1e6


def _mirror(message: Type) -> type[msgspec.Struct]:
    """Structs that say in types what the message says in values: msgspec cannot tell the members of a substitution group apart."""
    found: dict[type[Type], dict[str, set[Any]]] = {}
    _collect(message, found)
    made: dict[type[Type], type[msgspec.Struct]] = {}

    def struct(cls: type[Type]) -> type[msgspec.Struct]:
        if cls not in made:
            made[cls] = msgspec.defstruct(
                cls.__name__, [_member(f, found[cls][f.name], struct) for f in fields(cls)], kw_only=True, frozen=True, gc=False
            )
        return made[cls]

    return struct(type(message))


def _member(field: Any, kinds: set[Any], struct: Callable[[type[Type]], Any]) -> Any:
    types = [struct(k) if issubclass(k, Type) else k for k in kinds]
    kind: Any = types[0] if types else None
    if field.repeated:
        return field.name, (tuple[kind, ...] if types else tuple[()]), ()
    return (field.name, kind) if field.minimum else (field.name, kind | None if types else None, None)


def _collect(message: Type, found: dict[type[Type], dict[str, set[Any]]]) -> None:
    kinds = found.setdefault(type(message), {f.name: set() for f in fields(type(message))})
    for field in fields(type(message)):
        value = getattr(message, field.name)
        for item in value if field.repeated else (value,):
            if item is not None:
                kinds[field.name].add(type(item))
            if isinstance(item, Type):
                _collect(item, found)


def _goals(measured: dict[str, dict[str, float]]) -> None:
    there = engine.names()
    for each, name, what, limit in RATIO_GOALS:
        if each in there:
            _goal(f"{each} {what} of {name}", measured[name][f"{each} {what}"] / measured[name]["JSON decode"], limit, "x")
    for each, limit in BULK_GOALS:
        for name in BULK if each in there else ():
            row = measured[name]
            _goal(f"{each} decode of {name}, for 3 kB", row[f"{each} decode"] * THREE_KILOBYTES / row["octets"], limit, " us")
    octets = encode(messages.DC_CHARGE_LOOP_REQ, schema_set("dc")).hex()
    started = [
        subprocess.run([sys.executable, "-c", FIRST.format(octets=octets)], check=True, capture_output=True, text=True) for _ in range(5)
    ]
    taken, resident = (min(float(s.stdout.split()[i]) for s in started) for i in (0, 1))
    _goal("import and first DC message", taken, START_GOAL, " ms")
    _goal("resident memory then", resident / 1024, MEMORY_GOAL, " MiB")
    if "compiled" not in there:
        print("the compiled walk was not built: no C compiler, or no Cython")


def _goal(what: str, found: float, limit: float, unit: str) -> None:
    print(f"{'met   ' if found <= limit else 'MISSED'} {what}: {found:.1f}{unit} of at most {limit:g}{unit}")
