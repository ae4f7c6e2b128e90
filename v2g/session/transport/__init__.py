"""The shell of a session: sockets, TLS, time. Everything that waits is here; every decision is made in the pure modules below.

serve, Server, ServerTls     a station's side
run, ClientTls               a car's side
discovery                    SECC discovery, both sides
pump                         one connection
openssl                      TLS between memory buffers
"""

from v2g.session.transport.client import ClientTls, run
from v2g.session.transport.connection import Attend, Limits
from v2g.session.transport.discovery import DiscoveryServer, Found, discover
from v2g.session.transport.server import Served, Server, ServerTls

__all__ = ["Attend", "ClientTls", "DiscoveryServer", "Found", "Limits", "Served", "Server", "ServerTls", "discover", "run"]
