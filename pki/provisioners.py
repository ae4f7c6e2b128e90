"""The provisioning services of a store, one for each generation, behind one call: a request says by its own octets whose it is."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from pki import signature as xmldsig
from pki.certificate import facts
from pki.envelope import Entropy
from pki.errors import StoreError
from pki.identifiers import same_account
from pki.profiles import ISO2, ISO20, Role, Rules
from pki.provisioning import Held, ProvisioningService
from pki.provisioning_service2 import ProvisioningService2, account_of
from pki.store import Credential, Store
from pki.verify import Status
from v2g.exi.codec import root
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set
from v2g.messages.iso2.msg_def import V2G_Message


@dataclass(frozen=True, slots=True)
class Provisioners:
    """What a store can provision: None for a generation for whose curves it lacks a service or a contract."""

    newer: ProvisioningService | None
    older: ProvisioningService2 | None

    def answer_exi(self, octets: bytes, now: datetime) -> bytes:
        """The response (EXI) to a request for a contract (EXI). Raises DecodeError for what is none, or has no service here."""
        older = is_older(octets)
        service = self.older if older else self.newer
        if service is None:
            generation, rules = ("ISO 15118-2", ISO2) if older else ("ISO 15118-20", ISO20)
            curves = " or ".join(sorted(rules.algorithms))
            raise DecodeError(f"no contract for {generation} is given here: the store needs a cps and a contract on {curves}")
        return service.answer_exi(octets, now)


def is_older(octets: bytes) -> bool:
    """Whether a message (EXI) is in the envelope of ISO 15118-2."""
    try:
        return root(octets, schema_set("iso2")).type is V2G_Message
    except DecodeError:
        return False


def provisioners(
    store: Store,
    entropy: Entropy,
    *,
    admitted: Callable[[str], bool] = lambda pcid: True,
    status: Status | None = None,
    rules: Rules = ISO20,
    suites: Collection[str] = xmldsig.ISO20,
) -> Provisioners | None:
    """The services of a store, which give its contracts to cars `admitted` by their PCID; None where it has none for any generation."""

    def held(role: Role, of: Rules) -> tuple[Credential, ...]:
        return tuple(one for one in store.credentials(role) if one.curve in of.algorithms)

    def giving(of: Rules) -> Callable[[str], Sequence[Held]]:
        return lambda pcid: held(Role.CONTRACT, of) if admitted(pcid) else ()

    def renewed(emaid: str) -> Sequence[Held]:
        return [one for one in held(Role.CONTRACT, ISO2) if same_account(account_of(one), emaid)]

    newer = held(Role.CPS, rules) and held(Role.CONTRACT, rules)
    older = held(Role.CPS, ISO2) and held(Role.CONTRACT, ISO2)
    if not newer and not older:
        return None
    return Provisioners(
        ProvisioningService(held(Role.CPS, rules)[0], store.anchors, giving(rules), entropy, status, rules, suites) if newer else None,
        ProvisioningService2(held(Role.CPS, ISO2)[0], store.anchors, giving(ISO2), renewed, entropy, manufacturers(store), status)
        if older
        else None,
    )


def demand(found: Provisioners | None, store: Store) -> Provisioners:
    """What was found. Raises StoreError where that is nothing."""
    if found is None:
        raise StoreError(f"{store.path} holds no cps credential with a contract on its curve; see: v2g pki create --help")
    return found


def manufacturers(store: Store) -> tuple[x509.Certificate, ...]:
    """The sub-CAs of manufacturers in a store, which a car of ISO 15118-2 does not send along."""
    roles = (Role.OEM_SUB1, Role.OEM_SUB2, Role.PROVISIONING)
    chains = (certificate for role in roles for one in store.credentials(role) for certificate in one.chain)
    return tuple(dict.fromkeys(one for one in chains if facts(one).authority))
