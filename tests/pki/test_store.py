"""The directory: modes, atomic replacement, what is refused, hot reload."""

import base64
import stat
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import facts, read_pem
from pki.chains import der
from pki.errors import CertificateError, StoreError
from pki.issue import build
from pki.keys import ALGORITHMS, belongs
from pki.plan import Plan
from pki.profiles import Anchor, Role
from pki.store import Store, create, read_key, replace_file, safe_name
from pki.verify import verify
from tests.pki.sample_pki import NOW, hierarchy
from v2gkit.authorities.broken import VARIANTS, Bench, Variant


@pytest.fixture(scope="module")
def created(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("created"), [hierarchy(), hierarchy("ed448")]).path


@pytest.fixture
def store(created: Path, tmp_path: Path) -> Store:
    return Store(copytree(created, tmp_path / "certs"))


def test_what_was_created_is_read_again(store: Store) -> None:
    again = Store(store.path)
    built = hierarchy()
    for role, found in ((Role.SECC, again.secc), (Role.VEHICLE, again.vehicle), (Role.CONTRACT, again.contract), (Role.CPS, again.cps)):
        assert (found.role, found.chain, found.curve) == (role, built[role].chain, "secp521r1")
        assert belongs(found.key, found.leaf.public_key())
    assert again.provisioning.common_name == "WMIV2GKIT000000001"
    assert {root.subject for root in again.anchors.v2g} == {
        hierarchy(curve)[Role.V2G_ROOT].certificate.subject for curve in ("secp521r1", "ed448")
    }
    assert again.credential(Role.SECC, "ed448").chain == hierarchy("ed448")[Role.SECC].chain
    assert [one.curve for one in again.contracts] == ["secp521r1", "ed448"]
    assert "private-secp521r1" in [one.name for one in again.credentials(Role.SECC)]


def test_both_ends_of_a_demo_trust_each_other(store: Store) -> None:
    for role in (Role.SECC, Role.VEHICLE, Role.PROVISIONING, Role.CONTRACT, Role.CPS):
        for credential in store.credentials(role):
            assert verify(credential.chain, role, store.anchors, NOW).common_name == credential.common_name


def test_keys_are_their_owners_alone(store: Store) -> None:
    keys = list(store.path.rglob("*.key.pem"))
    assert len(keys) > 40
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert not [path for path in store.path.rglob("*") if path.name.startswith(".")]


def test_the_files_are_what_a_tls_library_reads(store: Store) -> None:
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_chain_file(str(store.secc.chain_path))
    context.use_privatekey_file(str(store.secc.key_path))
    context.check_privatekey()


def test_a_missing_directory_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="v2g pki create"):
        Store(tmp_path / "nowhere")


def test_a_missing_credential_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="secc"):
        _ = Store(tmp_path).secc


def test_a_key_of_another_certificate_is_refused(store: Store) -> None:
    replace_file(store.secc.key_path, store.vehicle.key_path.read_bytes(), 0o600)
    with pytest.raises(StoreError, match="not the key"):
        _ = Store(store.path).secc
    with pytest.raises(StoreError, match="does not belong"):
        store.save(Role.SECC, "x", store.cps.chain, ALGORITHMS["ed448"].generate())


def test_what_is_no_root_never_becomes_an_anchor(store: Store) -> None:
    built = hierarchy()
    for wrong in (built[Role.CPO_SUB1], built[Role.SECC]):
        with pytest.raises(CertificateError, match="no root"):
            store.save_root(wrong.certificate, Anchor.V2G, "wrong")
    path = store.root_path(Anchor.V2G) / "smuggled.pem"
    path.write_bytes(store.credentials(Role.CPO_SUB1)[0].chain_path.read_bytes())
    with pytest.raises(StoreError, match="smuggled"):
        _ = Store(store.path).anchors


def test_garbage_is_named(store: Store) -> None:
    store.secc.chain_path.write_text("no certificate")
    with pytest.raises(StoreError, match=r"secp521r1\.chain\.pem"):
        _ = Store(store.path).secc
    with pytest.raises(StoreError, match="cannot be read"):
        read_key(store.path / "none.key.pem")


def test_a_chain_is_served_in_order_however_the_file_has_it(store: Store) -> None:
    sub1, sub2, leaf = (one.public_bytes(Encoding.PEM) for one in reversed(store.secc.chain))
    root = store.anchors.v2g[0].public_bytes(Encoding.PEM)
    before = store.secc.chain
    replace_file(store.secc.chain_path, b"\xef\xbb\xbfleaf\r\n" + b"".join((leaf, root, sub1, sub2, sub2)).replace(b"\n", b"\r\n"))
    again = Store(store.path).secc
    assert again.chain == before
    assert len(again.remarks) == 3
    assert [again.for_tls()[0], len(again.for_tls())] == [before[0].public_bytes(Encoding.DER), 3]


def test_what_is_wrong_with_a_chain_file_is_said_as_it_is(store: Store) -> None:
    pem = store.secc.chain_path.read_bytes()
    cut, bad = pem[: len(pem) // 2], pem.replace(b"\nMII", b"\n?II", 1)
    der = store.secc.leaf.public_bytes(Encoding.DER)
    for content, said in ((b"", "no PEM cert"), (cut, "cut off"), (bad, "PEM certificate 1 is no base64"), (der, "may be DER")):
        store.secc.chain_path.write_bytes(content)
        with pytest.raises(StoreError, match=rf"secp521r1\.chain\.pem: .*{said}"):
            _ = Store(store.path).secc


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.lapses], ids=lambda one: one.name)
def test_a_contract_that_is_not_strict_der_is_held_and_sent_as_it_is(store: Store, variant: Variant) -> None:
    chain = variant.chain(Bench(hierarchy(), Role.CONTRACT, NOW))
    lines = (f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(one).decode()}-----END CERTIFICATE-----\n" for one in chain)
    store.contract.chain_path.write_text("".join(lines))
    held = Store(store.path).contract
    assert der(held.chain) == chain
    assert held.common_name == "DEV2GC00000001G"
    assert facts(held.chain[0]).lapses | facts(held.chain[1]).lapses == variant.lapses
    assert read_pem(b"".join(one.public_bytes(Encoding.PEM) for one in held.chain)) == held.chain


def test_a_replaced_leaf_is_noticed_and_loaded_while_the_old_one_stays_usable(store: Store) -> None:
    old = store.secc
    assert not store.changed()
    renewed = Bench(hierarchy(), Role.SECC, NOW).again(hierarchy()[Role.SECC], key=ALGORITHMS["secp521r1"].generate())
    Store(store.path).save(Role.SECC, "secp521r1", renewed.chain, renewed.key)
    assert store.changed()
    assert store.secc is old
    store.reload()
    assert store.secc.chain == renewed.chain
    assert not store.changed()
    assert belongs(old.key, old.leaf.public_key())


def test_a_file_on_its_way_into_place_is_no_change_yet(store: Store) -> None:
    (store.path / "secc" / ".secp521r1.chain.pem.x1y2").write_bytes(b"half")
    (store.path / "secc" / "gone.pem").symlink_to(store.path / "nowhere")
    assert not store.changed()


def test_an_interrupted_replacement_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.secc.chain_path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("pki.files.os.replace", fails)
    with pytest.raises(OSError, match="no space"):
        replace_file(store.secc.chain_path, b"new")
    assert store.secc.chain_path.read_bytes() == before
    assert not [path for path in store.secc.chain_path.parent.iterdir() if path.name.startswith(".")]


def test_what_expires_soon_is_told(store: Store) -> None:
    assert store.warnings(NOW) == ()
    end = facts(store.secc.leaf).not_after
    soon = store.warnings(end - timedelta(days=3))
    assert any("secc/secp521r1" in line and "expires in 3 days" in line for line in soon)
    assert any("has expired" in line for line in store.warnings(end + timedelta(days=1)))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "", "\x00"])
def test_no_name_leaves_its_directory(name: str) -> None:
    try:
        assert "/" not in safe_name(name)
        assert safe_name(name) not in ("", ".", "..")
    except StoreError:
        assert not name.strip(".")


def test_several_roots_and_contracts_have_files_of_their_own(tmp_path: Path) -> None:
    plan = Plan(
        v2g_roots=("A", "B"), cross=(("A", "B"),), emaids=("DEV2GC00000001G", "DEV2GC00000002D"), curves=("ed448",), responders=False
    )
    store = create(tmp_path, [build(plan, "ed448", NOW)])
    assert sorted(path.name for path in store.root_path(Anchor.V2G).iterdir()) == ["B-ed448.pem", "ed448.pem"]
    assert [one.common_name for one in store.contracts] == ["DEV2GC00000001G", "DEV2GC00000002D"]
    assert [len(one.chain) for one in store.credentials(Role.SECC)] == [3, 3, 4]
