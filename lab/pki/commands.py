"""`v2g pki` beyond create, verify and show: requests, signing, revocation, broken chains, and the services."""

import argparse
import getpass
import json
import secrets
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab import parser as kinds
from lab import passwords
from lab.output import put
from lab.pki import cps, est, ocsp
from lab.pki.office import Office
from lab.pki.route import Route
from lab.private import password
from pki import signature as xmldsig
from pki.broken import ROLES, VARIANTS, Bench, Variant, octets
from pki.broken_status import STATUS_VARIANTS, StatusVariant
from pki.certificate import facts
from pki.errors import StoreError
from pki.files import replace as replace_file
from pki.issue import build
from pki.keys import ALGORITHMS, key_name
from pki.plan import Names, Plan
from pki.profiles import INTEROP, ISO20, PROFILES, RULES, Role
from pki.request import read_request, request
from pki.store import KEY_MODE, Store, create, read_chain, read_key
from v2g.legible import legible

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
WELL = 0
REASONS = [flag.value for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl]


def add(command: Add) -> None:
    """Add every command of this module with `command(name, run, text)`."""
    _csr(command("csr", make_request, CSR))
    _sign(command("sign", sign, SIGN))
    _revoke(command("revoke", revoke, REVOKE))
    _crl(command("crl", crl, CRL))
    _staple(command("staple", staple, STAPLE))
    _broken(command("broken", broken, BROKEN))
    _ocsp(command("ocsp", serve_ocsp, OCSP))
    _status(command("status", status, STATUS))
    _cps(command("cps", serve_cps, CPS))
    _est(command("est", serve_est, EST))
    _password(command("password", write_password, HASHED))
    _renew(command("renew", renew, RENEW))


def say(options: argparse.Namespace, line: str, **fields: Any) -> None:
    """One line for people, or one JSON document for machines."""
    put(json.dumps(fields) if options.json else legible(line), flush=True)


def office_of(path: Path) -> Office:
    return Office(Store(path))


def now() -> datetime:
    return datetime.now(UTC)


# --- requests ---

CSR = """make a key and a certificate request for a role
  v2g pki csr new --role secc --name DEABCE0042 --key new.key.pem
  v2g pki csr new --role vehicle --name WMIABC0001 --curve ed448"""


def _csr(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stem", type=Path, help="STEM.csr.pem and STEM.key.pem are written")
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if not PROFILES[role].authority])
    parser.add_argument("--name", required=True, help="EVSE id, EVCCID, PCID or eMAID: the common name")
    parser.add_argument("--organization", default="v2gkit")
    parser.add_argument("--curve", default="secp521r1", choices=list(ALGORITHMS))
    parser.add_argument("--key", type=Path, help="use this key file (PEM) instead of a new one")


def make_request(options: argparse.Namespace) -> int:
    key = read_key(options.key) if options.key else ALGORITHMS[options.curve].generate()
    slots = {"evse_id": options.name, "evccid": options.name, "pcid": options.name, "emaid": options.name}
    csr = request(PROFILES[Role(options.role)], Names(organization=options.organization, **slots), key)
    if not options.key:
        replace_file(_beside(options.stem, "key"), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), KEY_MODE)
    path = _beside(options.stem, "csr")
    replace_file(path, csr.public_bytes(Encoding.PEM))
    say(options, f"{path}: {csr.subject.rfc4514_string()}", request=str(path), subject=csr.subject.rfc4514_string())
    return WELL


def _beside(stem: Path, kind: str) -> Path:
    return stem.with_name(f"{stem.name}.{kind}.pem")


SIGN = """sign a certificate request by an authority of a store
  v2g pki sign new.csr.pem --role secc --store certs --out new.chain.pem
  v2g pki sign new.csr.pem --role contract --store certs --by mo-sub2 --days 30"""


def _sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request", type=Path)
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if not PROFILES[role].authority])
    parser.add_argument("--store", type=Path, required=True, help="whose authority signs")
    parser.add_argument("--by", choices=[role.value for role in PROFILES if PROFILES[role].authority], help="default: the row of the role")
    parser.add_argument("--days", type=kinds.whole(1, 36_500), help="validity; default: the row of the role")
    parser.add_argument("--out", type=Path, help="the chain, PEM; default standard output")


def sign(options: argparse.Namespace) -> int:
    office, role = office_of(options.store), Role(options.role)
    csr = read_request(options.request.read_bytes())
    issuer = Role(options.by) if options.by else PROFILES[role].issuer
    if issuer is None:
        raise StoreError(f"{role.value} certificates are issued by any authority; name one with --by")
    authority = office.store.credential(issuer, key_name(csr.public_key()))
    chain = office.sign(csr, role, authority, now(), validity=timedelta(days=options.days) if options.days else None)
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    if options.out:
        replace_file(options.out, pem)
        fact = facts(chain[0])
        say(options, f"{options.out}: {fact.name} until {fact.not_after:%Y-%m-%d}", chain=str(options.out), subject=fact.name)
    else:
        put(pem.decode(), end="")
    return WELL


# --- revocation ---

REVOKE = """revoke a certificate, for the responder and the revocation lists of its authority
  v2g pki revoke certs/contract/DEV2GC00000001G-secp521r1.chain.pem --store certs --reason keyCompromise"""


def _revoke(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("certificate", type=Path, help="PEM; the first certificate in it")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--reason", default="unspecified", choices=REASONS)


def revoke(options: argparse.Namespace) -> int:
    certificate = read_chain(options.certificate)[0]
    authority = office_of(options.store).revoke(certificate, now(), options.reason)
    name, serial = certificate.subject.rfc4514_string(), f"{certificate.serial_number:x}"
    say(options, f"{authority.role.value} {authority.name} has revoked {name}, serial {serial}", serial=serial, authority=authority.name)
    return WELL


CRL = """write the revocation list of an authority
  v2g pki crl --store certs --role mo-sub2 --out mo-sub2.crl"""


def _crl(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--role", required=True, choices=[role.value for role in PROFILES if PROFILES[role].authority])
    parser.add_argument("--curve", choices=list(ALGORITHMS))
    parser.add_argument("--out", type=Path, help="PEM; default: crl/ROLE-NAME.pem in the store, where verifiers look")


def crl(options: argparse.Namespace) -> int:
    office = office_of(options.store)
    authority = office.store.credential(Role(options.role), options.curve)
    made = office.crl(authority, now())
    path = options.out or office.store.path / "crl" / f"{authority.role.value}-{authority.name}.pem"
    replace_file(path, made.public_bytes(Encoding.PEM))
    say(options, f"{path}: {len(made)} revoked, until {made.next_update_utc:%Y-%m-%d}", list=str(path), revoked=len(made))
    return WELL


STAPLE = """make or fetch the OCSP responses a station staples to its chain
  v2g pki staple --store certs --days 7                             by the authorities in the store
  v2g pki staple --store station --fetch                            ask each certificate's responder, where it is time
  v2g pki staple --store station --fetch http://[::1]:8888/ocsp     ask this one"""


def _staple(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--days", type=int, default=1, choices=range(1, 8), metavar="1..7", help="validity [V2G20-1021]; default 1")
    parser.add_argument("--fetch", nargs="?", const="", metavar="URL", help="ask a responder for what is missing or half gone")


def staple(options: argparse.Namespace) -> int:
    store = Store(options.store)
    if options.fetch is not None:
        count = ocsp.refresh(store, now(), options.fetch or None)
        say(options, f"{store.path}/responses: {count} fetched", responses=count)
        return WELL
    count = Office(store).staple(now(), timedelta(days=options.days))
    say(options, f"{store.path}/responses: {count} responses, good for {options.days} days", responses=count)
    return WELL


# --- broken on purpose ---

BROKEN = """chains that are wrong on purpose, each with the verdict a verifier must reach
  v2g pki broken lab-chains
  v2g pki broken lab-chains --role contract --curve ed448"""


def _broken(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path)
    parser.add_argument("--role", action="append", choices=[role.value for role in ROLES], help="repeatable; default all")
    parser.add_argument("--curve", default="secp521r1", choices=list(ALGORITHMS))


def broken(options: argparse.Namespace) -> int:
    hierarchy = build(Plan(curves=(options.curve,)), options.curve, now())
    create(options.directory, [hierarchy])
    rows: list[dict[str, Any]] = []
    for role in [Role(name) for name in options.role or ()] or ROLES:
        bench = Bench(hierarchy, role, now())
        place = options.directory / "broken" / role.value
        rows += [_written(variant, bench, place) for variant in VARIANTS if role in variant.roles]
        rows += [_written_status(variant, bench, place) for variant in STATUS_VARIANTS]
    replace_file(options.directory / "broken" / "verdicts.json", json.dumps(rows, indent=1).encode())
    say(options, f"{options.directory}/broken: {len(rows)} chains, verdicts in verdicts.json", chains=len(rows))
    return WELL


def _written(variant: Variant, bench: Bench, directory: Path) -> dict[str, Any]:
    """One directory per variant, a DER file per certificate: some are octets that PEM readers would not carry."""
    chain = variant.chain(bench)
    for depth, certificate in enumerate(chain):
        replace_file(directory / variant.name / f"{depth}.der", certificate)
    verdict = variant.verdict.value if variant.verdict else "accepted"
    row = {"role": bench.role.value, "name": variant.name, "about": variant.about, "verdict": verdict, "certificates": len(chain)}
    passing = [name for name, rules in RULES.items() if variant.lapses and variant.judged(rules) is None]
    return row | ({"accepted_by_rules": passing} if passing else {})


def _written_status(variant: StatusVariant, bench: Bench, directory: Path) -> dict[str, Any]:
    """The sound chain with a response for its leaf that may not be."""
    sound = Variant(f"status-{variant.name}", f"OCSP: {variant.about}", variant.verdict, lambda bench: octets(bench.leaf))
    row = _written(sound, bench, directory)
    replace_file(directory / sound.name / "0.ocsp", variant.response(bench))
    return row | {"response": "0.ocsp"}


# --- services ---


def _place(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--host", default="::1")
    parser.add_argument("--port", type=kinds.port, default=port, help=f"default {port}; 0 takes any")


def _serve(routes: list[Route], options: argparse.Namespace, path: str, tls: ssl.SSLContext | None = None) -> int:
    from lab.pki.web import Site

    site = Site(routes, options.host, options.port, tls)
    say(options, f"serving {site.url}{path}, stop with Ctrl-C", url=f"{site.url}{path}")
    site.serve()
    return WELL


OCSP = """serve OCSP and revocation lists for every authority of a store
  v2g pki ocsp --store certs --port 8888
  openssl ocsp -url http://[::1]:8888/ocsp -issuer sub2.pem -cert leaf.pem -CAfile root.pem"""


def _ocsp(parser: argparse.ArgumentParser) -> None:
    _place(parser, 8888)


def serve_ocsp(options: argparse.Namespace) -> int:
    return _serve(ocsp.routes(Store(options.store)), options, "/ocsp")


STATUS = """ask an OCSP responder about a certificate
  v2g pki status leaf.chain.pem
  v2g pki status leaf.chain.pem --url http://[::1]:8888/ocsp"""


def _status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", type=Path, help="PEM: the certificate, then its issuer")
    parser.add_argument("--url", help="default: the one the certificate names")


def status(options: argparse.Namespace) -> int:
    certificate, *above = read_chain(options.chain)
    if not above:
        raise StoreError(f"{options.chain} holds the certificate alone; its issuer must follow it")
    _, good = ocsp.fetch(certificate, above[0], options.url)
    until = good.next_update
    say(options, f"good until {until:%Y-%m-%d %H:%M} UTC", status="good", until=until.isoformat())
    return WELL


CPS = """a certificate provisioning service: hands the contracts of a store to cars that ask
  v2g pki cps --store certs --port 8889
  v2g pki cps --store certs --pcid WMIV2GKIT000000001 --profile interop"""


def _cps(parser: argparse.ArgumentParser) -> None:
    _place(parser, 8889)
    parser.add_argument("--pcid", action="append", default=[], help="a car that has contracts here; default every car it trusts")
    parser.add_argument("--profile", default="conformance", choices=["conformance", "interop"])


def serve_cps(options: argparse.Namespace) -> int:
    rules, suites = (INTEROP, xmldsig.INTEROP) if options.profile == "interop" else (ISO20, xmldsig.ISO20)
    serving = cps.service(Store(options.store), options.pcid, rules, suites)
    return _serve(cps.routes(serving), options, "/installation")


EST = """an enrolment server (RFC 7030) for station certificates; a user is a station and gets its own name alone
  v2g pki password stations.txt DEABCE0042                              write a secret into a file of such
  v2g pki est --store certs --port 8443 --passwords stations.txt
  v2g pki est --store certs --port 8443 --user DEABCE0042:secret        on a bench: the process list shows it"""


def _est(parser: argparse.ArgumentParser) -> None:
    _place(parser, 8443)
    parser.add_argument("--passwords", type=Path, metavar="FILE", help="secrets of stations, as `v2g pki password` writes them")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD", help="one more, where everybody may know it")


def serve_est(options: argparse.Namespace) -> int:
    store = Store(options.store)
    try:
        known = passwords.read(options.passwords) if options.passwords else {}
        known |= dict(map(passwords.spoken, options.user))
    except ValueError as error:
        raise StoreError(str(error)) from None
    if not known:
        raise StoreError("nobody could enrol: give --passwords FILE, or --user NAME:PASSWORD")
    return _serve(est.routes(store, passwords.Door(known)), options, est.BASE, est.server_tls(store, now(), options.host))


HASHED = """put the secret of a station into a file, as a hash, for `v2g pki est` and `v2g csms`
  v2g pki password stations.txt DEABCE0042                              asks for it
  v2g pki password stations.txt DEABCE0042 --password-file secret.txt   takes it from there
  v2g pki password stations.txt DEABCE0042 --make secret.txt            makes one, and writes it there for the station
  V2G_PASSWORD=... v2g pki password stations.txt DEABCE0042"""


def _password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.add_argument("name", help="the station: EVSE id, or the id at the end of its OCPP address")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line is the secret (default: of V2G_PASSWORD)")
    parser.add_argument("--make", type=Path, metavar="FILE", help="make a random one, and write it there")


def write_password(options: argparse.Namespace) -> int:
    try:
        known = passwords.read(options.file) if options.file.exists() else {}
        given = secrets.token_urlsafe(24) if options.make else password(None, options.password_file, "V2G_PASSWORD")
        known[options.name] = passwords.Secret.of(getpass.getpass(f"secret of {options.name}: ") if given is None else given)
        lines = "".join(secret.line(name) for name, secret in known.items())
    except (ValueError, EOFError) as error:
        raise StoreError(str(error) or "no secret was given") from None
    if options.make:
        replace_file(options.make, f"{given}\n".encode(), KEY_MODE)
    replace_file(options.file, lines.encode(), KEY_MODE)
    made = {"secret": str(options.make)} if options.make else {}
    told = f", whose secret is in {options.make}" if options.make else ""
    say(options, f"{options.file}: {options.name}{told}", file=str(options.file), name=options.name, **made)
    return WELL


RENEW = """renew a station's certificate by EST; a station that runs takes it for its next session
  v2g pki renew --store certs --url https://[::1]:8443 --user DEABCE0042 --password-file secret.txt
  V2G_EST_PASSWORD=... v2g pki renew --store certs --url https://[::1]:8443"""


def _renew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, required=True, help="the station's")
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", metavar="NAME", help="default: the name in the certificate; NAME:PASSWORD shows in the process list")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its first line (default: of V2G_EST_PASSWORD)")
    parser.add_argument("--name", help="which secc credential; default the first")


def renew(options: argparse.Namespace) -> int:
    store = Store(options.store)
    user, _, given = (options.user or "").partition(":")
    user = user or store.secc.common_name
    try:
        known = password(given or None, options.password_file, "V2G_EST_PASSWORD")
    except ValueError as error:
        raise StoreError(str(error)) from None
    if known is None:
        raise StoreError("no password: give --password-file FILE, or set V2G_EST_PASSWORD")
    renewed = est.renew(store, options.url, (user, known), now(), name=options.name)
    until = facts(renewed.leaf).not_after
    say(
        options,
        f"{renewed.chain_path}: {renewed.common_name} until {until:%Y-%m-%d}",
        chain=str(renewed.chain_path),
        until=until.isoformat(),
    )
    return WELL
