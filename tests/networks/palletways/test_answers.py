"""What an answer is, by its content alone (contract 1.2, 1.3), and what hostile ones come to."""

import json
import random
from xml.sax.saxutils import escape

import pytest

from palletflow.networks.palletways import answers, parsing, submissions, tree
from palletflow.networks.palletways.answers import Envelope, File, Sentence, Unreadable
from palletflow.networks.palletways.errors import ValidationError

JPEG, PNG, TIFF = b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\x89PNG\r\n\x1a\n\x00\x00", b"II*\x00\x08\x00"
XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<Response><Status><Code>OK</Code><Count>1</Count></Status><Detail><Data>
<TrackingID>60000000017</TrackingID><StatusCode>900</StatusCode><Barcode/></Data></Detail></Response>"""


def the_tree(body):
    found = answers.read(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert isinstance(found, Envelope)
    return found.tree


def rows(body):
    return tree.trees(the_tree(body), "Detail", "Data")


# Which kind


@pytest.mark.rule("PW-1.3-2")
@pytest.mark.parametrize("before", [b"", b"\r\n", b" " * 1000, b"junk " * 200])
def test_a_pdf_begins_within_the_first_bytes(before):
    assert answers.read(before + b"%PDF-1.4\n...") == File(before + b"%PDF-1.4\n...", is_pdf=True)


@pytest.mark.rule("PW-1.3-2")
def test_a_pdf_that_begins_later_is_none():
    with pytest.raises(Unreadable):
        answers.read(b" " * 1024 + b"%PDF-1.4")


@pytest.mark.rule("PW-1.3-2")
@pytest.mark.parametrize(
    "body", [JPEG, PNG, TIFF, b"MM\x00*\x00", b"PK\x03\x04", b"PK\x05\x06", b"GIF89a\x01\x00", b"\x00<Response/>"]
)
def test_images_and_other_files_are_files(body):
    assert answers.read(body) == File(body, is_pdf=False)


@pytest.mark.rule("PW-1.3-3", "PW-1.2-8")
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n \t"])
@pytest.mark.parametrize("as_json", [True, False])
def test_xml_and_json_are_told_by_their_first_character(before, as_json):
    body = json.dumps({"Status": {"Code": "OK"}}).encode() if as_json else XML[39:]
    found = answers.read(before + body)
    assert isinstance(found, Envelope)
    assert found.code == "OK"


SENTENCES = [
    ("The requested API is not available.", Sentence.NOT_AVAILABLE),
    ("API Key not specified.", Sentence.NO_KEY),
    ("The API key provided is not authorised to use the requested API.", Sentence.NOT_AUTHORISED),
    ("ERROR: POD not found for this ID.", Sentence.NO_POD),
]


@pytest.mark.rule("PW-1.3-4", "PW-1.3-5", "PW-1.3-6", "PW-1.3-7", "PW-1.3-8")
@pytest.mark.parametrize(("said", "meant"), SENTENCES)
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "\r\n{}\r\n",
        '"{}"',
        "<html><body><p>{}</p></body></html>",
        "<!DOCTYPE html><html><br>{}",
        "<html>\n <b>Sorry</b>&nbsp;{}",
        "<Error>{}</Error>",
        "{{{}",
    ],
)
def test_a_sentence_is_known_in_any_dress(said, meant, form):
    for text in (said, said.upper(), said.replace(" ", "\n  "), said.rstrip(".")):
        assert answers.read(form.format(text).encode()) is meant


@pytest.mark.rule("PW-1.3-4")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "nothing"),
        (b"  \n", "nothing"),
        (b"<html><h1>Bad  gateway</h1></html>", "Bad gateway"),
        (b"[]", "[]"),
        (b"{}", "{}"),
        (b'{"Detail": {"Data": []}}', "Detail"),
        (b"<Response>", "no XML"),
        (b"<Response/>", ""),
        (b'{"Status":', "no JSON"),
        (b'{"Status": {"Code": ""}}', "Status"),
        (b"Service temporarily unavailable", "Service temporarily unavailable"),
    ],
)
def test_anything_else_is_unreadable_and_shown(body, said):
    with pytest.raises(Unreadable) as told:
        answers.read(body)
    assert said in told.value.said


# One tree


@pytest.mark.rule("PW-1.2-8", "PW-1.2-10", "PW-1.2-12")
def test_xml_and_json_give_the_same_tree():
    as_json = {
        "Status": {"Code": "OK", "Count": 1},
        "Detail": {"Data": {"TrackingID": 60000000017, "StatusCode": 900, "Barcode": None}},
    }
    assert the_tree(XML) == the_tree(as_json)
    assert rows(XML) == [{"TrackingID": "60000000017", "StatusCode": "900", "Barcode": ""}]


@pytest.mark.rule("PW-1.2-8")
def test_numbers_and_switches_are_texts():
    body = b'{"Status": {"Code": "OK"}, "Detail": {"Data": {"a": 640.00, "b": 1e3, "c": true, "d": false, "e": NaN}}}'
    assert rows(body) == [{"a": "640.00", "b": "1e3", "c": "true", "d": "false", "e": "NaN"}]
    huge = b"9" * 100_000
    assert rows(b'{"Status": {"Code": "OK"}, "Detail": {"Data": {"n": ' + huge + b"}}}") == [{"n": huge.decode()}]


@pytest.mark.rule("PW-1.2-10")
@pytest.mark.parametrize(
    "pallets",
    [
        b"<Pallet>B0012A4F10</Pallet><Pallet>B0012A4F11</Pallet>",
        b'"Pallet": ["B0012A4F10", "B0012A4F11"]',
        b'"Pallet": ["B0012A4F10", ["B0012A4F11"]]',
        b'"Pallet": "B0012A4F10", "Pallet": "B0012A4F11"',
    ],
)
def test_every_node_may_come_once_or_more_often(pallets):
    if pallets.startswith(b"<"):
        body = b"<Response><Status><Code>OK</Code></Status><Detail>" + pallets + b"</Detail></Response>"
    else:
        body = b'{"Status": [{"Code": "OK"}], "Detail": [{' + pallets + b"}]}"
    assert tree.nodes(the_tree(body), "Detail", "Pallet") == ["B0012A4F10", "B0012A4F11"]


@pytest.mark.rule("PW-1.2-10")
def test_lists_on_the_way_are_followed_into_each_of_them():
    shown = {
        "Detail": [{"Data": {"Manifest": {"Date": "1"}}}, {"Data": [{"Manifest": [{"Date": "2"}, {"Date": "3"}]}]}]
    }
    assert tree.nodes(shown, "Detail", "Data", "Manifest", "Date") == ["1", "2", "3"]
    assert tree.text(shown, "Detail", "Data", "Manifest", "Date") == "1"


@pytest.mark.rule("PW-1.2-11")
@pytest.mark.parametrize(
    "body",
    [
        b'{"Response": {"Status": {"Code": "OK"}}}',
        b'{"Response": [{"Status": {"Code": "OK"}}]}',
        b'[{"Status": {"Code": "OK"}}]',
        b'{"Status": {"Code": "OK"}}',
        b"<Response><Status><Code>OK</Code></Status></Response>",
        b"<Answer><Status><Code>OK</Code></Status></Answer>",
        b'<r:Response xmlns:r="urn:x"><r:Status><r:Code>ok</r:Code></r:Status></r:Response>',
    ],
)
def test_the_wrapper_may_be_there_or_not(body):
    assert answers.read(body) == Envelope("OK", "", the_tree(body))
    assert list(the_tree(body)) == ["Status"]


@pytest.mark.rule("PW-1.2-12")
@pytest.mark.parametrize(
    "empty", [{}, {"Detail": None}, {"Detail": ""}, {"Detail": {"Data": []}}, {"Detail": {"Data": {}}}]
)
def test_empty_null_and_missing_are_equal(empty):
    assert tree.nodes(empty, "Detail", "Data") == []
    assert tree.text(empty, "Detail", "Data", "TrackingID") == ""
    assert rows({"Status": {"Code": "OK"}, **empty}) == []


@pytest.mark.rule("PW-1.2-12")
def test_an_unknown_node_is_kept():
    shown = {"Status": {"Code": "OK", "Mood": "fine"}, "Weather": {"Rain": "yes"}}
    assert the_tree(shown) == shown


def test_blanks_around_a_text_are_none_of_it():
    assert tree.text({"a": [" ", {"b": "c"}, " d \n"]}, "a") == "d"


@pytest.mark.rule("PW-1.2-7")
def test_what_is_no_utf_8_is_read_as_cp1252_and_flagged():
    declared = '<?xml version="1.0" encoding="UTF-8"?>'
    body = f"{declared}<Response><Status><Code>OK</Code></Status><Name>Café – £</Name></Response>"
    plain, repaired = answers.read(body.encode()), answers.read(body.encode("cp1252"))
    assert isinstance(plain, Envelope)
    assert isinstance(repaired, Envelope)
    assert plain.tree == repaired.tree
    assert (plain.repaired, repaired.repaired) == (False, True)
    assert tree.text(repaired.tree, "Name") == "Café – £"


@pytest.mark.rule("PW-1.3-9")
def test_no_results_are_an_empty_answer():
    found = answers.read(
        b"<Response><Status><Code>NO_RESULTS_FOUND</Code><Count>0</Count></Status><Detail/></Response>"
    )
    assert isinstance(found, Envelope)
    assert found.is_empty


@pytest.mark.rule("PW-2.4-3")
@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "JOB COMPLETE", "notes": ["Left at gate", "Signed"]}',
        b"<Response><status>JOB COMPLETE</status><notes>Left at gate</notes><notes>Signed</notes></Response>",
    ],
)
def test_the_form_of_2017_is_data_without_an_envelope(body):
    [row] = rows(body)
    assert (tree.text(row, "status"), tree.nodes(row, "notes")) == ("JOB COMPLETE", ["Left at gate", "Signed"])


# Hostile ones


BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Response><Status><Code>OK</Code></Status><x>&b;</x></Response>"""
FILE_READER = b"""<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<Response><Status><Code>OK</Code></Status><x>&f;</x></Response>"""


@pytest.mark.rule("PW-1.2-9")
@pytest.mark.parametrize(
    "body", [BILLION_LAUGHS, FILE_READER, b"<!DOCTYPE Response><Response><Status><Code>OK</Code></Status></Response>"]
)
def test_dtds_and_entities_are_refused(body):
    with pytest.raises(Unreadable, match="DTD"):
        answers.read(body)


@pytest.mark.rule("PW-1.2-9")
@pytest.mark.parametrize(
    "body",
    [
        b"<Response>" * 100_000,
        b"<Response>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</Response>",
        b'{"Status": ' * 100_000 + b"1" + b"}" * 100_000,
        b'{"Status": {"Code": "OK"}, "Detail": ' + b'{"a": ' * 80 + b"1" + b"}" * 81,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"Status": {"Code": "OK"}, "a": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"<Response>" + b"<a/>" * 1_000_001 + b"</Response>",
        b'{"Status": {"Code": "OK"}, "a": [' + b'{"a": 1},' * 600_000 + b"1]}",
        b"<" * 1_000_000,
        b"<a " * 300_000,
    ],
    ids=lambda body: body[:12].decode(),
)
def test_what_is_nested_or_numerous_beyond_measure_is_unreadable_in_no_time(body):
    try:
        found = answers.read(body)
    except Unreadable:
        return
    # Lists in lists are one list, however deep they were.
    assert isinstance(found, Envelope)
    assert tree.nodes(found.tree, "a") == []


def test_characters_that_no_column_takes_are_replaced():
    shown = the_tree(b'{"Status": {"Code": "OK"}, "a\\u0000": "x\\u0000y\\ud800z"}')
    assert shown == {"Status": {"Code": "OK"}, "a\ufffd": "x\ufffdy\ufffdz"}


def test_whatever_comes_is_read_or_unreadable_and_nothing_else():
    """Mutations of good answers, and noise."""
    rng = random.Random(20260713)
    seeds = [XML, json.dumps({"Status": {"Code": "OK"}, "Detail": {"Data": [{"a": 1}]}}).encode(), JPEG, b"%PDF-1.4"]
    seeds += [said.encode() for said, _ in SENTENCES]
    for _ in range(3000):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(6)):
            place = rng.randrange(len(body) + 1)
            match rng.randrange(4):
                case 0:
                    body[place:place] = rng.randbytes(rng.randrange(1, 8))
                case 1:
                    del body[place : place + rng.randrange(1, 20)]
                case 2:
                    body[place:place] = rng.choice([b"<", b">", b"&", b'"', b"{", b"]", b"<![CDATA[", b"&#0;", b"\x00"])
                case _:
                    body[place:place] = body[: rng.randrange(30)]
        try:
            found = answers.read(bytes(body))
        except Unreadable:
            continue
        assert isinstance(found, File | Envelope | Sentence)
        if isinstance(found, Envelope):
            assert_neutral(found.tree)


def test_any_tree_is_the_same_through_xml_and_through_json():
    rng = random.Random(7)
    for _ in range(300):
        made = {"Status": {"Code": "OK"}, **a_tree(rng, depth=4)}
        as_xml = answers.read(f"<Response>{in_xml(made)}</Response>".encode())
        as_json = answers.read(json.dumps(made).encode())
        assert as_xml == as_json
        assert isinstance(as_json, Envelope)
        assert_neutral(as_json.tree)


NAMES = ["Data", "Consignment", "Pallet", "Line", "Code", "HandBall"]
TEXTS = ["", "60000000017", "Ca\u0308fé & Söhne", "<b>", "]]>", "a  b", "&amp;", "'\"", "\u2028", "0012"]


def a_tree(rng, depth):
    return {name: a_node(rng, depth) for name in rng.sample(NAMES, rng.randrange(1, 4))}


def a_node(rng, depth):
    kind = rng.randrange(3) if depth else 0
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return a_tree(rng, depth - 1)
    return [rng.choice([rng.choice(TEXTS), a_tree(rng, depth - 1)]) for _ in range(rng.randrange(2, 4))]


def in_xml(node):
    if isinstance(node, str):
        return escape(node)
    elements = ((name, one) for name, child in node.items() for one in (child if isinstance(child, list) else [child]))
    return "".join(f"<{name}>{in_xml(one)}</{name}>" for name, one in elements)


def assert_neutral(node):
    """Texts, trees, and lists of either, and no list in a list."""
    if isinstance(node, dict):
        for name, child in node.items():
            assert isinstance(name, str)
            for one in child if isinstance(child, list) else [child]:
                assert isinstance(one, str | dict)
                assert_neutral(one)
    else:
        assert isinstance(node, str)
        assert not parsing.NOT_STORABLE.search(node)


# What a submission is told


@pytest.mark.rule("PW-2.2-17")
@pytest.mark.parametrize("where", [(), ("Detail",), ("Detail", "Data")])
def test_the_errors_of_a_submission_are_found_wherever_they_stand(where):
    shown = {
        "ValidationErrors": {
            "Consignment": [
                {
                    "Index": "2",
                    "ImportID": "A-17",
                    "Error": [
                        {"Code": "ERROR_CONSIGNMENT_LIFTS_MANDATORY", "Description": "Lifts?"},
                        {"Code": "ERROR_ADDRESS_POSTCODE_VALUE"},
                    ],
                },
                {"Index": "nine", "Error": "ERROR_ODD"},
            ],
            "Account": {"Error": {"Code": "ERROR_ACCOUNT_CODE_VALUE", "Description": "Unknown"}},
        }
    }
    for name in reversed(where):
        shown = {name: shown}
    found = submissions.errors(shown)
    assert found == [
        ValidationError(2, "ERROR_CONSIGNMENT_LIFTS_MANDATORY", "Lifts?"),
        ValidationError(2, "ERROR_ADDRESS_POSTCODE_VALUE", ""),
        ValidationError(0, "ERROR_ODD", ""),
        ValidationError(0, "ERROR_ACCOUNT_CODE_VALUE", "Unknown"),
    ]
    assert submissions.summary(found).startswith("ERROR_CONSIGNMENT_LIFTS_MANDATORY (consignment 2), ")
