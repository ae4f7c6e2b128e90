"""Puts the certificates of a chain in order, and says what was not in order: swapped, doubled, with the root, with foreign ones."""

from collections.abc import Sequence

from cryptography import x509

from pki.certificate import directly_issued


def in_order(chain: Sequence[x509.Certificate]) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    """A chain, whose first certificate is the leaf, in the order leaf to root, each once and without root; and what was not in order.

    Certificates that are not on the path follow it: a cross certificate may be needed by another peer.
    """
    path, rest = [chain[0]], list(chain[1:])
    while (above := next((one for one in rest if one not in path and not _root(one) and directly_issued(path[-1], one)), None)) is not None:
        path.append(above)
    others = [one for place, one in enumerate(rest) if one not in path and not _root(one) and one not in rest[:place]]
    return (*path, *others), remarks(chain, path)


def remarks(sent: Sequence[x509.Certificate], path: Sequence[x509.Certificate]) -> tuple[str, ...]:
    """What was not in order in a chain, `sent`, that contains `path`; certificates are counted from the leaf, 0."""
    found = []
    places = [sent.index(one) for one in path]
    if places != sorted(places):
        found.append(f"the chain is out of order: from leaf to root it is certificates {', '.join(map(str, places))}")
    for place, one in enumerate(sent):
        if one in sent[:place]:
            found.append(f"certificate {place} is certificate {sent.index(one)} again")
        elif one not in path and _root(one):
            found.append(f"certificate {place} is a root, which stays at home: a peer trusts those it holds")
        elif one not in path:
            found.append(f"certificate {place} does not belong to the path")
    return tuple(found)


def _root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer and directly_issued(certificate, certificate)
