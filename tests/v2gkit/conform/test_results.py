"""Results as they are published: the schema, JUnit XML by the rules of those who read it, the page, comparison, explanation."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from lxml import etree

from tests.v2gkit.conform.runs import CAMPAIGN_OF_RUN, RUN, of_catalogue, written
from v2gkit.cli.main import main
from v2gkit.conform import results
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.entries import WHY, entry
from v2gkit.conform.explained import lines
from v2gkit.conform.junit import junit
from v2gkit.conform.published import inputs, publish
from v2gkit.conform.report.comparison import Change, compared, worse
from v2gkit.conform.report.matrix import by_requirement
from v2gkit.conform.report.pages import report
from v2gkit.conform.results import Campaign
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.conform.written import row
from v2gkit.peers.junit_setup import schema

HOSTILE = "</td><script>alert(1)</script>\x00\x1b[31m\u202e]]>&\"'"
TEXT = "<xs:restriction base='xs:token'><xs:minLength value='1'/></xs:restriction>"
# What Ant's JUnit task writes and Jenkins reads, in a schema of our own: elements, their order, and what must be there.
XSD = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
 <xs:simpleType name="named">{TEXT}</xs:simpleType>
 <xs:simpleType name="moment"><xs:restriction base="xs:dateTime">
  <xs:pattern value="\\d{{4}}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d"/></xs:restriction></xs:simpleType>
 <xs:complexType name="reason"><xs:simpleContent><xs:extension base="xs:string">
  <xs:attribute name="message" type="xs:string"/><xs:attribute name="type" type="xs:string" use="required"/>
 </xs:extension></xs:simpleContent></xs:complexType>
 <xs:element name="testsuites"><xs:complexType><xs:sequence>
  <xs:element name="testsuite" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
   <xs:element name="properties"><xs:complexType><xs:sequence>
    <xs:element name="property" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
     <xs:attribute name="name" type="named" use="required"/><xs:attribute name="value" type="xs:string" use="required"/>
    </xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
   <xs:element name="testcase" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
    <xs:choice minOccurs="0"><xs:element name="failure" type="reason"/><xs:element name="error" type="reason"/>
     <xs:element name="skipped"><xs:complexType><xs:attribute name="message" type="xs:string"/></xs:complexType></xs:element></xs:choice>
    <xs:attribute name="name" type="xs:token" use="required"/><xs:attribute name="classname" type="xs:token" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
   </xs:complexType></xs:element>
   <xs:element name="system-out" type="xs:string"/><xs:element name="system-err" type="xs:string"/></xs:sequence>
   <xs:attribute name="package" type="xs:token" use="required"/><xs:attribute name="id" type="xs:int" use="required"/>
   <xs:attribute name="name" type="named" use="required"/><xs:attribute name="timestamp" type="moment" use="required"/>
   <xs:attribute name="hostname" type="named" use="required"/><xs:attribute name="tests" type="xs:int" use="required"/>
   <xs:attribute name="failures" type="xs:int" use="required"/><xs:attribute name="errors" type="xs:int" use="required"/>
   <xs:attribute name="skipped" type="xs:int"/><xs:attribute name="time" type="xs:decimal" use="required"/>
  </xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def hostile(result: Result) -> Result:
    return replace(result, seen=HOSTILE, expected=HOSTILE, requirement=(HOSTILE,))


# --- lines of JSON ---


def test_every_line_is_of_the_published_schema(tmp_path: Path) -> None:
    schema = json.loads((Path(__file__).parents[3] / "docs" / "results.schema.json").read_text())
    assert schema == results.schema()
    validator = jsonschema.Draft202012Validator(schema)
    for line in (written(tmp_path) / results.RESULTS).read_text().splitlines():
        validator.validate(json.loads(line))
    good = json.loads(json.dumps(row(RUN[0])))
    assert set(good) == {"id", "verdict", "requirement", "expected", "seen", "seconds", "evidence"}
    for wrong in ({**good, "verdict": "passed"}, {**good, "seconds": "1"}, {k: v for k, v in good.items() if k != "seen"}):
        assert list(validator.iter_errors(wrong))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = written(tmp_path)
    assert results.read(folder) == RUN
    assert results.read(folder / results.RESULTS) == RUN
    assert results.campaign(folder) == CAMPAIGN_OF_RUN
    assert results.campaign(written(tmp_path / "other", campaign=None)) == Campaign()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no result"),
        ("nothing\n", "line 1"),
        ('{"id": "S-X-1"}\n', "line 1"),
        (f"{json.dumps(row(RUN[0]))}\n{json.dumps(row(RUN[0]))}\n", "two results of C-ORDER-01"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_what_is_no_result(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / results.RESULTS).write_text(text)
    with pytest.raises(ValueError, match=said):
        results.read(tmp_path)


def test_counts_are_gravest_first() -> None:
    assert next(iter(results.counts(RUN).items())) == (Verdict.FAIL, 2)
    assert sum(results.counts(RUN).values()) == len(RUN)


# --- JUnit ---


@pytest.mark.parametrize("of", [RUN, of_catalogue(), of_catalogue(Verdict.FAIL), [hostile(each) for each in RUN], ()])
def test_junit_is_what_those_who_read_it_expect(of: Any) -> None:
    schema = etree.XMLSchema(etree.fromstring(XSD))
    document = etree.fromstring(junit(of, CAMPAIGN_OF_RUN).encode())
    schema.assertValid(document)
    assert len(document.findall("testsuite/testcase")) == len(of)


@pytest.mark.parametrize("of", [RUN, of_catalogue(), of_catalogue(Verdict.FAIL), [hostile(each) for each in RUN], ()])
def test_junit_is_of_the_schema_by_which_jenkins_reads_it(of: Any) -> None:
    """A schema that a stranger wrote: that of Jenkins' xUnit plugin."""
    path = schema(Path(__file__).parents[3] / ".interop")
    if not path.exists():
        pytest.skip(f"{path} is not there: make interop")
    etree.XMLSchema(etree.parse(path)).assertValid(etree.fromstring(junit(of, CAMPAIGN_OF_RUN).encode()))


def test_the_rules_for_junit_refuse_what_is_none() -> None:
    schema = etree.XMLSchema(etree.fromstring(XSD))
    document = etree.fromstring(junit(RUN, CAMPAIGN_OF_RUN).encode())
    del document[0].attrib["hostname"]
    assert not schema.validate(document)


def test_verdicts_in_junit() -> None:
    root = ElementTree.fromstring(junit(RUN, CAMPAIGN_OF_RUN))
    cases = {each.get("name"): [(child.tag, child.get("type")) for child in each] for each in root.iter("testcase")}
    assert cases == {
        "C-ORDER-01": [("failure", "standard")],
        "C-CLOCK-01": [("failure", "robustness")],
        "C-EXI-01": [("error", "inconclusive")],
        "C-TLS-01": [("skipped", None)],
        "C-TIME-01": [("skipped", None)],
        "C-ID-02": [],
        "X-UNKNOWN-01": [],
    }
    suite = next(each for each in root if each.get("name") == "C-ORDER")
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("1", "1", "1.250")
    failure = root.find(".//failure[@type='standard']")
    assert failure is not None
    assert "expected: the paired response" in str(failure.text)
    assert failure.get("message") == "OK in ServiceDetailRes"


# --- the page ---


def test_the_page_has_everything(tmp_path: Path) -> None:
    page = publish(written(tmp_path)).read_text()
    assert "Station 9 &lt;b&gt;bold&lt;/b&gt;" in page
    assert "v2gkit" in page
    assert "ab" * 32 in page
    assert "1 failed" in page
    assert "2027-01-15 08:00:00 UTC" in page
    failures, _, rest = page.partition('id="open"')
    assert "C-ORDER-01" in failures
    assert "C-CLOCK-01" not in failures.partition('id="failures"')[2]
    robustness = rest.partition('id="robustness"')[2].partition("</section>")[0]
    assert "C-CLOCK-01" in robustness
    assert "no fault" in robustness or "None of it is a fault" in robustness
    assert "SessionSetupReq" in failures
    assert "<meter" in failures
    assert '<td data-label="code"><div>OK_SuccessfulNegotiation</div></td>' in failures
    assert "EVCCID" in failures  # a message that is spelled out
    assert (tmp_path / "evidence" / "C-ORDER-01.html").exists()
    assert 'href="evidence/C-ORDER-01.html"' in failures
    assert (tmp_path / results.JUNIT).exists()


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = report((*RUN, *of_catalogue(Verdict.FAIL)), CAMPAIGN_OF_RUN)
    targets = re.findall(r'id="([^"]+)"', page)
    assert len(targets) == len(set(targets))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(targets)


def test_the_page_is_self_contained_and_has_no_script(tmp_path: Path) -> None:
    page = publish(written(tmp_path)).read_text()
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:|evidence/)", page)
    assert "default-src 'none'" in page


def test_hostile_results_stay_text() -> None:
    campaign = replace(CAMPAIGN_OF_RUN, device=HOSTILE, peer=HOSTILE, how=HOSTILE, claims=(HOSTILE,), versions={HOSTILE: HOSTILE})
    page = report([replace(hostile(each), id=f"{each.id}{HOSTILE}", evidence=HOSTILE) for each in RUN], campaign)
    assert "<script" not in page
    assert not set(page) & {"\x00", "\x1b", "\u202e"}
    assert "&lt;script&gt;" in page


def test_a_trace_outside_the_folder_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}")
    folder = written(tmp_path / "results", [replace(RUN[0], evidence="")])
    line = json.dumps(row(replace(RUN[0], evidence="../secret.jsonl")))
    (folder / results.RESULTS).write_text(line)
    publish(folder)
    assert not (tmp_path / "secret.html").exists()


def test_a_trace_that_cannot_be_read_is_named_and_no_more(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "evidence" / "C-ORDER-01.jsonl").write_bytes(b"\xff\xfe no trace")
    assert "evidence/C-ORDER-01.jsonl" in publish(folder).read_text()


def test_robustness_is_in_no_row_of_the_requirements() -> None:
    robust = replace(RUN[5], requirement=("V2G20-1",))
    assert "V2G20-1" not in by_requirement([entry(robust)])
    assert "V2G20-459" in by_requirement([entry(RUN[0])])


def test_coverage_tells_what_no_case_proves() -> None:
    page = report(RUN, CAMPAIGN_OF_RUN).partition('id="coverage"')[2]
    judged = int(re.search(r"(\d+) of the \d+ requirement ids", page)[1])  # type: ignore[index]
    assert judged == 3  # C-ORDER-01 failed, two passed; blocked and not applicable judge nothing
    assert "no case proves them in a foreign device" in page
    assert "V2G20-2356" in page.partition("not played")[2]


def test_every_family_says_why_it_matters() -> None:
    families = {case.family for case in catalogue().values()}
    assert families <= set(WHY), f"v2gkit/conform/entries.py: no sentence in WHY for {sorted(families - set(WHY))}"


# --- comparison ---


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (Verdict.PASS, Verdict.FAIL, Change.WORSE),
        (Verdict.NOT_APPLICABLE, Verdict.FAIL, Change.WORSE),
        (Verdict.FAIL, Verdict.PASS, Change.BETTER),
        (Verdict.PASS, Verdict.INCONCLUSIVE, Change.LOST),
        (Verdict.FAIL, Verdict.BLOCKED, Change.LOST),
        (Verdict.BLOCKED, Verdict.PASS, Change.GAINED),
        (Verdict.BLOCKED, Verdict.INCONCLUSIVE, Change.SAME),
        (Verdict.PASS, Verdict.PASS, Change.SAME),
        (None, Verdict.FAIL, Change.WORSE),
        (Verdict.PASS, None, Change.LOST),
    ],
)
def test_what_became_of_a_case(before: Verdict | None, after: Verdict | None, change: Change) -> None:
    one, other = ([replace(RUN[0], verdict=each)] if each is not None else [] for each in (before, after))
    (pair,) = compared(one, other)
    assert pair.change is change
    assert worse([pair]) is (change in (Change.WORSE, Change.LOST))


def test_a_failure_of_another_kind_is_told() -> None:
    (pair,) = compared([RUN[0]], [replace(RUN[0], seen="it hangs")])
    assert pair.change is Change.OTHER
    assert not worse([pair])


def test_robustness_that_became_worse_is_told_and_counts_for_nothing() -> None:
    (pair,) = compared([replace(RUN[5], verdict=Verdict.PASS)], [RUN[5]])
    assert pair.change is Change.WORSE
    assert not worse([pair])


def test_the_command_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "a")
    other = written(tmp_path / "b", [replace(RUN[1], verdict=Verdict.FAIL, seen=HOSTILE), *RUN[2:]])
    assert main(["conform", "compare", str(one), str(one)]) == 0
    capsys.readouterr()
    assert main(["conform", "compare", str(one), str(other), "--out", str(tmp_path / "both.html")]) == 1
    said = capsys.readouterr().out
    assert "1 became worse\n  C-ID-02: pass (FAILED_UnknownSession) in A" in said
    assert "1 judged in A alone\n  C-ORDER-01" in said
    page = (tmp_path / "both.html").read_text()
    assert "<script" not in page
    assert "became worse" in page
    assert main(["conform", "compare", str(one), str(tmp_path)]) == 2


# --- explanation ---


def test_an_explanation_says_all_that_is_known() -> None:
    told = "\n".join(lines(RUN[0], CAMPAIGN_OF_RUN, folder="out"))
    for part in (
        "the paired response",
        "OK in ServiceDetailRes",
        "V2G20-459",
        "FAILED_SequenceError",
        "v2g report out/evidence/C-ORDER-01.jsonl",
    ):
        assert part in told
    assert "no fault against the standard" in "\n".join(lines(RUN[5], Campaign()))
    for case in catalogue().values():
        told = "\n".join(lines(Result(case.id, Verdict.FAIL, case.requirement, "a", "b"), CAMPAIGN_OF_RUN))
        assert case.purpose in told
        assert f"--case {case.id}" in told
    some = replace(CAMPAIGN_OF_RUN, how="v2g conform station [::1]:1 --case S-SAP-01 --out out --case=S-SSU-01")
    told = "\n".join(lines(Result("S-SSU-01", Verdict.PASS, (), "a", "b"), some))
    assert "v2g conform station [::1]:1 --out out --case S-SSU-01" in told, "the case alone, not all of the run"


def test_the_command_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path)
    assert main(["conform", "explain", "c-order-01", "--in", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "on the wire" in said
    assert "SessionStopRes" in said
    assert main(["conform", "explain", json.dumps(row(RUN[1]))]) == 0
    assert "C-ID-02" in capsys.readouterr().out
    assert main(["conform", "explain", "--in", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "C-CLOCK-01" in said
    assert "C-ID-02" not in said
    for wrong in (["C-NONE-1", "--in", str(folder)], ['{"id": 1}'], ["--in", str(tmp_path / "nowhere")]):
        assert main(["conform", "explain", *wrong]) == 2
        assert capsys.readouterr().err.startswith("v2g conform explain: ")


def test_the_command_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "report", str(written(tmp_path))]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / results.REPORT)
    assert main(["conform", "report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == results.schema()
    assert main(["conform", "report", str(tmp_path / "evidence")]) == 2


def test_private_keys_are_no_input(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("-----BEGIN CERTIFICATE-----")
    (tmp_path / "b.key").write_text("-----BEGIN " + "PRIVATE KEY-----")
    (found,) = inputs([tmp_path, tmp_path / "a.pem", tmp_path / "nowhere"])
    assert (found.name, found.octets) == ((tmp_path / "a.pem").as_posix(), 27)
