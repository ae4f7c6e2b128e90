"""Where encoder families differ: what the dialects say, and the recorded output of the other family."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.v2g.exi.conftest import Count
from tests.v2g.exi.test_vectors import FILES, vectors
from v2g.exi.codec import DecodeError, EncodeError, decode, encode, encode_fragment, read, read_first
from v2g.exi.derive import least
from v2g.exi.dialect import CBEXIGEN, DIALECTS, SCHEMA
from v2g.messages import MODULES, acdp, common_messages, schema_set, wpt
from v2g.messages.iso2.msg_data_types import EMAIDType

pytestmark = pytest.mark.usefixtures("each_engine")
recorded = pytest.mark.skipif(not FILES, reason="no vectors beside the checkout (V2GKIT_SHARED)")


def recordings(name: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """The vectors of which the other family has made octets: (vector, "same" or "differs", octets)."""
    for vector in vectors(name):
        verdict, _, octets = vector.get("cbv2g", "").partition(": ")
        if verdict in ("same", "differs"):
            yield vector, verdict, octets or vector["exi"]


@recorded
@pytest.mark.parametrize("name", MODULES)
def test_every_recorded_octet_of_the_other_family(name: str, count: Count) -> None:
    """What it makes of the content; or, where it takes the octets for something else, what it makes of that."""
    ours, theirs, counts = schema_set(name, SCHEMA), schema_set(name, CBEXIGEN), Counter[str]()
    for vector, verdict, octets in recordings(name):
        fragment = vector["fragment"]
        message = read(bytes.fromhex(vector["exi"]), ours, fragment=fragment).message
        if verdict == "differs" and (name == "acdp" or vector["root"].startswith("WPT_FinePositioning")):
            message = read(bytes.fromhex(vector["exi"]), theirs, fragment=fragment, mode="interop").message
        made = encode_fragment(message, theirs, vector["root"]) if fragment else encode(message, theirs)
        assert made.hex() == octets, vector["id"]
        counts[verdict] += 1
    count("recorded differences of CBEXIGEN reproduced, by all engines together", name, counts["differs"])
    count("recorded equalities of CBEXIGEN reproduced, by all engines together", name, counts["same"])
    assert counts["same"]


@recorded
def test_every_recorded_difference_is_known_by_its_class() -> None:
    """A difference of a kind that no field of `Dialect` stands for would show up here as a new class."""
    classes = Counter(v["cbv2g_class"].partition(" (")[0] for name in MODULES for v, verdict, _ in recordings(name) if verdict == "differs")
    assert classes.keys() <= {"list-filled-to-maxOccurs", "document-element-order", "wpt-optional-after-list / minOccurs=2"}
    assert classes["list-filled-to-maxOccurs"]


@recorded
def test_decoding_finds_the_dialect_of_every_recorded_difference(count: Count) -> None:
    """Octets that are no message as the schema says, but one of the other family: `read_first` says so. Never the other way round."""
    found, both = 0, 0
    for name in MODULES:
        ours, theirs = (schema_set(name, d) for d in DIALECTS)
        for vector, _, octets in recordings(name):
            reading = read_first(bytes.fromhex(octets), [ours, theirs], fragment=vector["fragment"], mode="interop")
            if octets == vector["exi"]:
                assert not any("CBEXIGEN" in f.reason for f in reading.findings), vector["id"]
            elif any("but one of" in f.reason and "CBEXIGEN" in f.reason for f in reading.findings):
                assert reading.message == read(bytes.fromhex(octets), theirs, fragment=vector["fragment"], mode="interop").message
                found += 1
            else:
                both += 1
    count("recorded differences found to be CBEXIGEN when decoded", "all", found)
    assert found
    assert not both


ORDERS = [(SCHEMA, ["ConnectReq", "ConnectRes", "DisconnectReq"]), (CBEXIGEN, ["ConnectReq", "DisconnectReq", "ConnectRes"])]


@pytest.mark.parametrize(("dialect", "order"), ORDERS)
def test_document_order(dialect, order: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert [e.name.removeprefix("ACDP_") for e in schema_set("acdp", dialect).globals[:3]] == order


def test_a_full_list_ends_one_bit_later() -> None:
    chain = common_messages.SubCertificatesType(Certificate=(b"1", b"2", b"3"))
    contract = common_messages.ContractCertificateChainType(Certificate=b"0", SubCertificates=chain)
    signed = least(common_messages.PnC_AReqAuthorizationModeType, Id="id1", ContractCertificateChain=contract)
    ours, theirs = (encode_fragment(signed, schema_set("common", d)) for d in DIALECTS)
    assert ours != theirs
    assert read(theirs, schema_set("common", CBEXIGEN), fragment=True).message == signed
    with pytest.raises(DecodeError):
        read(theirs, schema_set("common"), fragment=True)


def test_an_optional_element_after_an_optional_list() -> None:
    theirs = schema_set("wpt", CBEXIGEN)
    package = wpt.WPT_LF_DataPackageListType(NumPackages=1, WPT_LF_DataPackage=least(wpt.WPT_LF_DataPackageType))
    for containers in range(4):
        request = least(wpt.WPT_FinePositioningReq, VendorSpecificDataContainer=(b"x",) * containers, WPT_LF_DataPackageList=package)
        if 0 < containers < 3:
            assert decode(encode(request, theirs), theirs) == request
        else:
            with pytest.raises(EncodeError, match="no place here"):
                encode(request, theirs)


def test_the_emaid_fragment() -> None:
    emaid = EMAIDType(Id="id4", value="DEABCC123ABC56")
    ours, theirs = (encode_fragment(emaid, schema_set("iso2", d), "eMAID") for d in DIALECTS)
    assert len(theirs) < len(ours)
    assert read(theirs, schema_set("iso2", CBEXIGEN), fragment=True).message == emaid


def test_amendment_1_was_merged_there() -> None:
    assert [len(schema_set(n, CBEXIGEN).names) for n in ("ac_der_iec", "ac_der_sae")] == [245, 353]


def test_decoding_tries_one_dialect_after_the_other() -> None:
    sets = [schema_set("acdp", d) for d in DIALECTS]
    response = least(acdp.ACDP_ConnectRes)
    for schemas in sets:
        reading = read_first(encode(response, schemas), sets)
        assert reading.message == response
        assert bool(reading.findings) == (schemas is sets[1])
    assert "CBEXIGEN" in reading.findings[0].reason
    with pytest.raises(DecodeError):
        read_first(b"\x80\xff", sets)


def test_the_dialects_agree_elsewhere() -> None:
    for name in ("common", "ac", "dc", "wpt", "ac_der_iec", "ac_der_sae", "app"):
        messages = [e for e in schema_set(name).globals if e.name.endswith(("Req", "Res"))]
        assert messages
        assert all(schema_set(name, CBEXIGEN).document_code(e.type) == schema_set(name).document_code(e.type) for e in messages)
    for name in ("iso2", "din"):
        codes = [[e.name for e in schema_set(name, d).globals].index("V2G_Message") for d in DIALECTS]
        assert codes[0] == codes[1]
