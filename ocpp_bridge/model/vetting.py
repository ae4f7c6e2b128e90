"""What a CSMS says of the certificates of vehicles (GetCertificateChainStatus, 2.1): what to ask about, and what an answer means (pure).

The word of a CSMS is not signed, and counts because its connection is authentic. A revocation holds until it says Good; Good holds until
`nextUpdate`, and never against what an authority has signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ocpp_bridge.model.safe import hash_data, same
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch
from pki.certificate import facts, read
from secc.station import AuthorizationWanted

SOURCES: Final = ("OCSP", "CRL")
MOST: Final = 4  # certificates in one question
URLS, URL_MAXIMUM = 5, 2000  # of a certificate, and characters of one
LONGEST: Final = 7 * 86_400.0  # s that a word holds at most, as a response of OCSP does [V2G20-1021]
SHORTEST: Final = 60.0  # s before a word is asked for anew, whatever it says of its end
KEPT: Final = 1000  # words; beyond it the oldest goes


@dataclass(frozen=True, slots=True)
class Question:
    """One certificate (DER) to ask about, with its issuer; `info` is its CertificateStatusRequestInfo, None where it names no source."""

    certificate: bytes
    issuer: bytes
    name: str  # by which it is known, whatever its octets are
    info: Payload | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """What the CSMS said of a certificate, and until when (epoch s) it need not be asked again."""

    status: str  # Good or Revoked
    until: float


@dataclass(slots=True)
class Vetting:
    """The vetting of the car of one session: what it waits for, and the question of the session that waits with it."""

    questions: tuple[Question, ...] = ()
    open: bool = False  # an answer may still come
    waiting: AuthorizationWanted | None = None


@dataclass(slots=True)
class Vetted:
    """What is known of vehicles by the word of the CSMS. With `demanded` a car is served only once all its certificates are called Good."""

    demanded: bool = False
    words: dict[str, Word] = field(default_factory=dict)  # by the name of the question
    revoked: dict[str, Question] = field(default_factory=dict)  # likewise: to be asked about again
    due: float | None = None  # monotonic s, when that is

    def take(self, question: Question, word: Word) -> None:
        """Remember a word about a certificate, in place of the one before; of too many the oldest goes."""
        self.words.pop(question.name, None)
        if len(self.words) >= KEPT:
            del self.words[next(iter(self.words))]
        self.words[question.name] = word

    def status(self, question: Question, wall: float) -> str:
        """Good or Revoked, as far as a word counts at `wall` (epoch s); empty: the CSMS is to be asked."""
        word = self.words.get(question.name)
        return "" if word is None or (word.status == "Good" and wall >= word.until) else word.status


def questions_of(chain: Sequence[bytes], sources: Sequence[str]) -> tuple[Question, ...]:
    """The questions about a chain (DER, leaf first, its root last), by the first of `sources` that each certificate names."""
    return tuple(_question(one, issuer, sources) for one, issuer in pairwise(chain[: MOST + 1]))


def _question(certificate: bytes, issuer: bytes, sources: Sequence[str]) -> Question:
    named = hash_data(read(certificate), read(issuer))
    name = f"{named['issuerKeyHash'][:32]}-{named['serialNumber']}"
    return Question(certificate, issuer, name, _info(certificate, named, sources))


def _info(certificate: bytes, named: Payload, sources: Sequence[str]) -> Payload | None:
    fact = facts(read(certificate))
    urls = {"OCSP": fact.ocsp_urls, "CRL": fact.crl_urls}
    usable = {source: [url for url in urls[source] if len(url) <= URL_MAXIMUM][:URLS] for source in sources}
    source = next((source for source in sources if usable[source]), None)
    if source is None:
        return None
    return {"source": source, "urls": usable[source], "certificateHashData": named}


def words_of(questions: Sequence[Question], response: Payload, wall: float) -> list[tuple[Question, Word]]:
    """What an answer at `wall` (epoch s) says of the certificates that were asked about; Unknown and Failed are left out."""
    found = []
    for question in questions:
        said = [each for each in response["certificateStatus"] if question.info is not None and _about(question.info, each)]
        if decisive := [each for each in said if each["status"] == "Revoked"] or [each for each in said if each["status"] == "Good"]:
            found.append((question, Word(decisive[0]["status"], _until(decisive[0]["nextUpdate"], wall))))
    return found


def _about(info: Payload, said: Payload) -> bool:
    try:
        return same(said["certificateHashData"], info["certificateHashData"])
    except ValueError:  # hashes that are none name nothing
        return False


def _until(text: str, wall: float) -> float:
    try:
        return min(max(epoch(text), wall + SHORTEST), wall + LONGEST)
    except ValueError:
        return wall + SHORTEST
