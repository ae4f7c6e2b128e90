"""The laboratory CSMS by itself: verdicts on contracts, the command line, the commands on standard input."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.model.contract import hash_data
from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from secc.station import AuthorizationRefused, Authorized
from tests.ocpp_bridge.ocpp_stand import stand
from v2g.reasons import Reason
from v2gkit.authorities.broken_form import other_half
from v2gkit.authorities.office import Office
from v2gkit.cli.main import main
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.server import HANDLERS, Csms
from v2gkit.csms.stations import Station
from v2gkit.csms.steering import Strategy

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return create(tmp_path_factory.mktemp("csms"), [build(Plan(), "secp521r1", datetime.now(UTC))])


def hashes_of(chain, root) -> list[dict]:
    return [hash_data(c, issuer, "http://ocsp.example") for c, issuer in zip(chain, [*chain[1:], root], strict=True)]


def test_contracts_are_judged_by_the_chain_or_by_their_hashes(store):
    pki, chain = LabPki.of(store), store.contract.chain
    text = "".join(c.public_bytes(Encoding.PEM).decode() for c in chain)
    assert pki.judged({"certificate": text}) == "Accepted"
    assert pki.judged({"certificate": text[: len(text) // 2]}) == "CertChainError"
    foreign = build(Plan(), "secp521r1", datetime.now(UTC))[Role.CONTRACT].chain
    assert pki.judged({"certificate": "".join(c.public_bytes(Encoding.PEM).decode() for c in foreign)}) == "CertChainError"
    old = build(Plan(), "secp521r1", datetime.now(UTC) - timedelta(days=20_000))
    assert pki.judged({"certificate": "".join(c.public_bytes(Encoding.PEM).decode() for c in old[Role.CONTRACT].chain)}) != "Accepted"
    data = hashes_of(chain, store.anchors.mo[0])
    assert pki.judged({"iso15118CertificateHashData": data}) == "Accepted"
    assert pki.judged({"iso15118CertificateHashData": [data[0] | {"issuerKeyHash": "00"}]}) == "CertChainError"
    assert pki.judged({"iso15118CertificateHashData": [data[0] | {"serialNumber": "xyz"}]}) == "CertChainError"


def test_a_contract_that_was_revoked_is_refused_in_a_session(store, tmp_path):
    made = create(tmp_path / "certs", [build(Plan(), "secp521r1", datetime.now(UTC))])
    Office(made).revoke(made.contract.leaf, datetime.now(UTC))
    data = hashes_of(made.contract.chain, made.anchors.mo[0])
    assert LabPki.of(made).judged({"iso15118CertificateHashData": data}) == "CertificateRevoked"
    for chain in (made.contract.chain, [x509.load_der_x509_certificate(other_half(made.contract.leaf)), *made.contract.chain[1:]]):
        text = "".join(c.public_bytes(Encoding.PEM).decode() for c in chain)
        assert LabPki.of(made).judged({"certificate": text}) == "CertificateRevoked"

    async def scene():
        chain = tuple(c.public_bytes(Encoding.DER) for c in store.contract.chain)
        for known, fact in ((store, Authorized), (made, AuthorizationRefused)):
            async with stand(Csms(Strategy("none"), pki=LabPki.of(known))) as s:
                s.arrive()
                s.pnc(chain, store.contract.common_name)
                verdict = await s.fact(fact)
                assert "certificate" in s.frames.calls("Authorize")[0]
        assert verdict.kind is Reason.WRONG_CERTIFICATE

    asyncio.run(asyncio.wait_for(scene(), 300))


SPELLINGS = ["DEV2GC00000001G", "DE-V2G-C00000001-G", "dev2gc00000001g", "DEV2GC00000001", "DE*V2G*C00000001"]


@pytest.mark.parametrize("by", ["certificate", "hashes"])
@pytest.mark.parametrize("token", [*SPELLINGS, "FRXXXC99999999A", "DEV2GC00000002D", "*", ""])
def test_a_blocked_account_is_blocked_however_it_is_spelt(store, token, by):
    chain = store.contract.chain
    proof = {"certificate": "".join(c.public_bytes(Encoding.PEM).decode() for c in chain)}
    if by == "hashes":
        proof = {"iso15118CertificateHashData": hashes_of(chain, store.anchors.mo[0])}
    for blocked in ("DEV2GC00000001G", "de-v2g-c00000001"):
        csms = Csms(Strategy("none"), pki=LabPki.of(store), blocked=frozenset({blocked}))
        answer = HANDLERS["Authorize"](csms, Station("CS-1"), {"idToken": {"idToken": token, "type": "eMAID"}} | proof)
        assert (answer["idTokenInfo"]["status"], answer["certificateStatus"]) == ("Blocked", "ContractCancelled")
    answer = HANDLERS["Authorize"](Csms(pki=LabPki.of(store)), Station("CS-1"), {"idToken": {"idToken": token, "type": "eMAID"}} | proof)
    assert answer["idTokenInfo"]["status"] == (
        "Accepted" if token in SPELLINGS else "Invalid"
    )  # the token is the certificate's, or nobody's


@pytest.mark.parametrize(
    ("kind", "token", "status"),
    [("eMAID", "de-v2g-c00000001-g", "Blocked"), ("ISO14443", "04ab-cd", "Blocked"), ("ISO14443", "04ABCD", "Accepted")],
)
def test_a_token_without_certificate_is_blocked_in_any_case(kind, token, status):
    csms = Csms(blocked=frozenset({"DEV2GC00000001G", "04AB-CD"}))
    told = {"idToken": token, "type": kind}
    assert HANDLERS["Authorize"](csms, Station("CS-1"), {"idToken": told})["idTokenInfo"]["status"] == status
    event = {"eventType": "Started", "triggerReason": "Authorized", "seqNo": 0, "transactionInfo": {"transactionId": "t"}, "idToken": told}
    assert HANDLERS["TransactionEvent"](csms, Station("CS-1"), event)["idTokenInfo"]["status"] == status


def test_the_evse_of_a_transaction_is_unknown_until_it_is_said():
    csms, station = Csms(), Station("CS-1")
    event = {"eventType": "Started", "triggerReason": "CablePluggedIn", "seqNo": 0, "transactionInfo": {"transactionId": "t"}}
    HANDLERS["TransactionEvent"](csms, station, event)
    assert station.transactions["t"].evse is None
    assert station.running(3) is station.transactions["t"]
    HANDLERS["TransactionEvent"](csms, station, event | {"eventType": "Updated", "seqNo": 1, "evse": {"id": 3, "connectorId": 2}})
    HANDLERS["TransactionEvent"](csms, station, event | {"eventType": "Updated", "seqNo": 2})
    assert station.transactions["t"].evse == 3
    assert station.running(1) is None


def test_commands_on_standard_input_reach_the_stations():
    async def scene():
        command = [sys.executable, "-m", "v2gkit", "csms", "--port", "0", "--json", "--stdin", "--strategy", "none"]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
        heard: list[dict] = []

        async def line(true) -> dict:
            while True:
                said = json.loads(await asyncio.wait_for(process.stdout.readline(), 300))
                heard.append(said)
                if true(said):
                    return said

        async def say(text: str, true=lambda said: "topic" not in said) -> dict:
            process.stdin.write(text.encode() + b"\n")
            return await line(true)

        port = (await line(lambda said: said.get("topic") == "listening"))["port"]
        async with stand(port=port) as s:
            await line(lambda said: said.get("topic") == "status")
            s.arrive()
            await line(lambda said: said.get("topic") == "transaction")
            found = (await say("stations"))["CS-1"]
            assert found["connected"]
            assert len(found["transactions"]) == 1
            assert (await say("start CS-1 1 APP"))["status"] == "Accepted"
            assert (await say('call CS-1 GetVariables {"getVariableData": []}'))["error"].startswith("GetVariablesRequest.getVariableData")
            assert (await say("call CS-1 ClearCache")) == {"status": "Accepted"}
            assert "no car" in (await say("setpoint CS-1 5000"))["error"]
            assert "was seen" in (await say("stop NOBODY"))["error"]
            assert "no command" in (await say("dance"))["error"]
            assert (await say("stop CS-1"))["status"] == "Accepted"
            assert {entry["topic"] for entry in heard if "topic" in entry} >= {"connected", "boot", "status", "transaction"}
        process.stdin.write(b"quit\n")
        assert await asyncio.wait_for(process.wait(), 300) == 0

    asyncio.run(asyncio.wait_for(scene(), 300))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--prices", "nowhere.csv"], "nowhere.csv"),
        (["--key", "x"], "--cert"),
        (["--cert", "nowhere.pem"], "nowhere.pem: there is no such file"),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_ends_with_2(arguments, reason, capsys):
    assert main(["csms", "--port", "0", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_a_port_in_use_is_said():
    async def scene() -> str:
        server = await Csms().serve()
        port = next(iter(server.sockets)).getsockname()[1]
        command = [sys.executable, "-m", "v2gkit", "csms", "--port", str(port)]
        done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        server.close()
        assert done.returncode == 2
        return done.stderr

    assert "in use" in asyncio.run(scene())
