"""Signed meter values (OCMF): read and verified by the package `pyocmf` (extra `ocmf`), hashed for the books.

A record comes from a charger's trace or a CSMS: its length is bounded before anything reads it, and whatever it holds gives a value or
one ValueError.
"""

import hashlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from v2g.energy.ledger.rows import Reading
from v2g.legible import legible

MOST_OCTETS: Final = 32_768  # of a record: what signedMeterData of OCPP 2.1 carries
MOST_KEY: Final = 2_500  # octets of a public key in hex: as publicKey of OCPP 2.1
MOST_READINGS: Final = 64  # of a record: two registers for each of some dozen tariff changes
MOST_WH: Final = 1e12  # Wh; a thousand gigawatt hours is more than any meter of an outlet counts
INTO_WH: Final = {"kWh": 1_000.0, "Wh": 1.0}


@dataclass(frozen=True, slots=True)
class SignedValue:
    """A record that could be read: who measured what, whether its signature holds, and for which key."""

    digest: str  # SHA-256 of the record as it came
    meter: str
    readings: tuple[Reading, ...]  # Wh, in the order of time; a register that is not there is 0
    registers: tuple[str, ...]  # which there are: import, export
    verified: bool  # the signature is that of `key`
    key: str  # SHA-256 of the public key, empty: none was given
    trusted: bool  # the key was given by whoever judges, not by the record's bearer
    problems: tuple[str, ...]  # what speaks against billing by it (Eichrecht), in words; empty: nothing


def read(record: bytes, key: bytes = b"", *, trusted: bool = False) -> SignedValue:
    """The value of an OCMF record and whether the key (DER, SubjectPublicKeyInfo) proves it.

    Without a key nothing is verified. ValueError for what is no OCMF record; ImportError where the extra `ocmf` is missing.
    """
    from pyocmf import OCMF, PyOCMFError

    if len(record) > MOST_OCTETS or len(key) > MOST_KEY:
        raise ValueError(
            f"a signed meter value has {len(record)} octets, its key {len(key)}; at most {MOST_OCTETS} and {MOST_KEY} are read"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deviations that every reader puts up with; `problems` names those that matter
            parsed = OCMF.from_string(record.decode("utf-8"))
            problems = tuple(legible(str(issue)) for issue in parsed.check_eichrecht())
            verified = bool(key) and bool(parsed.verify_signature(key.hex()))
    except (PyOCMFError, UnicodeDecodeError, RecursionError, ArithmeticError, ValueError) as error:
        raise ValueError(f"no OCMF record: {legible(str(error)).splitlines()[0][:200]}") from None
    rows = list(_rows(parsed.payload))
    readings = {at: Reading(at, 0.0, 0.0) for at, *_ in rows}
    for at, way, energy in rows:
        one = readings[at]
        readings[at] = Reading(at, energy, one.exported) if way == "import" else Reading(at, one.imported, energy)
    return SignedValue(
        hashlib.sha256(record).hexdigest(),
        legible(str(parsed.payload.MS or parsed.payload.GS or "")),
        tuple(readings[at] for at in sorted(readings)),
        tuple(sorted({way for _, way, _ in rows})),
        verified,
        hashlib.sha256(key).hexdigest() if key else "",
        trusted and bool(key),
        problems,
    )


def _rows(payload: Any) -> Iterator[tuple[float, str, float]]:
    """Time (epoch s), register and Wh of each reading of energy; ValueError for what no meter counts."""
    from pyocmf import get_obis_info

    if len(payload.RD) > MOST_READINGS:
        raise ValueError(f"no OCMF record: it has {len(payload.RD)} readings; at most {MOST_READINGS} are read")
    for one in payload.RD:
        about = get_obis_info(str(one.RI)) if one.RI else None
        unit = INTO_WH.get(str(getattr(one.RU, "value", one.RU)))
        if about is None or str(about.category) not in ("import", "export") or unit is None or one.RV is None:
            continue
        energy = float(one.RV) * unit
        if not (math.isfinite(energy) and 0 <= energy <= MOST_WH):
            raise ValueError(f"no OCMF record: a register shows {energy} Wh; 0 to {MOST_WH:g} are read")
        yield one.TM.timestamp.timestamp(), str(about.category), energy
