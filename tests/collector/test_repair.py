"""Tests of the repair of answers that hold what their format forbids."""

import contextlib
import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collector.repair import (
    Unreadable,
    kind_at,
    plain,
    read_json,
    repair_xml,
    without_content,
    xml_in_utf8,
)
from exporter.errors import InvalidAnswer
from exporter.providers.five9.answers import check, read_fault, read_repaired, read_statistics


def xml(text: bytes, **options: bool) -> str:
    body = repair_xml(b"<a>" + text + b"</a>", **options).body
    return body.decode().removeprefix("<a>").removesuffix("</a>")


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (b"&#x1B;", "\ufffd"),
        (b"&#27;&#0;&#xFFFE;&#xd800;&#1114112;", "\ufffd" * 5),
        (b"&#99999999999999999999;", "\ufffd"),
        (b"\x01\x1f\x00", "\ufffd" * 3),
        (b"\xef\xbf\xbe\xef\xbf\xbf", "\ufffd" * 2),
        (b"M\xfcller \xc0\x80", "M\ufffdller \ufffd\ufffd"),
        ("Mü\u2028\U0001f600".encode(), "Mü\u2028\U0001f600"),
        (b"&nbsp;&uuml;&LT;", "\xa0ü&lt;"),
        (b"&unknown;", "\ufffd"),
        (b"R & D &amp; R&D; &#65;&#x9;", "R &amp; D &amp; R\ufffd &#65;&#x9;"),
        (b"<![CDATA[&nbsp; & \x01 ]] >]]>&#0;", "<![CDATA[&nbsp; & \ufffd ]] >]]>\ufffd"),
        (b"<!-- & \x02 &nbsp; --><?p & ?>", "<!-- & \ufffd &nbsp; --><?p & ?>"),
    ],
)
def test_xml(text: bytes, repaired: str) -> None:
    """What XML forbids is replaced; sections without references keep theirs."""
    assert xml(text) == repaired
    check(repair_xml(b"<a>" + text + b"</a>").body)


def test_names_stay_different() -> None:
    """With ``distinct`` each forbidden character is one of its own, raw or as a reference."""
    texts = [b"&#x1B;", b"&#1;", b"\xfc", b"\xe4", b"&one;", b"&two;", b"\xef\xbf\xbe"]
    repaired = [xml(text, distinct=True) for text in texts]

    assert len(set(repaired)) == len(texts)
    assert {plain(text) for text in repaired} == {"\ufffd"}
    assert xml(b"\x1b", distinct=True) == xml(b"&#x1b;", distinct=True)
    assert plain("Müller") == "Müller"


@pytest.mark.parametrize(
    ("body", "value", "replaced"),
    [
        (b'{"a": "\\ud800x"}', {"a": "\ufffdx"}, 1),
        (b'{"a": "\\ud83d\\ude00 \\\\ud800"}', {"a": "\U0001f600 \\ud800"}, 0),
        (b'{"a": "\\udc00\\ud83d\\ude00"}', {"a": "\ufffd\U0001f600"}, 1),
        (b'{"a": "x\x01\n\ty", \n "b": 1}', {"a": "x\ufffd\ufffd\ufffdy", "b": 1}, 3),
        (b'{"a": "\xfc"}', {"a": "\ufffd"}, 1),
        (b'{"a": "\\x41\\u12"}', {"a": "\ufffd41\ufffd12"}, 2),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}, 1),
        (
            b'[NaN, -Infinity, "NaN", 1e999, -nan, inf, 5]',
            [None, None, "NaN", None, None, None, 5],
            5,
        ),
        (b"[" + b"9" * 400 + b", 1e5, 1.5]", [None, 1e5, 1.5], 1),
    ],
)
def test_json(body: bytes, value: Any, replaced: int) -> None:
    """What JSON forbids is replaced, and numbers that are not finite are null."""
    read, repaired = read_json(body)
    assert (read, repaired.replaced) == (value, replaced)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": 1,}', "line 1, column 8 (U+002C): trailing comma is not allowed"),
        (b'{"a": "\x01", "b": "x', "line 1, column 19 (end of the answer): unexpected end of data"),
        (
            b'{\n"a": \x01}',
            "line 2, column 6 (U+0001): unexpected character, expected a JSON value",
        ),
        (b'{"a": 1}\x00', "line 1, column 9 (U+0000): unexpected content after document"),
        (b'{"a\x01": 1}', "line 1, column 4 (U+0001): a character in the key of an object"),
    ],
)
def test_json_that_stays_unreadable(body: bytes, message: str) -> None:
    """The place is that in the answer as it came; no content is named."""
    with pytest.raises(Unreadable) as caught:
        read_json(body)
    assert str(caught.value) == f"the answer is not JSON at {message}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<a>\x01\n<b>\x02x</c></a>", "line 2, column 10 (U+003C): tag name mismatch"),
        (b"<a>&#x1B;<b>", "line 1, column 13 (end of the answer): tag not finished"),
        (b"<a/>&#x1B;", "line 1, column 5 (U+0026): document end"),
    ],
)
def test_xml_that_stays_unreadable(body: bytes, message: str) -> None:
    """The place is that in the answer as it came (after the tag's end); no content is named."""
    with pytest.raises(Unreadable) as caught:
        read_repaired(check, body)
    assert str(caught.value) == f"not well-formed XML at {message}"


def test_document_types_stay_refused() -> None:
    """A forbidden character opens no way for entities that the answer declares."""
    for head in (b"", b" " * 5000):
        body = head + b'<!DOCTYPE a [<!ENTITY b "\x01c">]><a>&b;\x01</a>'
        with pytest.raises(InvalidAnswer):
            read_repaired(check, body)


def test_a_fault_with_a_forbidden_character() -> None:
    """A fault is recognised whatever its text holds."""
    body = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault>'
        b"<faultstring>a&#x1B;b</faultstring><detail><SessionClosedFault/></detail>"
        b"</e:Fault></e:Body></e:Envelope>"
    )
    fault = read_fault(body)
    assert fault is not None
    assert (fault.name, fault.message) == ("SessionClosedFault", "a\ufffdb")


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (b"<a>\xfc</a>", "ISO-8859-1"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xfc</a>', None),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xfc</a>', "utf-8"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xc3\xbc</a>', "utf-8"),
        ('<?xml version="1.0" encoding="UTF-16"?><a>ü</a>'.encode("utf-16"), None),
        ('<?xml version="1.0" encoding="UTF-16"?><a>ü</a>'.encode(), None),
        ("<a>ü</a>".encode("utf-16-le"), "utf-16le"),
        ("<a>ü</a>".encode("utf-8-sig"), None),
    ],
)
def test_declared_encodings_of_xml(body: bytes, charset: str | None) -> None:
    """The declared encoding is honoured, or the one that the document proves."""
    text, replaced = xml_in_utf8(body, charset)
    check(text)
    assert "<a>ü</a>" in text.decode()
    assert replaced == 0


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ('{"a":"ü"}'.encode("latin-1"), "ISO-8859-1"),
        ('{"a":"ü"}'.encode(), "ISO-8859-1"),
        ('{"a":"ü"}'.encode("utf-16"), None),
        ('{"a":"ü"}'.encode("utf-16-le"), "utf-16le"),
        ('{"a":"ü"}'.encode(), "no-such-charset"),
    ],
)
def test_declared_encodings_of_json(body: bytes, charset: str | None) -> None:
    """JSON is UTF-8 whatever is declared, unless it cannot be."""
    value, repaired = read_json(body, charset)
    assert (value, repaired.replaced) == ({"a": "ü"}, 0)


@pytest.mark.parametrize("charset", ["no-such-charset", "zlib", "unicode_escape", "utf-7"])
def test_unsupported_encodings(charset: str) -> None:
    """An unknown charset is refused; what is not an encoding of text is unknown."""
    with pytest.raises(InvalidAnswer, match="declares a charset that is not supported"):
        read_json(b'{"a":"\xfc"}', charset)
    with pytest.raises(InvalidAnswer, match="declares a charset that is not supported"):
        xml_in_utf8(b"<a>\xfc</a>", charset)


def test_the_form_without_content() -> None:
    """Of what is around a place letters and digits are masked, and what is forbidden shows."""
    body = '{"name": "Zoë\x01 Müller 42", "日本": "\ufffe"}'.encode() + b"\xfc"
    assert without_content(body, 14) == '{"xxxx": "xxx\x01 xxxxxx 99", "xx": "\ufffe"}\ufffd'
    assert [kind_at(b"a7\x01\xfc", at) for at in range(5)] == [
        *("letter", "digit", "U+0001", "byte 0xFC", "end of the answer"),
    ]


@given(st.binary(max_size=60), st.binary(max_size=6), st.integers(0, 60))
def test_any_bytes(body: bytes, new: bytes, at: int) -> None:
    """Any bytes are read or refused, soon and with errors of our own."""
    for text in (body, b'{"a": "' + body + b'"}', b"[" + body[:at] + new + body[at:]):
        with contextlib.suppress(InvalidAnswer):
            read_json(text)
    for text in (body, b"<a>" + body + b"</a>", b"<a>" + body[:at] + new + body[at:]):
        with contextlib.suppress(InvalidAnswer):
            read_repaired(check, xml_in_utf8(text, None)[0])


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_valid_json_is_as_it_was(value: Any) -> None:
    """A repair changes nothing that is allowed: beside one fault the rest stays."""
    body = json.dumps([value, "x"]).encode("utf-8")
    if value_has_surrogates(body):
        return
    assert read_json(body[:-2] + b'\x01"]')[0] == [orjson.loads(json.dumps(value)), "x\ufffd"]


def value_has_surrogates(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return True
    return False


def test_memory_and_limits() -> None:
    """A repair takes a few times the answer at most; endless sections take no endless time."""
    rows = b"<data>M\xfcller &amp; S\x01hne</data>" * 50_000
    body = b"<a>" + rows + b"</a>"
    tracemalloc.start()
    repair = repair_xml(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert repair.result.replaced == 100_000
    assert peak < 30 * len(body)
    repair_xml(b"<!--" * 1_000_000)
    with pytest.raises(InvalidAnswer, match="more than 200000 characters"):
        repair_xml(b"\x01" * 1_000_000)
    with pytest.raises(InvalidAnswer):
        read_json(b'"' + b"\\" * 1_000_001)
    with pytest.raises(InvalidAnswer):
        read_json(b"[" + b"9" * 1_000_000)


def test_a_clean_answer_is_not_copied() -> None:
    """An answer without a fault is handed on as it is."""
    body = b"<a>" + b"x" * 100_000 + b"</a>"
    assert xml_in_utf8(body, "utf-8")[0] is body
    assert read_repaired(check, body)[1].body is body
    assert read_json(b"[1]")[1].body == b"[1]"


def test_statistics_keep_names_apart() -> None:
    """Rows whose names differ in a forbidden character only are rows of their own."""
    row = "<rows><values><data>M{}ller</data></values></rows>"
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f"<getStatisticsResponse><return>{row.format('&#1;')}{row.format('&#x1b;')}</return>"
        "</getStatisticsResponse></e:Body></e:Envelope>"
    ).encode()
    statistics, repaired = read_repaired(read_statistics, body, distinct=True)
    assert repaired.replaced == 2
    assert statistics.rows[0] != statistics.rows[1]
