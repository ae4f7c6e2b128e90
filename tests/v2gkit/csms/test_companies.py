"""The companies whose VAT numbers a CSMS knows, from their file to its answer."""

from pathlib import Path

import pytest

from ocpp_bridge.wire.schemas import check
from v2gkit.csms.hearing import HANDLERS
from v2gkit.csms.server import Csms
from v2gkit.csms.setup import companies_of
from v2gkit.csms.stations import Station

ACME = '["NL 123.456-789 B01"]\nname = "Acme"\naddress1 = "Road 1"\ncity = "Delft"\ncountry = "Netherlands"\npostal_code = "2611"\n'


def test_a_number_of_the_file_is_good_however_it_is_spelt(tmp_path: Path) -> None:
    file = tmp_path / "companies.toml"
    file.write_text(ACME)
    csms = Csms(companies=companies_of(file))
    for number, status in (("nl123456789b01", "Accepted"), ("NL123456789B02", "Rejected")):
        answer = HANDLERS["VatNumberValidation"](csms, Station("CS-1"), {"vatNumber": number, "evseId": 2})
        check("ocpp2.1", "VatNumberValidation", "Response", answer)
        assert (answer["status"], answer["vatNumber"], answer["evseId"]) == (status, number, 2)
        assert answer.get("company", {}).get("postalCode") == ("2611" if status == "Accepted" else None)
    assert companies_of(None) == {}


@pytest.mark.parametrize("text", ["x", '[NL1]\nname = "Acme"\n', ACME + "more = 1\n", ACME.replace("Acme", "a" * 51)])
def test_a_file_that_cannot_be_meant_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "companies.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match="--companies"):
        companies_of(file)
