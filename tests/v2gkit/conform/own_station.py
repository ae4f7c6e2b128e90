"""`v2g conform station` against our own station with eight outlets: `python -m tests.v2gkit.conform.own_station 20|2 PKI OUT [OPTION]...`.

A station that is late, because the machine gives it no processor, fails cases of time: they count for what they are, and no run is hidden.
"""

import sys
import tempfile
from pathlib import Path

from tests.v2gkit.conform.stations import OFFER, OFFER2, PICS, PICS2, station
from v2g.session.link import address_text
from v2gkit.cli.main import main

OUTLETS = 8

if __name__ == "__main__":
    generation, pki, out, *more = sys.argv[1:]
    offer, pics = {"20": (OFFER, PICS), "2": (OFFER2, PICS2)}[generation]
    with tempfile.TemporaryDirectory() as folder, station(Path(folder), Path(pki).resolve(), offer, outlets=OUTLETS) as outlets:
        places = [address_text(each) for each in outlets]
        judged = ["--generation", generation, "--pki", pki, "--pics", str(pics), "--out", out]
        sys.exit(main(["conform", "station", *places, *judged, *more]))
