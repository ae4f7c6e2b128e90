"""The shell of the laboratory's VTN: the routes by which the web server of the laboratory's services reaches it."""

import json
import secrets
import time
from collections.abc import Mapping

from v2gkit.authorities.route import Answer, Asked, Route
from v2gkit.grid.openadr3 import vtn


def routes_of(base: str, clients: Mapping[str, vtn.Client]) -> list[Route]:
    """The routes of a VTN for these clients, whose URL is `base`."""
    serving = vtn.Vtn(base, clients, secrets.token_bytes)

    def route(method: str) -> Route:
        async def service(asked: Asked) -> Answer:
            said = vtn.Asked(method, asked.path, asked.query, asked.headers.get("Authorization", ""), asked.body)
            status, body = serving.answer(said, time.time())
            return Answer(json.dumps(body).encode(), "application/json" if status < 400 else "application/problem+json", status)

        return method, "/", service

    return [route(method) for method in ("GET", "POST", "PUT", "DELETE")]
