"""Signed meter readings in the Open Charge Metering Format (OCMF 1.0), as a meter writes them: `OCMF|payload|signature` (pure).

The payload is JSON with the registers, the signature ECDSA over P-256 and SHA-256 of the payload's octets, in hex of its DER. Registers
have the OBIS codes 1-b:1.8.0 (into the car) and 1-b:2.8.0 (out of it), in kWh with a thousandth: whole Wh.
"""

import json
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from secc.station import MeterReading, SignedReading

METHOD: Final = "ECDSA-secp256r1-SHA256"
REGISTERS: Final = (("1-b:1.8.0", "imported"), ("1-b:2.8.0", "exported"))


def signed(reading: MeterReading, key: ec.EllipticCurvePrivateKey, number: int, phase: str = "C") -> SignedReading:
    """A reading signed with the key (secp256r1) of its meter; `number` counts its records, `phase` is B, C or E: begin, current, end."""
    moment = datetime.fromtimestamp(reading.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "").replace(".", ",")
    common = {"TM": f"{moment}+0000 S", "TX": phase, "RU": "kWh", "EF": "", "ST": "G"}
    payload = {
        "FV": "1.0",
        "GI": "v2gkit",
        "GS": reading.meter_id,
        "PG": f"T{number}",
        "MV": "v2gkit",
        "MM": "simulated",
        "MS": reading.meter_id,
        "IS": False,
        "IF": [],
        "IT": "NONE",
        "ID": "",
        "RD": [common | {"RV": round(getattr(reading, name) / 1000.0, 3), "RI": code} for code, name in REGISTERS],
    }
    text = json.dumps(payload, separators=(",", ":"))
    signature = json.dumps({"SA": METHOD, "SD": key.sign(text.encode(), ec.ECDSA(hashes.SHA256())).hex().upper()}, separators=(",", ":"))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SignedReading(f"OCMF|{text}|{signature}".encode(), public, method=METHOD)
