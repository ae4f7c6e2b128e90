"""`v2g pki`: certificates, chains and the services around them."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {
    "create": Command("v2gkit.cli.pki.create", "build every certificate that station, car, provider and provisioning service need"),
    "verify": Command("v2gkit.cli.pki.verify", "judge a chain by the role of its leaf"),
    "show": Command("v2gkit.cli.pki.show", "what certificates say, and the table they are made from"),
    "csr": Command("v2gkit.cli.pki.csr", "make a key and a certificate request for a role"),
    "sign": Command("v2gkit.cli.pki.sign", "sign a certificate request by an authority of a store"),
    "revoke": Command("v2gkit.cli.pki.revoke", "revoke a certificate, for the responder and the revocation lists of its authority"),
    "crl": Command("v2gkit.cli.pki.crl", "write the revocation list of an authority"),
    "staple": Command("v2gkit.cli.pki.staple", "make or fetch the OCSP responses a station staples to its chain"),
    "broken": Command("v2gkit.cli.pki.broken", "chains that are wrong on purpose, each with the verdict a verifier must reach"),
    "ocsp": Command("v2gkit.cli.pki.ocsp", "serve OCSP and revocation lists for every authority of a store"),
    "status": Command("v2gkit.cli.pki.status", "ask an OCSP responder about a certificate"),
    "cps": Command("v2gkit.cli.pki.cps", "a certificate provisioning service: hands the contracts of a store to cars that ask"),
    "est": Command("v2gkit.cli.pki.est", "an enrolment server (RFC 7030) for station certificates"),
    "password": Command("v2gkit.cli.pki.password", "put the secret of a station into a file, as a hash, for `v2g pki est` and `v2g csms`"),
    "renew": Command("v2gkit.cli.pki.renew", "renew a station's certificate by EST; a station that runs takes it for its next session"),
}
EPILOG = """examples (each command has more under --help):
  v2g pki create certs
  v2g pki verify certs/secc/secp521r1.chain.pem --role secc --store certs --explain
  v2g pki show certs/secc/secp521r1.chain.pem

exit codes: 0 well, 1 the verdict is negative, 2 wrong usage, file or plan
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g pki`."""
    add_commands(parser, COMMANDS)
