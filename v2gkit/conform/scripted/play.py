"""What a scripted station is told to be in one visit: what it offers, and the one thing that it does wrong (pure)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from v2g.iso20.services import DC

ANY = "*"
Answers = Callable[[Any, Any], Any]
"""An answer to a request at a desk: a message, octets as they stand, an act of `acts`, or None for silence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done instead of the good answer to the `nth` request of a name: once, or from then on where `always`."""

    request: str
    answer: Answers
    nth: int = 1
    always: bool = False


@dataclass(frozen=True, slots=True)
class Play:
    """What a station offers. `ways` are those of authorization, `controls` the modes of control: 1 Scheduled, 2 Dynamic.

    `answers` replace good answers by the name of the request and are no fault. `limits` replace fields of its charge parameters. `notify`
    has the EVSEStatus to send in a charge loop, by its number. `joins`: a session that was paused may be resumed. `installs` answers a
    CertificateInstallationReq. `setpoint` is the Dynamic target in W. `generation` is what it speaks, of `speeches.SPEECHES`.
    """

    services: tuple[str, ...] = (DC.name,)
    ways: tuple[str, ...] = ("EIM",)
    controls: tuple[int, ...] = (1,)
    fault: Fault | None = None
    answers: Mapping[str, Answers] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    notify: Mapping[int, Any] = field(default_factory=dict)
    joins: bool = True
    installs: Callable[[Any], Any] | None = None
    challenge: bytes = bytes(range(1, 17))
    setpoint: float = 5_000.0
    evse_id: str = "DE*V2G*E1"
    generation: str = "20"
