"""Key derivation and protection against published vectors; wrong places and damage open nothing."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from v2gkit.insight.decode.ciphers import SUITES, Unreadable, cipher13, ciphers12, expand_label, prf, renewed

# RFC 8448, 3: the server's handshake traffic secret, its key and IV
SECRET = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
KEY, IV = bytes.fromhex("3fce516009c21727d0f2e4e86ee403bc"), bytes.fromhex("5d313eb2671276ee13000b30")


def test_keys_of_tls_13_are_those_of_rfc_8448() -> None:
    assert expand_label(SECRET, "key", 16, "sha256") == KEY
    assert expand_label(SECRET, "iv", 12, "sha256") == IV


def test_a_record_opens_at_its_place_alone() -> None:
    header = b"\x17\x03\x03\x00\x15"
    fragment = AESGCM(KEY).encrypt((int.from_bytes(IV, "big") ^ 3).to_bytes(12, "big"), b"octet", header)
    cipher = cipher13(SECRET, SUITES[0x1301])
    assert cipher.opened(3, header, fragment) == b"octet"
    for sequence, head, octets in (
        (2, header, fragment),
        (3, b"\x16" + header[1:], fragment),
        (3, header, fragment[:-1]),
        (3, header, b""),
    ):
        with pytest.raises(Unreadable):
            cipher.opened(sequence, head, octets)


def test_the_pseudorandom_function_of_tls_12_is_that_of_the_published_vector() -> None:
    """The vector for SHA-256 that the TLS working group's list has."""
    secret, seed = bytes.fromhex("9bbe436ba940f017b17652849a71db35"), bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    assert prf(secret, b"test label", seed, 100, "sha256")[:16].hex() == "e3f229ba727be17b8d122620557cd453"


@pytest.mark.parametrize("code", [code for code in SUITES if code not in (0x1301, 0x1302, 0x1303)])
def test_damaged_records_of_tls_12_open_nothing(code: int) -> None:
    for after in (False, True):
        for cipher in ciphers12(bytes(48), SUITES[code], (bytes(32), bytes(32)), after):
            for length in (0, 1, 7, 8, 16, 31, 32, 33, 48, 64, 96, 200):
                with pytest.raises(Unreadable):
                    cipher.opened(0, b"\x17\x03\x03\x00\x00", bytes(length))


def test_suites_have_the_numbers_and_names_of_the_registry() -> None:
    assert SUITES[0xC023].name == "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"
    assert SUITES[0xC02C].name == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    assert len({suite.name for suite in SUITES.values()}) == len(SUITES)


def test_a_secret_is_renewed_to_one_of_its_size() -> None:
    assert len(renewed(bytes(48), SUITES[0x1302])) == 48
    assert renewed(SECRET, SUITES[0x1301]) != SECRET
