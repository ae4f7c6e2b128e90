"""Where others reach a site that listens to them: the web server of `v2g grid` and of `v2g csms --grid`."""

from pathlib import Path
from typing import Any

from v2gkit.extras import missing


def site_of(grid: Any, listening: Any) -> Any:
    """The server that a site's sources call; None where none does. ValueError, ConfigError, OSError."""
    if grid.serving is None:
        return None
    if (lacking := missing(("web",))) is not None:
        raise ValueError(lacking)
    from v2g.address import host_and_port
    from v2gkit.authorities.web import Site

    serving = grid.serving
    host, port = host_and_port(serving.listen)
    routes: list[Any] = []
    site = Site(routes, host, port, tls_server(serving.cert, serving.key))
    routes += listening.routes(serving.url or site.url)
    return site


def tls_server(cert: str | Path | None, key: str | Path | None) -> Any:
    """The TLS of a server with this chain and key (PEM); None without. OSError."""
    if cert is None or key is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
