"""A VTN for the laboratory, in memory: programs, events, reports, subscriptions, VENs and resources by REST, for clients with two roles.

What is answered depends on the request and the state alone; `now` and randomness are arguments. Webhooks and MQTT are not served:
subscriptions are kept and answered, and nobody is called.
"""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote_plus

import msgspec

from v2gkit.grid.openadr3 import words
from v2gkit.grid.times import written

Json = dict[str, Any]
Role = Literal["bl", "ven"]
LASTS: Final = 3_600.0  # s of a token
TOKENS: Final = 1_024  # that are good at once; the oldest goes
OBJECTS: Final = 10_000  # of a kind
PAGE: Final = 50  # objects of an answer at most
SCOPES: Final[Mapping[Role, frozenset[str]]] = {
    "bl": frozenset(("read_all", "read_bl", "write_programs", "write_events", "write_subscriptions", "write_vens")),
    "ven": frozenset(("read_targets", "read_ven_objects", "write_reports", "write_subscriptions", "write_vens")),
}


class _Shape(words.Word, frozen=True, kw_only=True):
    client_id: words.Name | None = None
    targets: list[words.Text] | None = None


class _Report(_Shape, frozen=True, kw_only=True):
    event_id: words.Name
    client_name: words.Name
    resources: list[Any]


class _Operation(words.Word, frozen=True, kw_only=True):
    objects: list[str]
    operations: list[Literal["CREATE", "READ", "UPDATE", "DELETE"]]
    callback_url: str


class _Subscription(_Shape, frozen=True, kw_only=True):
    client_name: words.Name
    object_operations: list[_Operation]


class _Program(_Shape, frozen=True, kw_only=True):
    program_name: words.Name


class _Event(_Shape, frozen=True, kw_only=True):
    program_id: words.Name
    interval_period: words.IntervalPeriod | None = None
    intervals: list[words.Interval] | None = None
    payload_descriptors: list[words.Descriptor] | None = None


class _Ven(_Shape, frozen=True, kw_only=True):
    ven_name: words.Name


class _Resource(_Shape, frozen=True, kw_only=True):
    resource_name: words.Name
    ven_id: words.Name


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its objectType, who may write it, what it must have, the field that may not come twice, whose it refers to."""

    object_type: str
    write: str  # scope
    shape: type[msgspec.Struct]
    unique: str = ""
    refers: tuple[str, str] | None = None  # field, and path of the kind that it names
    owned: bool = False  # a VEN sees its own alone


KINDS: Final[Mapping[str, Kind]] = {
    "programs": Kind("PROGRAM", "write_programs", _Program, unique="programName"),
    "events": Kind("EVENT", "write_events", _Event, refers=("programID", "programs")),
    "reports": Kind("REPORT", "write_reports", _Report, refers=("eventID", "events"), owned=True),
    "subscriptions": Kind("SUBSCRIPTION", "write_subscriptions", _Subscription, owned=True),
    "vens": Kind("VEN", "write_vens", _Ven, unique="venName", owned=True),
    "resources": Kind("RESOURCE", "write_vens", _Resource, refers=("venID", "vens"), owned=True),
}
FILTERS: Final = ("programID", "eventID", "clientName", "venName", "venID", "resourceName")


def _basic(authorization: str) -> dict[str, str]:
    """Client id and secret of an HTTP Basic header, as RFC 6749 lets a client say them beside the form; empty for anything else."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "basic" or len(text) > 8_192:
        return {}
    try:
        id_, found, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": unquote_plus(id_), "client_secret": unquote_plus(secret)} if found else {}


@dataclass(frozen=True, slots=True)
class Client:
    """Who may ask: a client id with its secret, and its role."""

    id: str
    secret: str = field(repr=False)
    role: Role


class Refusal(Exception):
    """A request is refused with this status, for the reason that its text says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: path without the base, query and header Authorization as they came."""

    method: str
    path: str
    query: str = ""
    authorization: str = ""
    body: bytes = field(default=b"", repr=False)


Given = tuple[int, Any]
"""Status, and what the body says as JSON."""


class Vtn:
    """The objects of one VTN. `base` is its URL; `entropy` gives the octets of tokens and ids."""

    def __init__(self, base: str, clients: Mapping[str, Client], entropy: Callable[[int], bytes]) -> None:
        self._base, self._clients, self._entropy = base.rstrip("/"), dict(clients), entropy
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS}
        self._tokens: dict[str, tuple[str, float]] = {}  # token -> client id, until (epoch s)

    def answer(self, asked: Asked, now: float) -> Given:
        """What a request is answered at `now` (epoch s); never raises for what is asked."""
        try:
            return self._answer(asked, now)
        except Refusal as refusal:
            return refusal.status, {"title": "refused", "status": refusal.status, "detail": str(refusal)}

    def _answer(self, asked: Asked, now: float) -> Given:
        parts = [part for part in asked.path.split("/") if part]
        if parts == ["auth", "server"] and asked.method == "GET":
            return 200, {"tokenURL": f"{self._base}/auth/token"}
        if parts == ["auth", "token"] and asked.method == "POST":
            return self._token(asked, now)
        client = self._client(asked, now)
        if not parts or parts[0] not in KINDS or len(parts) > 2:
            raise Refusal(404, f"there is no {asked.path[:80]!r}; there are {', '.join(KINDS)}")
        path, id_ = parts[0], parts[1] if len(parts) == 2 else None
        if asked.method == "GET":
            return (200, self._page(path, client, asked.query)) if id_ is None else (200, self._one(path, id_, client))
        if KINDS[path].write not in SCOPES[client.role]:
            raise Refusal(
                403, f"{asked.method} /{path} wants the scope {KINDS[path].write}, which a client of the role {client.role} has not"
            )
        if asked.method == "POST" and id_ is None:
            return 201, self._made(path, client, asked.body, now)
        if asked.method == "PUT" and id_ is not None:
            return 200, self._changed(path, self._one(path, id_, client), client, asked.body, now)
        if asked.method == "DELETE" and id_ is not None:
            return 200, self.objects[path].pop(self._one(path, id_, client)["id"])
        raise Refusal(405, f"{asked.method} is nothing that {asked.path[:80]!r} knows")

    # --- who asks ---

    def _token(self, asked: Asked, now: float) -> Given:
        form = parse_qs(asked.body.decode("ascii", "replace"), max_num_fields=16) if len(asked.body) <= 8_192 else {}
        said = _basic(asked.authorization) | {name: values[0] for name, values in form.items()}
        client = self._clients.get(said.get("client_id", ""))
        known = client.secret if client is not None else ""
        right = hmac.compare_digest(known.encode(), said.get("client_secret", "").encode())
        if said.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if client is None or not right:
            return 401, {"error": "invalid_client"}
        token = self._entropy(24).hex()
        while len(self._tokens) >= TOKENS:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[token] = client.id, now + LASTS
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(LASTS),
            "scope": " ".join(sorted(SCOPES[client.role])),
        }

    def _client(self, asked: Asked, now: float) -> Client:
        scheme, _, token = asked.authorization.partition(" ")
        id_, until = self._tokens.get(token.strip(), ("", 0.0)) if scheme.lower() == "bearer" else ("", 0.0)
        if now >= until:
            raise Refusal(401, "a token is wanted, Authorization: Bearer, that is not over; get one at /auth/token")
        return self._clients[id_]

    # --- what there is ---

    def _sees(self, path: str, each: Json, client: Client) -> bool:
        """Whether a client may read an object: a VEN its own, and what is for everybody or for one of its targets."""
        if client.role == "bl":
            return True
        if KINDS[path].owned:
            return bool(each["clientID"] == client.id)
        ours = {target for ven in self.objects["vens"].values() if ven["clientID"] == client.id for target in ven.get("targets") or ()}
        return not each.get("targets") or bool(ours & set(each["targets"]))

    def _page(self, path: str, client: Client, query: str) -> list[Json]:
        asked = {name: values[0] for name, values in parse_qs(query, max_num_fields=32).items()} if len(query) <= 4_096 else {}
        bounds = []
        for name, otherwise in (("skip", "0"), ("limit", str(PAGE))):
            text = asked.get(name, otherwise)
            if not (text.isascii() and text.isdecimal() and len(text) < 10) or (name == "limit" and int(text) > PAGE):
                raise Refusal(400, f"{name} is {text[:20]!r}; give a number{f' up to {PAGE}' if name == 'limit' else ''}")
            bounds.append(int(text))
        wanted = {name: asked[name] for name in FILTERS if name in asked}
        found = [
            each
            for each in self.objects[path].values()
            if self._sees(path, each, client) and all(each.get(name) == value for name, value in wanted.items())
        ]
        return found[bounds[0] : bounds[0] + bounds[1]]

    def _one(self, path: str, id_: str, client: Client) -> Json:
        found = self.objects[path].get(id_)
        if found is None or not self._sees(path, found, client):  # 403 would say that it exists
            raise Refusal(404, f"no object of /{path} has the id {id_[:80]!r}")
        return found

    # --- what is written ---

    def _made(self, path: str, client: Client, body: bytes, now: float) -> Json:
        if len(self.objects[path]) >= OBJECTS:
            raise Refusal(500, f"there are {OBJECTS} objects of /{path}, and no room for another")
        said = self._checked(path, client, body, None)
        id_ = self._entropy(8).hex()
        at = written(now)
        made = said | {"id": id_, "createdDateTime": at, "modificationDateTime": at, "objectType": KINDS[path].object_type}
        self.objects[path][id_] = made
        return made

    def _changed(self, path: str, before: Json, client: Client, body: bytes, now: float) -> Json:
        said = self._checked(path, client, body, before)
        kept = {name: before[name] for name in ("id", "createdDateTime", "objectType", "clientID") if name in before}
        self.objects[path][before["id"]] = changed = said | kept | {"modificationDateTime": written(now)}
        return changed

    def _checked(self, path: str, client: Client, body: bytes, before: Json | None) -> Json:
        """What a body says, if it may be said: its shape, what it refers to, what may not come twice."""
        kind = KINDS[path]
        try:
            msgspec.json.decode(body, type=kind.shape)
            said: Json = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, f"{kind.object_type}: {error}") from None
        if kind.refers is not None:
            name, other = kind.refers
            if said.get(name) not in self.objects[other] or not self._sees(other, self.objects[other][said[name]], client):
                raise Refusal(400, f"{name} is {str(said.get(name))[:80]!r}, which is no object of /{other}")
        twin = (each for each in self.objects[path].values() if each is not before and each.get(kind.unique) == said.get(kind.unique))
        if kind.unique and next(twin, None) is not None:
            raise Refusal(409, f"{kind.unique} {said[kind.unique]!r} is taken")
        if kind.owned:
            said["clientID"] = said.get("clientID", client.id) if client.role == "bl" else client.id
            if client.role == "ven":
                said.pop("targets", None)  # a VEN may not give itself what it may see
                if before is not None and before.get("targets"):
                    said["targets"] = before["targets"]
        return said
