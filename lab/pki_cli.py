"""`v2g pki`: certificates, chains and the services around them. `v2g sign`: one signature, step by step."""

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from lab.output import complain, put
from lab.pki import explain as explanation
from lab.pki.commands import add
from lab.pki.office import Office
from pki.certificate import Facts, facts
from pki.errors import CertificateError, IdentifierError, PlanError, StoreError
from pki.files import File, settle
from pki.issue import build
from pki.plan import Plan, plan
from pki.profiles import LEAVES, PROFILES, RULES, Profile, Role
from pki.status import check
from pki.status_book import Silence, StatusBook, by_records
from pki.store import Store, create, read_chain
from pki.verify import Anchors, Finding, Status, explain, verify
from v2g.legible import legible
from v2g.settings import ConfigError, table, text_of

WELL, NEGATIVE, USAGE = 0, 1, 2
EXIT_CODES = "exit codes: 0 well, 1 the verdict is negative, 2 wrong usage, file or plan"
EXAMPLES = """examples (each command has more under --help):
  v2g pki create certs
  v2g pki verify certs/secc/secp521r1.chain.pem --role secc --store certs --explain
  v2g pki show certs/secc/secp521r1.chain.pem

"""
EXAMPLE = """example:
  v2g sign explain authorization.exi --store certs

"""


def register(subparsers: Any) -> None:
    """Add `pki` and `sign` to the `v2g` command."""
    parser = subparsers.add_parser("pki", help="create, verify and serve certificates", description=__doc__, epilog=EXAMPLES + EXIT_CODES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _create(_command(commands, "create", create_store, CREATE))
    _verify(_command(commands, "verify", verify_chain, VERIFY))
    _show(_command(commands, "show", show, SHOW))
    add(partial(_command, commands))
    signing = subparsers.add_parser("sign", help="look into a signature", description="look into a signature", epilog=EXAMPLE + EXIT_CODES)
    explained = signing.add_subparsers(metavar="COMMAND", required=True)
    explanation.options(_command(explained, "explain", explanation.run, explanation.EXPLAIN))


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """One sub-command: `text` is its one-line help, then its examples."""
    summary, _, examples = text.partition("\n")
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"examples:\n{examples}\n\n{EXIT_CODES}",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(func=lambda options: guarded(run, options))
    return parser


def guarded(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run a command; what a user can cure becomes one line and exit code 2."""
    try:
        return run(options)
    except (StoreError, PlanError, IdentifierError, ConfigError) as error:
        complain(f"{options.prog}: {error}")
        return USAGE
    except CertificateError as error:
        complain(f"{options.prog}: {error}")
        return NEGATIVE


def moment(text: str) -> datetime:
    """An ISO date or time, UTC unless it says otherwise; for `--at`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one such as 2027-03-01 or 2027-03-01T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def at(options: argparse.Namespace) -> datetime:
    return options.at or datetime.now(UTC)


# --- create ---

CREATE = """build every certificate that station, car, provider and provisioning service need
  v2g pki create certs                                  secp521r1, as -20 wants it
  v2g pki create certs --curve ed448 --curve secp256r1  one hierarchy per curve in one store
  v2g pki create certs --plan plan.toml                 names, contracts, roots and lifetimes of your own"""


def _create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path)
    parser.add_argument("--curve", action="append", choices=["secp521r1", "ed448", "secp256r1"], help="repeatable; default secp521r1")
    parser.add_argument("--plan", type=Path, help="TOML, keys as in pki/plan.py")
    parser.add_argument("--at", type=moment, help="issue as of this time instead of now")
    parser.add_argument("--force", action="store_true", help="replace a store that is already there")


def create_store(options: argparse.Namespace) -> int:
    given = table(text_of(options.plan), options.plan) if options.plan else {}
    if options.curve:
        given["curves"] = options.curve
    wanted: Plan = plan(given)
    settle(options.directory)
    if (options.directory / "roots").exists() and not options.force:
        raise StoreError(f"{options.directory} holds a store already; --force replaces what has the same name")
    kept = {"plan.json": File(msgspec.json.format(msgspec.json.encode(wanted)))}
    store = create(options.directory, [build(wanted, curve, at(options)) for curve in wanted.curves], kept)
    Office(store).staple(at(options), timedelta(days=7))
    count = sum(len(store.credentials(role)) for role in Role)
    if options.json:
        put(json.dumps({"store": str(store.path), "curves": wanted.curves, "credentials": count}))
    else:
        put(f"{store.path}: {count} certificates with their keys on {', '.join(wanted.curves)}")
        for role in LEAVES:
            for found in store.credentials(role):
                put(f"  {role.value:13} {legible(found.common_name):22} until {facts(found.leaf).not_after:%Y-%m-%d}  {found.chain_path}")
    return WELL


# --- verify ---

VERIFY = """judge a chain by the role of its leaf
  v2g pki verify certs/secc/secp521r1.chain.pem --role secc --store certs
  v2g pki verify chain.pem --role contract --root mo-root.pem --explain
  v2g pki verify leaf.der sub2.der sub1.der --role secc --store certs --revocation strict
  v2g pki verify chain.pem --role vehicle --store certs --rules interop --at 2030-01-01"""


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", type=Path, nargs="+", help="PEM with the whole chain, or files of it in order, PEM or DER; leaf first")
    parser.add_argument("--role", required=True, choices=[role.value for role in LEAVES])
    parser.add_argument("--rules", default="iso20", choices=list(RULES), help="default iso20")
    parser.add_argument("--store", type=Path, help="whose roots are trusted")
    parser.add_argument("--root", type=Path, action="append", default=[], help="PEM of a root to trust; repeatable")
    parser.add_argument("--at", type=moment, help="judge as of this time instead of now")
    parser.add_argument(
        "--revocation",
        default="known",
        choices=["off", "known", "strict"],
        help="by the lists and responses in the store: not at all, as far as they are there (default), or refuse where they are not",
    )
    parser.add_argument(
        "--response", type=Path, action="append", default=[], help="OCSP response (DER) as stapled; in the order of the chain"
    )
    parser.add_argument("--explain", action="store_true", help="every check with what it found")


def verify_chain(options: argparse.Namespace) -> int:
    role, rules = Role(options.role), RULES[options.rules]
    chain = [octets for path in options.chain for octets in _octets(path)]
    anchors, status = _anchors(options, role), _status(options, chain)
    findings = explain(chain, role, anchors, at(options), rules=rules, status=status)
    error: CertificateError | None = None
    warnings: tuple[str, ...] = ()
    try:
        warnings = verify(chain, role, anchors, at(options), rules=rules, status=status).warnings
    except CertificateError as refused:
        error = refused
    if options.json:
        put(json.dumps(_verdict_json(findings, error, warnings)))
    else:
        _print_verdict(options, findings, error, warnings)
    return NEGATIVE if error else WELL


def _octets(path: Path) -> list[bytes]:
    """DER of the certificates in a file; a file that is no PEM is taken for one DER certificate, whatever it holds."""
    if b"-----BEGIN" not in (content := path.read_bytes()):
        return [content]
    return [one.public_bytes(serialization.Encoding.DER) for one in read_chain(path)]


def _status(options: argparse.Namespace, chain: Sequence[bytes]) -> Status | None:
    if options.revocation == "off":
        return None
    silence = Silence.REFUSES if options.revocation == "strict" else Silence.PASSES
    known = by_records(Store(options.store), silence) if options.store else StatusBook(silence).status
    stapled = dict(zip(chain, [path.read_bytes() for path in options.response], strict=False))

    def status(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> str | None:
        response = stapled.get(certificate.public_bytes(serialization.Encoding.DER))
        if response is None:
            return known(certificate, issuer, now)
        check(response, certificate, issuer, now)  # what is stapled must prove it [V2G20-2413]
        return None

    return status


def _anchors(options: argparse.Namespace, role: Role) -> Anchors:
    given = tuple(root for path in options.root for root in read_chain(path))
    held = Store(options.store).anchors if options.store else Anchors()
    if not given and not options.store:
        raise StoreError("no trust anchors: name a --store or a --root")
    return Anchors(**{family.value: held.of(family) + given for family in PROFILES[role].anchors})


def _verdict_json(findings: Sequence[Finding], error: CertificateError | None, warnings: Sequence[str]) -> dict[str, Any]:
    return {
        "verdict": "refused" if error else "accepted",
        "kind": error.kind.value if error else None,
        "reason": str(error) if error else None,
        "warnings": list(warnings),
        "findings": [
            {
                "check": finding.check,
                "depth": finding.depth,
                "certificate": finding.name,
                "complaint": finding.complaint,
                "kind": finding.kind.value if finding.complaint else None,
                "requirement": finding.requirement or None,
            }
            for finding in findings
        ],
    }


def _print_verdict(
    options: argparse.Namespace, findings: Sequence[Finding], error: CertificateError | None, warnings: Sequence[str]
) -> None:
    depth: int | None = -1
    for finding in findings if options.explain else ():
        if finding.depth != depth:
            depth = finding.depth
            put("chain" if depth is None else f"certificate {depth}: {legible(finding.name)}")
        requirement = f"  [{finding.requirement}]" if finding.requirement else ""
        complaint = f": {legible(finding.complaint)}" if finding.complaint else ""
        put(f"  {'ok' if finding.holds else 'NO'}  {finding.check}{complaint}{requirement}")
    for warning in warnings:
        put(f"note: {legible(warning)}")
    put(f"refused: {legible(error)}" if error else f"accepted as {options.role} by rules {options.rules}")


# --- show ---

SHOW = """what certificates say, and the table they are made from
  v2g pki show certs                    every credential of a store, with what expires soon
  v2g pki show certs/secc/secp521r1.chain.pem
  v2g pki show --profiles               the table of certificate profiles"""


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, nargs="*", help="PEM files or stores")
    parser.add_argument("--profiles", action="store_true")


def show(options: argparse.Namespace) -> int:
    if not options.path and not options.profiles:
        raise StoreError("nothing to show: name a PEM file, a store, or --profiles")
    if options.profiles:
        return _show_profiles(options.json)
    shown: list[dict[str, Any]] = []
    for path in options.path:
        chains = sorted(path.rglob("*.chain.pem")) if path.is_dir() else [path]
        for file in chains:
            shown += [{"file": str(file), "depth": depth} | described(one) for depth, one in enumerate(read_chain(file))]
    if options.json:
        put(json.dumps(shown))
    else:
        for one in shown:
            put("\n".join(f"{key:12} {legible(value)}" for key, value in one.items() if value not in (None, "")), end="\n\n")
    for path in options.path:
        for warning in Store(path).warnings(datetime.now(UTC)) if path.is_dir() else ():
            complain(f"note: {warning}")
    return WELL


def described(certificate: x509.Certificate) -> dict[str, Any]:
    """What a certificate says, for people and for JSON."""
    fact: Facts = facts(certificate)
    return {
        "subject": fact.name,
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "key": fact.key,
        "signature": fact.signature,
        "from": f"{fact.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{fact.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "authority": bool(fact.authority),
        "path_length": fact.path_length,
        "usage": ", ".join(sorted(fact.usage or ())),
        "purposes": ", ".join(sorted(getattr(one, "_name", str(one)) for one in fact.purposes or ())),
        "ocsp": ", ".join(fact.ocsp_urls),
        "form": "; ".join(sorted(lapse.value for lapse in fact.lapses)),  # empty: strict DER
        "octets": fact.octets,
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def _show_profiles(as_json: bool) -> int:
    rows = [_row(profile) for profile in PROFILES.values()]
    if as_json:
        put(json.dumps(rows))
        return WELL
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    for row in [{key: key for key in rows[0]}, *rows]:
        put("  ".join(row[key].ljust(widths[key]) for key in row).rstrip())
    return WELL


def _row(profile: Profile) -> dict[str, str]:
    return {
        "role": profile.role.value,
        "issuer": profile.issuer.value if profile.issuer else "itself" if profile.authority else "any CA",
        "CN": profile.common_name,
        "DC": profile.domain_component or "-",
        "CA": "-" if not profile.authority else "any" if profile.path_length is None else f"path {profile.path_length}",
        "usage": " ".join(sorted(profile.usage)),
        "purposes": " ".join(getattr(one, "_name", "") for one in profile.purposes) or "-",
        "days": str(profile.validity.days),
        "anchors": " ".join(family.value for family in profile.anchors) or "-",
        "follows": profile.requirement,
    }
