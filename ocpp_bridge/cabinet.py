"""The files behind `model.safe`: keys, chains and roots of a station, in its PKI store and its state folder. Every method blocks.

    PKI store       what cars see: the station's chains (secc/), the roots of V2G, MO and OEM (roots/)
    STATE/ocpp/     what the CSMS sees: csms/*.pem and manufacturer/*.pem, the roots that it installed; station.*.pem, the station's
                    certificate and key there; before.*.pem, the ones before, until the new ones have worked
    STATE/ocpp/asked/TYPE.key.pem     the key of a request that is under way

Keys are made here, stay here, and are their owner's alone (0600). Key and chain are switched in one step (`pki.files`).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ocpp_bridge.model.safe import CSMS_ROOT, Chain, Holdings, Subject, Type, Use
from pki.certificate import read
from pki.errors import StoreError
from pki.files import File, replace, settle, switch
from pki.keys import ALGORITHMS, PrivateKey, algorithm_of, raw_public
from pki.pem import read_chain, read_key
from pki.plan import Names
from pki.profiles import PROFILES, Anchor, Role
from pki.request import request
from pki.status_book import Told
from pki.store import FILE_MODE, KEY_MODE, Store
from pki.token import TokenKey

FAMILIES: Final[dict[Use, Anchor]] = {
    "V2GRootCertificate": Anchor.V2G,
    "MORootCertificate": Anchor.MO,
    "OEMRootCertificate": Anchor.OEM,
}
FOLDERS: Final[dict[Use, str]] = {CSMS_ROOT: "csms", "ManufacturerRootCertificate": "manufacturer"}
STATION, BEFORE = "station", "before"
OWN: Final[Type] = "ChargingStationCertificate"


class FileCabinet:
    """The certificates of a station in files. `pki` is its store, `state` its state folder, either may be missing.

    `trust` are the CSMS roots that are configured. `tls`: the CSMS is reached by TLS, so a certificate for it can be used.
    """

    def __init__(self, pki: Path | None, state: Path | None, trust: Path | None = None, *, tls: bool = False) -> None:
        self._pki, self._folder, self._trust, self._tls = pki, state / "ocpp" if state is not None else None, trust, tls
        self._keys: dict[Type, PrivateKey] = {}  # of requests under way

    # --- what there is ---

    def types(self) -> frozenset[Type]:
        """The types of certificate that can be kept and used: for cars with a store, for the CSMS with TLS and a state folder."""
        cars: set[Type] = {"V2GCertificate", "V2G20Certificate"} if self._pki is not None else set()
        return frozenset(cars | ({OWN} if self._tls and self._folder is not None else set()))

    def uses(self) -> frozenset[Use]:
        """The uses of roots that can be kept: with a store those for cars, with a state folder those for the CSMS."""
        return frozenset((*(FAMILIES if self._pki is not None else ()), *(FOLDERS if self._folder is not None else ())))

    def read(self) -> Holdings:
        """Everything that is held; files that cannot be used are left out, as the station itself leaves them out or says so."""
        fixed = tuple(_pems(self._trust)) if self._trust is not None else ()
        roots: dict[Use, tuple[bytes, ...]] = {use: tuple(_pems(self._place(use))) for use in FOLDERS}
        roots[CSMS_ROOT] = tuple(dict.fromkeys((*fixed, *roots[CSMS_ROOT])))
        chains: list[Chain] = []
        if self._pki is not None:
            store = Store(self._pki)
            for use, family in FAMILIES.items():
                roots[use] = tuple(dict.fromkeys(_der(one) for one in store.roots(family) if not isinstance(one, StoreError)))
            for one in store.held(Role.SECC):
                if not isinstance(one, StoreError):
                    type_: Type = "V2GCertificate" if one.curve == "secp256r1" else "V2G20Certificate"
                    chains.append(Chain(type_, one.name, tuple(map(_der, one.chain)), isinstance(one.key, TokenKey)))
        if self._folder is not None:
            self._recall()
            with suppress(StoreError):
                chains.append(Chain(OWN, STATION, tuple(map(_der, read_chain(self._folder / f"{STATION}.chain.pem")))))
        asked = {type_: raw_public(key.public_key()) for type_, key in self._keys.items()}
        return Holdings({use: held for use, held in roots.items() if held}, frozenset(fixed), tuple(chains), asked)

    def credentials(self) -> tuple[tuple[Path, Path], ...]:
        """Chain and key (PEM files) by which the CSMS may know the station, of those that it signed, the newest first."""
        if self._folder is None:
            return ()
        with suppress(OSError):
            settle(self._folder)
        pairs = [(self._folder / f"{name}.chain.pem", self._folder / f"{name}.key.pem") for name in (STATION, BEFORE)]
        return tuple(pair for pair in pairs if all(one.exists() for one in pair))

    def roots(self) -> tuple[bytes, ...]:
        """The CSMS roots (DER) that were installed, beside what is configured."""
        return tuple(_pems(self._place(CSMS_ROOT)))

    # --- keys and chains ---

    def make(self, type_: Type, curve: str, subject: Subject) -> tuple[str, bytes]:
        """Make and keep a key; the request for a certificate of it (PEM), and its public half (DER)."""
        key = ALGORITHMS[curve].generate()
        if self._folder is not None:
            replace(self._folder / "asked" / f"{type_}.key.pem", _private(key), KEY_MODE)
        self._keys[type_] = key
        csr = _for_csms(key, subject) if type_ == OWN else request(PROFILES[Role.SECC], _names(subject), key)
        return csr.public_bytes(Encoding.PEM).decode(), raw_public(key.public_key())

    def keep_chain(self, type_: Type, name: str, chain: Sequence[bytes]) -> None:
        """Put a chain to the key that was made for its type, in place of the one of that name. Raises StoreError without such a key."""
        key = self._keys.get(type_)
        if key is None:
            raise StoreError(f"the key for the {type_} is gone; ask for another certificate")
        if type_ == OWN:
            self._keep_own(chain, key)
        else:
            assert self._pki is not None
            Store(self._pki).save(Role.SECC, name, [read(der) for der in chain], key)
        del self._keys[type_]
        if self._folder is not None:
            (self._folder / "asked" / f"{type_}.key.pem").unlink(missing_ok=True)

    def worked(self) -> None:
        """Forget the certificate before, because the CSMS has taken the new one."""
        if self._folder is not None and (self._folder / f"{BEFORE}.chain.pem").exists():
            switch(self._folder, {f"{BEFORE}.chain.pem": File(None), f"{BEFORE}.key.pem": File(None)})

    def drop_chain(self, chain: Chain) -> None:
        """Forget a chain for cars, and its key."""
        assert self._pki is not None
        stem = f"{Role.SECC.value}/{chain.name}"
        switch(self._pki, {f"{stem}.{end}": File(None) for end in ("chain.pem", "key.pem", "key.uri")})

    def _keep_own(self, chain: Sequence[bytes], key: PrivateKey) -> None:
        assert self._folder is not None
        files = {
            f"{STATION}.chain.pem": File(b"".join(_pem(der) for der in chain), FILE_MODE),
            f"{STATION}.key.pem": File(_private(key), KEY_MODE),
        }
        with suppress(FileNotFoundError):
            files |= {
                f"{BEFORE}.{end}": File((self._folder / f"{STATION}.{end}").read_bytes(), mode)
                for end, mode in (("chain.pem", FILE_MODE), ("key.pem", KEY_MODE))
            }
        switch(self._folder, files)

    def _recall(self) -> None:
        """Take up the keys of requests that were under way when the process ended."""
        assert self._folder is not None
        for type_ in self.types():
            if type_ not in self._keys:
                with suppress(StoreError):
                    self._keys[type_] = read_key(self._folder / "asked" / f"{type_}.key.pem")

    # --- vehicles ---

    def keep_told(self, certificate: bytes, issuer: bytes, told: Told) -> None:
        """Keep the CSMS's word on a vehicle's certificate in the store; where nothing bad was known, a good word changes nothing."""
        if self._pki is not None:
            store, named = Store(self._pki), (read(certificate), read(issuer))
            if told.revoked or store.told(*named) is not None:
                store.save_told(*named, told)

    # --- roots ---

    def keep_root(self, use: Use, certificate: bytes, instead: Iterable[bytes] = ()) -> None:
        """Keep a root (DER) for a use; those of `instead` go."""
        place = self._place(use)
        assert place is not None
        replace(place / f"ocpp-{_print(certificate)}.pem", _pem(certificate), FILE_MODE)
        for other in instead:
            self.drop_root(use, other)

    def drop_root(self, use: Use, certificate: bytes) -> None:
        """Take a root out of every file of its use that holds it."""
        for path in _files(self._place(use)):
            held = [_der(one) for one in read_chain(path)]
            left = [der for der in held if der != certificate]
            if left and left != held:
                replace(path, b"".join(map(_pem, left)), FILE_MODE)
            elif not left:
                path.unlink()

    def _place(self, use: Use) -> Path | None:
        if use in FAMILIES:
            return None if self._pki is None else self._pki / "roots" / FAMILIES[use].value
        return None if self._folder is None else self._folder / FOLDERS[use]


def _files(place: Path | None) -> list[Path]:
    if place is None:
        return []
    if place.is_dir():
        return sorted(place.glob("*.pem"), key=lambda path: (path.stat().st_mtime_ns, path.name))  # the newest last
    return [place] if place.exists() else []


def _pems(place: Path | None) -> Iterator[bytes]:
    """The certificates (DER) of a PEM file, or of all in a folder; a file that cannot be read holds none."""
    for path in _files(place):
        with suppress(StoreError):
            yield from map(_der, read_chain(path))


def _print(certificate: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate)
    return digest.finalize().hex()[:20]


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _pem(der: bytes) -> bytes:
    return read(der, len(der)).public_bytes(Encoding.PEM)


def _private(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _names(subject: Subject) -> Names:
    return Names(evse_id=subject.common_name, organization=subject.organization, country=subject.country or "DE")


def _for_csms(key: PrivateKey, subject: Subject) -> x509.CertificateSigningRequest:
    """A request for the certificate that the CSMS knows the station by: its id is the common name (A02)."""
    names = [(NameOID.COMMON_NAME, subject.common_name), (NameOID.ORGANIZATION_NAME, subject.organization)]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in names if value])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm_of(key).hash)
