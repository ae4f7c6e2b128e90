"""Makes the parts of a CSMS from command line options: strategy, TLS, passwords, certificates."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ocpp_bridge.model.payments import Company
from ocpp_bridge.wire.schemas import Payload
from pki.errors import StoreError
from pki.store import Store
from v2g.energy.prices import parse_prices
from v2g.energy.site import Site
from v2g.settings.strict import TABLE_LIMIT, octets_of
from v2gkit.authorities import passwords
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.grounds import GroundsConfig, read_grounds
from v2gkit.csms.steering import Strategy
from v2gkit.extras import missing

if TYPE_CHECKING:
    from v2gkit.csms.store.keeper import Store as History

Kind = Literal["prices", "setpoint", "none"]


def strategy_of(name: Kind, prices: Path | None, import_limit: float | None, export_limit: float, setpoint: float) -> Strategy:
    """The strategy "prices", "setpoint" or "none"; limits and setpoint in W. ValueError names what is wrong with the price file."""
    file = prices or Path(__file__).parents[1] / "lab" / "data" / "day_ahead.csv"
    if name == "prices" and (lacking := missing(["energy"])):
        raise ValueError(f"--strategy prices: {lacking}, or give another strategy")
    octets = octets_of(file, TABLE_LIMIT) if name == "prices" else None
    try:
        series = None if octets is None else parse_prices(octets)
    except ValueError as error:
        raise ValueError(f"--prices {file}: {error}") from None
    site = Site(export_limit=export_limit)
    return Strategy(name, series, site if import_limit is None else replace(site, import_limit=import_limit), setpoint)


def shared(file: Path, strategy: Kind) -> GroundsConfig:
    """The connection that stations share, from a TOML file. ValueError for one that cannot be used."""
    if strategy != "prices":
        raise ValueError(f"--site: its stations are planned for by prices, not by the strategy {strategy}; leave one of them out")
    try:
        return read_grounds(file)
    except OSError as error:
        raise ValueError(f"--site {file}: {error.strerror}; give a TOML file") from None


def tls_of(cert: Path | None, key: Path | None, client_ca: Path | None = None, option: str = "--") -> ssl.SSLContext | None:
    """The TLS context for these files, None without. ValueError where certificate or key is missing; options begin with `option`."""
    if cert is None:
        if client_ca or key:
            raise ValueError(f"{option}key and {option}client-ca need {option}cert" if client_ca else f"{option}key needs {option}cert")
        return None
    for file in filter(None, (cert, key, client_ca)):
        file.open("rb").close()  # OpenSSL does not say which one it misses
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # the default one would log its secrets wherever SSLKEYLOGFILE points
        if client_ca is not None:
            context.load_verify_locations(client_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        files = f"{option}cert, {option}key" + (" and --client-ca" if client_ca else "")
        raise ValueError(f"{files}: {error.reason or 'no PEM'}; give PEM, and the key of the certificate") from None
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def door_of(file: Path | None, given: Sequence[str]) -> passwords.Door | None:
    """The check of passwords, from a file and from arguments NAME:PASSWORD; None: none are asked for. ValueError for malformed ones."""
    known = passwords.read(file) if file else {}
    spoken = given or os.environ.get("V2G_CSMS_PASSWORDS", "").split()
    known |= dict(map(passwords.name_and_secret, spoken))
    if file and not known:
        raise ValueError(f"--passwords: {file} is empty, and nobody could come in")
    return passwords.Door(known) if known else None


def pki_of(directory: Path | None, time_of: Callable[[], float]) -> LabPki | None:
    """The certificate services from a folder, None without one. ValueError for a folder without provisioning service."""
    if directory is None:
        return None
    try:
        return LabPki.of(Store(directory), time_of)
    except StoreError as error:
        raise ValueError(f"--cps: {error}") from None


class _Company(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    address1: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    city: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    country: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    address2: Annotated[str, msgspec.Meta(max_length=100)] = ""
    postal_code: Annotated[str, msgspec.Meta(max_length=20)] = ""


def companies_of(path: Path | None) -> dict[str, Payload]:
    """The companies of a TOML file by their VAT numbers, as AddressType of OCPP; none without a file. ValueError names what is wrong."""
    if path is None:
        return {}
    try:
        known = msgspec.toml.decode(octets_of(path, TABLE_LIMIT), type=dict[str, _Company])
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"--companies {path}: {error}") from None
    return {number: Company(**msgspec.structs.asdict(company)).payload for number, company in known.items()}


def demand_extras(folder: Path | None, url: str | None, api: int | None, nats: str | None) -> None:
    """Raise ValueError with the cure where a library is missing that these options want."""
    wants = {"--state": folder, "--store": url or os.environ.get("V2G_CSMS_STORE"), "--api": api, "--nats": nats}
    asked = [name for name, value in wants.items() if value is not None]
    if asked and (lacking := missing(["csms", "ui"] if api is not None else ["csms"])):
        raise ValueError(f"{asked[0]}: {lacking}")
    if nats is not None and not (wants["--store"] or folder):
        raise ValueError("--nats: processes that share stations share their history; give all of them one --store")


@contextlib.contextmanager
def archived(folder: Path | None, url: str | None, wanted: bool = False) -> "Iterator[History | None]":
    """The store of the history, within the block: in a folder, or at a URL (V2G_CSMS_STORE where none is given); None: there is none.

    One that is `wanted` without a place is in a folder that goes with the block. ValueError where it cannot be had.
    """
    url = url or (None if folder else os.environ.get("V2G_CSMS_STORE"))
    if folder is None and url is None:
        if not wanted:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="v2g-csms-") as passing, archived(Path(passing), None) as history:
            yield history
        return
    from v2gkit.csms.store.keeper import Store as History
    from v2gkit.csms.store.keeper import file_url
    from v2gkit.sql.words import StoreFault

    try:
        history = History(url or file_url(folder or Path()))
    except StoreFault as fault:
        raise ValueError(str(fault)) from None
    try:
        yield history
    finally:
        history.close()
