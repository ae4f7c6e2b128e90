"""Bearer tokens of an OpenID Connect issuer beside keys: verified by PyJWT against the issuer's published keys, tenant and role by claims.

Only signatures by key pairs are taken, so that nobody's public key is a secret for HMAC and no token is unsigned. Keys are fetched from the
issuer's own origin, or where the file says, in one bounded request; again when a token names one that is not known, at most once a minute.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import jwt
import msgspec

from v2g.address import origin
from v2g.legible import legible, logger
from v2g.settings import strict
from v2gkit.fleet.declared import NAME, Fleet
from v2gkit.fleet.rest.declared import ROLES, Role
from v2gkit.fleet.rest.keys import Bearer
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Request
from v2gkit.grid.secrecy import demand_secret
from v2gkit.grid.shell.http import asked, tls_client

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # algorithm -> the type of its keys (kty)
CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
LONGEST: Final = 8_192  # characters of a token: those with many groups have 4,000
LARGEST: Final = 65_536  # octets of a document of the issuer
MOST: Final = 64  # keys of an issuer
WAIT: Final = 5.0  # s for a document
AGAIN: Final = 60.0  # s until the keys are asked for anew, whatever tokens name
FRESH: Final = 3_600.0  # s for which keys are taken without asking
STALE: Final = 86_400.0  # s after which keys of an issuer that does not answer open nothing any more
LEEWAY: Final = 30.0  # s by which clocks may differ
BITS: Final = 2_048  # of RSA, at least
SUBJECT: Final = 120  # characters of a name in the audit trail
LOG = logger("v2g.fleet")


class Key(NamedTuple):
    """A public key: its type (kty), the one algorithm that it is for, its curve, and itself as `cryptography` has it."""

    type: str
    algorithm: str | None
    curve: str | None
    key: Any


class Unreachable(Exception):
    """The issuer's keys cannot be had, so nobody's token can be judged."""


@dataclass(frozen=True, slots=True)
class Oidc:
    """What oidc.toml says. `tenants` and `roles` say what the values of claims mean here; without them a value is the name itself."""

    issuer: str
    audience: str
    jwks: str | None = None  # URL; None: as the issuer's discovery document says, on its own origin
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    tenant_claim: str = "tenant"
    role_claim: str = "role"  # a word, or a list of words, of which the highest role counts
    tenants: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    roots: str | None = None  # PEM; None: the system's

    def __post_init__(self) -> None:
        for url in filter(None, (self.issuer, self.jwks)):
            demand_secret(url, "what keys are believed")
        if not self.audience or not self.algorithms:
            raise ValueError("give the audience that tokens for this fleet have, and one algorithm or more")


def declared(path: Path, fleet: Fleet) -> Oidc:
    """The settings of a file. Raises ConfigError, OSError; ValueError for a tenant that is not in the fleet."""
    found = strict.read(Oidc, strict.text_of(path), path)
    for tenant in found.tenants.values():
        if tenant not in fleet.tenants:
            raise ValueError(f"{path}: tenants has {tenant!r}; there are {', '.join(fleet.tenants)}")
    return found


class Issuer:
    """Judges tokens of one issuer, for the tenants of a fleet. `tick` gives monotonic s."""

    def __init__(self, oidc: Oidc, tenants: Callable[[], Mapping[str, Any]], tick: Callable[[], float] = time.monotonic) -> None:
        self._oidc, self._tenants, self._tick = oidc, tenants, tick
        self._keys: dict[str, Key] = {}
        self._had = self._tried = -math.inf
        self._turn = asyncio.Lock()

    async def bearer(self, token: str) -> Bearer | None:
        """Who came with a token; None: it is not one of this issuer for this fleet, or is over. Raises Unreachable."""
        try:
            if len(token) > LONGEST:
                raise jwt.InvalidTokenError(f"{len(token)} characters")
            head = jwt.get_unverified_header(token)
            key = await self._key(head)
            claims = jwt.decode(
                token,
                key,
                algorithms=[head["alg"]],
                audience=self._oidc.audience,
                issuer=self._oidc.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            LOG.info("a token is refused: %s", legible(str(error))[:200])
            return None
        return self._who(claims)

    def _who(self, claims: Mapping[str, Any]) -> Bearer | None:
        oidc = self._oidc
        tenant = claims.get(oidc.tenant_claim)
        tenant = oidc.tenants.get(tenant, None if oidc.tenants else tenant) if isinstance(tenant, str) else None
        said = claims.get(oidc.role_claim)
        words = [each for each in (said if isinstance(said, list) else [said])[:1_000] if isinstance(each, str)]
        roles = [oidc.roles.get(word, None if oidc.roles else word) for word in words]
        known = [role for role in ROLES if role in roles]
        if tenant is None or not NAME.fullmatch(tenant) or tenant not in self._tenants() or not known:
            LOG.info("a token of %s has no tenant or no role here", legible(str(claims["sub"]))[:SUBJECT])
            return None
        return Bearer(tenant, f"oidc:{legible(str(claims['sub']))[:SUBJECT]}", known[-1])

    async def _key(self, head: Mapping[str, Any]) -> Any:
        """The key that a head names, of the type that its algorithm wants. Raises InvalidTokenError, Unreachable."""
        algorithm, id_ = head.get("alg"), head.get("kid")
        if algorithm not in self._oidc.algorithms or not isinstance(id_, str) or "crit" in head:
            raise jwt.InvalidAlgorithmError(
                f"algorithm {algorithm!r}, key {id_!r}: {', '.join(self._oidc.algorithms)} and a kid are wanted"
            )
        if id_ not in self._keys or self._tick() - self._had > FRESH:
            await self._renew()
        key = self._keys.get(id_)
        if key is None:
            raise jwt.InvalidKeyError(f"the issuer has no key {id_[:80]!r}")
        if (
            key.type != TYPES[str(algorithm)[:2]]
            or key.algorithm not in (None, algorithm)
            or CURVES.get(str(algorithm)) not in (None, key.curve)
        ):
            raise jwt.InvalidKeyError(f"the key {id_[:80]!r} is not for {algorithm}")
        return key.key

    async def _renew(self) -> None:
        """Ask for the keys, unless that was done in the last minute. Raises Unreachable where there are none that count any more."""
        async with self._turn:
            now = self._tick()
            if now - self._tried >= AGAIN:
                self._tried = now
                try:
                    self._keys, self._had = await self._fetched(), now
                except GridFault as fault:
                    LOG.warning("the keys of %s: %s", self._oidc.issuer, fault)
            if self._tick() - self._had > STALE:
                self._keys = {}
                raise Unreachable(f"the keys of {self._oidc.issuer} cannot be had; ask with a key of this fleet, or come again")

    async def _fetched(self) -> dict[str, Key]:
        """The issuer's keys by their ids. Raises GridFault."""
        oidc = self._oidc
        tls = await asyncio.to_thread(tls_client, oidc.roots)
        where = oidc.jwks
        if where is None:
            document = await _document(f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration", tls)
            where = str(document.get("jwks_uri", ""))
            if document.get("issuer") != oidc.issuer or _origin(where) != _origin(oidc.issuer):
                raise GridFault(Trouble.DENIED, "its discovery names another issuer, or keys of another origin; give jwks")
        said = (await _document(where, tls)).get("keys")
        found: dict[str, Key] = {}
        for each in said[:MOST] if isinstance(said, list) else ():
            if (key := _public(each)) is not None:
                found.setdefault(each["kid"], key)
        return found


def _public(said: Any) -> Key | None:
    """A key for signatures that is half of a pair, and long enough; None: another one."""
    if not isinstance(said, dict) or said.get("kty") not in TYPES.values() or said.get("use", "sig") != "sig" or "d" in said:
        return None
    algorithm = said.get("alg")
    if not isinstance(said.get("kid"), str) or not isinstance(algorithm, str | None):
        return None
    try:
        key = jwt.PyJWK(said).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if said["kty"] == "RSA" and key.key_size < BITS:
        return None
    return Key(said["kty"], algorithm, getattr(getattr(key, "curve", None), "name", None), key)


async def _document(url: str, tls: Any) -> dict[str, Any]:
    """A JSON object of the issuer. Raises GridFault: no redirect is followed, and nothing long or slow is taken."""
    answer = await asked(Request("GET", url, None, {"Accept": "application/json"}), tls, WAIT)
    if answer.status != 200 or len(answer.body) > LARGEST:
        raise GridFault(Trouble.DENIED, f"{url}: answered {answer.status} with {len(answer.body)} octets")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise GridFault(Trouble.MALFORMED, f"{url}: {error}") from None


def _origin(url: str) -> tuple[Any, ...]:
    """Scheme, host and port of a URL; of what is none another one."""
    try:
        return ("url", origin(url)) if urlsplit(url).scheme in ("http", "https") else ("none",)
    except ValueError:
        return ("none",)
