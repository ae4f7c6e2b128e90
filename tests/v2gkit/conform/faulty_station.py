"""Our station with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_station FAULT secc ...`.

A fault has the id of the case that finds it.
"""

import sys

from tests.v2gkit.conform.faulty_chains import CHAINS
from tests.v2gkit.conform.faulty_link import LINK
from tests.v2gkit.conform.faulty_ocpp import OCPP
from tests.v2gkit.conform.faulty_power import POWER
from tests.v2gkit.conform.faulty_services import SERVICE
from tests.v2gkit.conform.faulty_setup import SETUP
from tests.v2gkit.conform.faulty_trust import TRUST
from tests.v2gkit.conform.seeding import Seed
from v2gkit.cli.main import main

FAULTS: dict[str, Seed] = {
    **SETUP,
    **SERVICE,
    **POWER,
    **LINK,
    **TRUST,
    **CHAINS,
    **{f"S-OCP-{number:02}": seed for number, seed in OCPP.items()},
}
PLACES = {  # fault -> the setting of the station that has it, where that is not the usual one
    **dict.fromkeys(("S-AUS-02", "S-AUT-04", "S-CIN-08", "S-STP-06"), "no contracts"),
    **dict.fromkeys(("S-AUT-02", "S-AUT-05"), "nobody decides"),
    "S-AUT-03": "nobody may",
    **dict.fromkeys(("S-CPD-01", "S-LOP-01"), "alternating current"),
    "S-CPD-06": "megawatts",
    **dict.fromkeys(("S-MTR-01", "S-MTR-02", "S-MTR-03"), "readings are confirmed"),
    **dict.fromkeys(("S-SAP-02", "S-TLS-07"), "both generations"),
    "S-SCH-09": "prices",
    **dict.fromkeys(("S-SEL-04", "S-SEL-05"), "value added"),
    "S-CIN-04": "cars that are known",
    "S-TLS-16": "a vehicle is revoked",
    **dict.fromkeys(("S-DCS-02", "S-LOP-14", "S-PWD-02", "S-SDP-12", "S-STP-03"), "driven"),
    "S-TLS-13": "a status for each certificate",
    "S-TLS-14": "a status",
    "S-TLS-06": "certificates on Ed448",
    "S-TLS-12": "two roots",
    **dict.fromkeys((f"S-SDP-{number:02}" for number in (*range(1, 12), 13)), "on a link"),
    **dict.fromkeys((f"S-OCP-{number:02}" for number in OCPP), "at a CSMS"),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
