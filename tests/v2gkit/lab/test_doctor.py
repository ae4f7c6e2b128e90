"""The doctor shakes hands with itself, and every complaint comes with a cure."""

from pathlib import Path

from v2gkit.lab.doctor import examine


def test_tls_of_both_curve_families_is_found_sound(tmp_path: Path) -> None:
    findings = {finding.topic: finding for finding in examine(tmp_path)}
    assert findings["TLS secp521r1"].verdict == "ok"
    assert "TLSv1.3" in findings["TLS secp521r1"].found
    assert findings["TLS ed448"].verdict == "ok"


def test_every_complaint_has_a_cure(tmp_path: Path) -> None:
    for finding in examine(tmp_path):
        assert finding.verdict == "ok" or finding.cure or finding.topic == "TLS limit", finding


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    (finding,) = [f for f in examine(tmp_path / "none") if f.topic == "certificates"]
    assert finding.verdict == "note"
    assert "v2g pki create" in finding.cure
