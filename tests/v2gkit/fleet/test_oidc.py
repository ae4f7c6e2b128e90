"""Tokens of an issuer: a small one on loopback with real keys; what is forged, over, of another, or too long opens nothing."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.v2gkit.fleet.depot import written
from tests.v2gkit.grid.test_vendor import served
from v2gkit.fleet import declared as fleet_declared
from v2gkit.fleet.rest.oidc import AGAIN, STALE, Issuer, Oidc, Unreachable, declared

RSA, SMALL, OTHER = (rsa.generate_private_key(65_537, bits) for bits in (2_048, 1_024, 2_048))
EC, WIDE = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
KEYS = {"r": (RSA, "RS256"), "small": (SMALL, "RS256"), "e": (EC, "ES256"), "wide": (WIDE, None)}


def jwks() -> list[dict[str, Any]]:
    """The public halves, one key for encryption and one that is a secret."""
    found = []
    for id_, (key, algorithm) in KEYS.items():
        kind: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
        said = kind.to_jwk(key.public_key(), as_dict=True) | {"kid": id_} | ({"alg": algorithm} if algorithm else {})
        found += [said, said | {"kid": f"{id_}-enc", "use": "enc"}]
    return [*found, {"kty": "oct", "kid": "secret", "k": "AAAA", "alg": "HS256"}, {"kty": "RSA", "kid": "broken"}, None]  # type: ignore[list-item]


class House:
    """An issuer at work, and who judges its tokens."""

    def __init__(self, url: str, oidc: Oidc, judge: Issuer) -> None:
        self.url, self.oidc, self.judge, self.tick = url, oidc, judge, 0.0

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r", head: Any = None, **claims: Any) -> str:
        now = int(time.time())
        said = {
            "iss": self.oidc.issuer,
            "aud": "fleet",
            "sub": "eve",
            "iat": now,
            "exp": now + 300,
            "tenant": "metro",
            "role": "read",
        } | claims
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key, algorithm, (head or {}) | ({"kid": kid} if kid else {}))


class Origin:
    """What the issuer serves, and how often it was asked."""

    def __init__(self) -> None:
        self.url, self.asked, self.keys, self.status, self.extra = "", 0, jwks(), 200, {}

    def answer(self, target: str, headers: dict[str, str]) -> tuple[int, Any]:
        if target == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.extra
        self.asked += 1
        return self.status, {"keys": self.keys} if self.status == 200 else b"x" * 100


@asynccontextmanager
async def issuer(**more: Any) -> AsyncIterator[tuple[House, Origin]]:
    origin = Origin()
    async with served(origin.answer) as origin.url:
        oidc = Oidc(origin.url, "fleet", **more)
        house = House(origin.url, oidc, None)  # type: ignore[arg-type]
        house.judge = Issuer(oidc, lambda: {"metro": 1, "shop": 1}, lambda: house.tick)
        yield house, origin


def test_a_token_is_a_tenant_and_a_role_by_its_claims() -> None:
    async def scene() -> None:
        async with issuer() as (house, origin):
            who = await house.judge.bearer(house.token())
            assert who is not None
            assert (who.tenant, who.name, who.role) == ("metro", "oidc:eve", "read")
            who = await house.judge.bearer(house.token(EC, "ES256", "e", tenant="shop", role=["read", "admin", "other", 7]))
            assert who is not None
            assert (who.tenant, who.role) == ("shop", "admin")
            assert origin.asked == 1  # the keys are kept
        async with issuer(tenants={"Metro Buses": "metro"}, roles={"ops": "operate"}) as (house, origin):
            who = await house.judge.bearer(house.token(tenant="Metro Buses", role="ops"))
            assert who is not None
            assert (who.tenant, who.role) == ("metro", "operate")
            assert await house.judge.bearer(house.token(tenant="metro", role="ops")) is None  # only what is mapped
            assert await house.judge.bearer(house.token(tenant="Metro Buses", role="admin")) is None

    asyncio.run(scene())


def forged(token: str, secret: bytes) -> str:
    """A token whose HMAC has somebody's public key as its secret."""
    _, body, _ = token.split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"r"}').rstrip(b"=").decode()
    digest = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.mark.filterwarnings("ignore:The RSA key is 1024")
def test_what_is_not_a_token_of_this_issuer_for_this_fleet_opens_nothing() -> None:
    async def scene() -> None:
        async with issuer(algorithms=("RS256", "ES256", "PS256")) as (house, _):
            now = int(time.time())
            public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            head, body, tail = house.token().split(".")
            bad = {
                "another's signature": house.token(OTHER),
                "a changed body": f"{head}.{body[:-4]}AAAA.{tail}",
                "no signature": f"{head}.{body}.",
                "alg none": jwt.encode({"iss": house.url, "aud": "fleet"}, "", "none", {"kid": "r"}),
                "HMAC with the public key": forged(house.token(), public),
                "HMAC with a published secret": house.token("A" * 32, "HS256", "secret"),
                "an algorithm that is not the key's": house.token(RSA, "PS256"),
                "an algorithm that is not taken": house.token(RSA, "RS512"),
                "a curve that is not the algorithm's": house.token(EC, "ES256", "wide"),
                "a key for encryption": house.token(kid="r-enc"),
                "a short key": house.token(SMALL, kid="small"),
                "no kid": house.token(kid=None),
                "a strange kid": house.token(kid="../../r"),
                "crit": house.token(head={"crit": ["x"], "x": 1}),
                "over": house.token(exp=now - 60),
                "not yet": house.token(nbf=now + 600),
                "no end": house.token(exp=None),
                "no subject": house.token(sub=None),
                "another issuer": house.token(iss="https://evil.example"),
                "another audience": house.token(aud="other"),
                "no tenant": house.token(tenant=None),
                "a strange tenant": house.token(tenant="nobody"),
                "tenants in a list": house.token(tenant=["metro", "shop"]),
                "no role": house.token(role=None),
                "a strange role": house.token(role={"read": 1}),
                "too long": house.token(more="x" * 9_000),
                "nothing": "..",
                "noise": "a.b.c",
            }
            for what, token in bad.items():
                assert await house.judge.bearer(token) is None, what
            assert await house.judge.bearer(house.token()) is not None

    asyncio.run(scene())


def test_keys_are_asked_for_seldom_and_an_issuer_that_is_gone_ends_by_itself() -> None:
    async def scene() -> None:
        async with issuer() as (house, origin):
            assert await house.judge.bearer(house.token()) is not None
            for _ in range(20):
                assert await house.judge.bearer(house.token(kid="new")) is None
            assert origin.asked == 1
            house.tick += AGAIN + 1
            rolled = origin.keys[0] | {"kid": "new"}  # the issuer has another key now
            origin.keys = [rolled]
            assert await house.judge.bearer(house.token(kid="new")) is not None
            assert origin.asked == 2
            assert await house.judge.bearer(house.token()) is None  # and the old one is no more
            origin.status = 500
            house.tick += STALE / 2
            assert await house.judge.bearer(house.token(kid="new")) is not None
            house.tick += STALE
            with pytest.raises(Unreachable):
                await house.judge.bearer(house.token(kid="new"))

    asyncio.run(scene())


@pytest.mark.parametrize("extra", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://127.0.0.1:1/keys"}, {"jwks_uri": "file:///x"}])
def test_a_discovery_that_leads_elsewhere_is_not_followed(extra: dict[str, str]) -> None:
    async def scene() -> None:
        async with issuer() as (house, origin):
            origin.extra = extra
            with pytest.raises(Unreachable):
                await house.judge.bearer(house.token())
            assert origin.asked == 0

    asyncio.run(scene())


@pytest.mark.parametrize("keys", [b"x" * 70_000, {"keys": "no"}, {"keys": [None, 7]}, []])
def test_documents_that_are_none_cost_nothing_else(keys: Any) -> None:
    async def scene() -> None:
        async with issuer() as (house, origin):
            answer = origin.answer
            origin.answer = lambda target, headers: answer(target, headers) if "well" in target else (200, keys)  # type: ignore[method-assign]
            async with served(lambda target, headers: origin.answer(target, headers)) as url:
                origin.url = url
                judge = Issuer(Oidc(url, "fleet"), lambda: {"metro": 1}, lambda: 0.0)
                try:
                    assert await judge.bearer(house.token()) is None
                except Unreachable:
                    assert not isinstance(keys, dict)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('issuer = "http://login.example"\naudience = "a"', "https"),
        ('issuer = "https://login.example"\naudience = ""', "audience"),
        ('issuer = "https://login.example"\naudience = "a"\nalgorithms = ["HS256"]', "HS256"),
        ('issuer = "https://login.example"\naudience = "a"\n[tenants]\nx = "nobody"', "nobody"),
        ('issuer = "https://login.example"\naudience = "a"\n[roles]\nx = "root"', "root"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(said: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "oidc.toml"
    file.write_text(said)
    with pytest.raises(ValueError, match=why):
        declared(file, fleet_declared.read(written(tmp_path)))


def test_a_token_is_no_json_that_is_deep() -> None:
    async def scene() -> None:
        async with issuer() as (house, _):
            head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "r"}).encode()).rstrip(b"=").decode()
            deep = base64.urlsafe_b64encode(b"[" * 3_000).decode().rstrip("=")
            assert await house.judge.bearer(f"{head}.{deep}.AAAA") is None
            assert await house.judge.bearer(f"{deep}.{deep}.AAAA") is None

    asyncio.run(scene())
