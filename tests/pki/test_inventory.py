"""Directories that cannot work, as people make them: what is said of each, by the doctor and by the command that would stumble."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki.inventory import Side, lacking
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import INTEROP, ISO20, Anchor, Role
from pki.store import Store, create
from v2gkit.authorities.broken import VARIANTS, Bench
from v2gkit.cli.main import main
from v2gkit.cli.stock import said_at_start
from v2gkit.lab import doctor
from v2gkit.station.stock import sides

NOW = datetime.now(UTC)
BUILT = build(Plan(responders=False), "secp521r1", NOW)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("sound") / "certs", [BUILT]).path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    return copytree(sound, tmp_path / "certs")


def pem(*certificates: x509.Certificate | bytes) -> bytes:
    der = (one if isinstance(one, bytes) else one.public_bytes(Encoding.DER) for one in certificates)
    return b"".join(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(one) + b"-----END CERTIFICATE-----\n" for one in der)


def chain_of(role: Role) -> str:
    name = "DEV2GC00000001G-secp521r1" if role is Role.CONTRACT else "secp521r1"
    return f"{role.value}/{name}.chain.pem"


def key_of(role: Role) -> str:
    return chain_of(role).replace(".chain.", ".key.")


Spoil = Callable[[Path], None]


def emptied(name: str) -> Spoil:
    return lambda path: (path / name).write_bytes(b"") and None


def removed(*names: str) -> Spoil:
    def spoil(path: Path) -> None:
        for name in names:
            rmtree(path / name) if (path / name).is_dir() else (path / name).unlink()

    return spoil


def written(name: str, content: Callable[[], bytes]) -> Spoil:
    return lambda path: (path / name).write_bytes(content()) and None


def picked(role: Role, *picks: int) -> Spoil:
    """The chain file of a role with these of its certificates; 3 is the root."""
    held = (*BUILT[role].chain, BUILT[role].root)
    return written(chain_of(role), lambda: pem(*(held[pick] for pick in picks)))


def encrypted(role: Role) -> Spoil:
    return written(key_of(role), lambda: BUILT[role].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))


def broken(role: Role, name: str) -> Spoil:
    variant = next(one for one in VARIANTS if one.name == name)
    return written(chain_of(role), lambda: pem(*variant.chain(Bench(BUILT, role, NOW))))


def of_another_curve(role: Role) -> Spoil:
    def spoil(path: Path) -> None:
        (path / chain_of(role)).unlink()
        (path / key_of(role)).unlink()
        _keep(path, build(Plan(responders=False), "secp256r1", NOW), role)

    return spoil


def _keep(path: Path, hierarchy: Hierarchy, role: Role) -> None:
    one = hierarchy[role]
    Store(path).save(role, one.name, one.chain, one.key)


def directory_for_a_file(name: str) -> Spoil:
    def spoil(path: Path) -> None:
        (path / name).unlink()
        (path / name).mkdir()

    return spoil


def ended_root(path: Path) -> None:
    root = Bench(BUILT, Role.SECC, NOW).again(BUILT[Role.V2G_ROOT], at=NOW - 9 * DAY, validity=8 * DAY)
    (path / "roots/v2g/secp521r1.pem").write_bytes(pem(root.certificate))


@dataclass(frozen=True)
class Case:
    name: str
    side: Side
    spoil: Spoil
    said: str  # in the first line about it
    bad: bool = True


S, C, L = Role.SECC, Role.VEHICLE, Role.CONTRACT
CASES = [
    Case("empty V2G root", "station", emptied("roots/v2g/secp521r1.pem"), "roots/v2g/secp521r1.pem: no PEM"),
    Case("empty OEM root", "station", emptied("roots/oem/secp521r1.pem"), "roots/oem/secp521r1.pem: no PEM"),
    Case("no OEM root", "station", removed("roots/oem"), "roots/oem: no OEM root: cars below a V2G root alone", bad=False),
    Case("no V2G root", "station", removed("roots/v2g"), "cannot be checked here", bad=False),
    Case("no OEM and no V2G root", "station", removed("roots/oem", "roots/v2g"), "roots/oem: no OEM root, and no V2G root either: cars"),
    Case("no MO and no V2G root", "station", removed("roots/mo", "roots/v2g"), "roots/mo: no MO root, and no V2G root either: contracts"),
    Case("no MO root", "station", removed("roots/mo"), "roots/mo: no MO root", bad=False),
    Case("no roots at all", "station", removed("roots"), "no OEM root, and no V2G root either"),
    Case("a sub-CA among the roots", "station", written("roots/oem/x.pem", lambda: pem(BUILT[Role.OEM_SUB1].certificate)), "x.pem: "),
    Case("an ended root", "station", ended_root, "V2G Root CA"),
    Case("key of another certificate", "station", written(key_of(S), lambda: _key(Role.CPS)), "is not the key of the first certificate"),
    Case("encrypted key", "station", encrypted(S), "is encrypted"),
    Case("no key", "station", removed(key_of(S)), "cannot be read"),
    Case("garbage for a key", "station", written(key_of(S), lambda: b"key"), "no usable private key"),
    Case("no certificate", "station", removed(chain_of(S)), "secc: no usable secc certificate"),
    Case("the leaf alone", "station", picked(S, 0), "the secc certificate alone"),
    Case("a sub-CA missing", "station", picked(S, 0, 2), "cars will refuse it: broken chain"),
    Case("sub-CAs swapped", "station", picked(S, 0, 2, 1), "out of order", bad=False),
    Case("a sub-CA twice", "station", picked(S, 0, 1, 2, 2), "certificate 3 is certificate 2 again", bad=False),
    Case("the root in the chain", "station", picked(S, 0, 1, 2, 3), "certificate 3 is a root", bad=False),
    Case("a sub-CA before the leaf", "station", picked(S, 1, 0, 2), "is not the key of the first certificate"),
    Case("ended certificate", "station", broken(S, "expired"), "cars will refuse it: expired"),
    Case("of a foreign root", "station", broken(S, "twin-root"), "cars will refuse it: untrusted root"),
    Case("no strict DER", "station", broken(S, "critical-false-written"), "TLS cannot serve it"),
    Case("cA FALSE written out", "station", broken(S, "ca-false-written"), "cars will refuse it: malformed"),
    Case("another curve", "station", of_another_curve(S), "no usable secc certificate on ed448 or secp521r1"),
    Case("a directory for a file", "station", directory_for_a_file(chain_of(S)), "cannot be read"),
    Case("a broken tariff signer", "station", emptied(chain_of(Role.TARIFF)), "tariff/secp521r1.chain.pem: no PEM"),
    Case("a car in place of a station", "station", written(chain_of(S), lambda: pem(*BUILT[C].chain)), "is not the key"),
    Case("no root for stations", "car", removed("roots/v2g"), "roots/v2g: no V2G root, and no PRIVATE root either: stations"),
    Case("no OEM root at a car", "car", removed("roots/oem"), "vehicle/secp521r1.chain.pem: cannot be checked here", bad=False),
    Case("no vehicle certificate", "car", removed(chain_of(C)), "vehicle: no usable vehicle certificate"),
    Case("the vehicle leaf alone", "car", picked(C, 0), "the vehicle certificate alone"),
    Case("encrypted key of a car", "car", encrypted(C), "is encrypted"),
    Case(
        "unreadable contract",
        "car",
        written(chain_of(L), lambda: b"no certificate"),
        "contract/DEV2GC00000001G-secp521r1.chain.pem: no PEM",
    ),
    Case("contract cut off", "car", written(chain_of(L), lambda: pem(*BUILT[L].chain)[:500]), "is cut off"),
    Case("contract with cA FALSE", "car", broken(L, "ca-false-written"), "stations will refuse it: malformed"),
    Case("contract with NULL parameters", "car", broken(L, "null-parameters"), "stations will refuse it: malformed"),
    Case("the contract alone", "car", picked(L, 0), "the contract certificate alone"),
    Case("key of another contract", "car", written(key_of(L), lambda: _key(Role.TARIFF)), "is not the key"),
    Case("no contract", "car", removed("contract"), "contract: no usable contract certificate", bad=False),
    Case("ended contract", "car", broken(L, "expired"), "stations will refuse it: expired"),
    Case("sub-CAs of a contract swapped", "car", picked(L, 0, 2, 1), "out of order", bad=False),
]


def _key(role: Role) -> bytes:
    from cryptography.hazmat.primitives.serialization import NoEncryption

    return BUILT[role].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_cannot_work_is_said_with_its_file_and_its_cure(case: Case, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case.spoil(path)
    found = lacking(path, case.side, ISO20, NOW)
    lack = next((one for one in found if case.said in str(one)), None)
    assert lack is not None, [str(one) for one in found]
    assert lack.bad is case.bad
    assert all(one.cure for one in found)
    assert str(path) in lack.text
    assert [one.bad for one in found] == sorted((one.bad for one in found), reverse=True)
    said = [finding for finding in doctor._certificates(path, "conformance") if finding.found == lack.text]
    assert [finding.verdict for finding in said][:1] == ["bad" if case.bad else "note"]
    assert said_at_start("v2g x", str(path), case.side, "conformance", NOW.timestamp()) == {str(one) for one in found}
    lines = capsys.readouterr().err.splitlines()
    assert f"v2g x: {'' if case.bad else 'note: '}{lack}" in lines


def test_a_sound_directory_lacks_nothing(path: Path) -> None:
    assert lacking(path, "station", ISO20, NOW) == lacking(path, "car", ISO20, NOW) == ()
    assert [finding.verdict for finding in doctor._certificates(path, "conformance")] == ["ok"] * 3
    assert lacking(path / "none", "car", ISO20, NOW)[0].bad


def test_a_store_that_is_half_made_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "half" / ".staged").mkdir(parents=True)
    (tmp_path / "half" / "README.md").write_text("a folder may hold other things")
    found = doctor._certificates(tmp_path / "half", "conformance")
    assert {(one.verdict, "is half made" in one.found, "v2g pki create" in one.cure) for one in found} == {("bad", True, True)}
    for command in (["secc", "--port", "0"], ["ev", "--connect", "[::1]:1"]):
        assert main([*command, "--pki", str(tmp_path / "half")]) == 2
        assert capsys.readouterr().err.count("is half made") == 1
    assert main(["pki", "create", str(tmp_path / "half"), "--curve", "ed448"]) == 0
    assert lacking(tmp_path / "half", "station", ISO20, datetime.now(UTC)) == ()


def test_only_what_is_used_is_wanted(path: Path) -> None:
    removed(chain_of(S), "roots/mo", "roots/v2g")(path)
    assert any(lack.bad for lack in lacking(path, "station", ISO20, NOW, contracts=False))
    assert [str(lack) for lack in lacking(path, "station", ISO20, NOW, tls=False, contracts=False)] == []
    removed("contract")(path)
    assert any("contract" in str(lack) for lack in lacking(path, "car", ISO20, NOW))
    assert not any("contract" in str(lack) for lack in lacking(path, "car", ISO20, NOW, contracts=False))


def test_interop_judges_by_its_own_rules(path: Path) -> None:
    broken(L, "ca-false-written")(path)
    assert lacking(path, "car", INTEROP, NOW) == ()


def test_a_directory_is_for_the_ends_it_holds_a_folder_of(path: Path) -> None:
    assert sides(path) == ("station", "car")
    removed("vehicle", "contract")(path)
    assert sides(path) == ("station",)
    removed("secc")(path)
    assert sides(path) == ("station", "car")


def test_the_commands_say_it_at_their_start_and_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encrypted(S)(path)
    encrypted(C)(path)
    assert main(["secc", "--port", "0", "--pki", str(path), "--once"]) == 2
    said = capsys.readouterr().err
    assert [said.count(word) for word in ("secc/secp521r1.key.pem is encrypted", "openssl pkey")] == [1, 1]
    assert main(["ev", "--connect", "[::1]:1", "--pki", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("vehicle/secp521r1.key.pem is encrypted") == 1
    options = ["doctor", "--pki", str(path)]
    assert main(options) == 1
    assert "is encrypted" in capsys.readouterr().out


def test_all_families_of_roots_are_looked_at(path: Path) -> None:
    for family in Anchor:
        (path / "roots" / family.value).mkdir(exist_ok=True)
        (path / "roots" / family.value / "garbage.pem").write_bytes(b"?")
    assert sum("garbage.pem" in str(lack) for lack in lacking(path, "station", ISO20, NOW)) == len(Anchor)
