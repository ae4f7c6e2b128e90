"""By which ways a car may get leave to charge on this connection."""

from secc.neutral.context import Context
from secc.station import Authorization


def ways(known: Context) -> tuple[Authorization, ...]:
    """The ways to authorize that are offered; Plug & Charge only on TLS [V2G2-631], and where there is a verifier."""
    secure = known.given.tls is not None and known.given.verifier is not None
    return tuple(way for way in known.outlet.authorizations if way == "EIM" or secure)
