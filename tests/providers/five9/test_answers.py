from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collector.bounds import SMALL, Bounds, OverBound
from exporter.errors import InvalidAnswer
from exporter.providers.five9.answers import (
    Fault,
    Statistics,
    StatisticsUpdate,
    check,
    read_fault,
    read_statistics,
    read_update,
)

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
FIVE9 = "http://service.supervisor.ws.five9.com/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TABLE = """<return>
  <columns><values><data>Skill Name</data><data>Calls In Queue</data></values></columns>
  <rows><values><data>Billing &amp; Söhne</data><data>3</data></values></rows>
  <rows><values><data>Returns</data><data xsi:nil="true"/></values></rows>
  <rows><values><data/><data></data></values></rows>
  <timestamp>1760000000000</timestamp>
  <type>ACDStatus</type>
</return>"""
CHANGES = """<return>
  <addedObjects><values><data>Warranty</data></values></addedObjects>
  <dataUpdate>
    <columnName>Calls In Queue</columnName><columnValue>4</columnValue>
    <objectName>Billing</objectName>
  </dataUpdate>
  <dataUpdate>
    <columnName>Calls In Queue</columnName><columnValue xsi:nil="true"/>
    <objectName>Warranty</objectName>
  </dataUpdate>
  <deletedObjects><values><data>Returns</data><data>Old</data></values></deletedObjects>
  <lastTimestamp>1760000004210</lastTimestamp>
  <previousTimestamp>1760000000000</previousTimestamp>
  <type>ACDStatus</type>
</return>"""


NAMED = "<objectName>x</objectName><columnName>y</columnName>"


CHANGE = f"<dataUpdate>{NAMED}</dataUpdate>"


def envelope(inner: str, prefix: str = "env", head: str = '<?xml version="1.0"?>') -> bytes:
    return (
        f'{head}<{prefix}:Envelope xmlns:{prefix}="{SOAP}" xmlns:xsi="{XSI}"><{prefix}:Body>'
        f"{inner}</{prefix}:Body></{prefix}:Envelope>"
    ).encode()


def answer(inner: str, operation: str = "getStatistics", prefix: str = "env") -> bytes:
    wrapper = f"ns2:{operation}Response"
    return envelope(f'<{wrapper} xmlns:ns2="{FIVE9}">{inner}</{wrapper}>', prefix)


def update(inner: str, prefix: str = "env") -> bytes:
    return answer(inner, "getStatisticsUpdate", prefix)


def fault(detail: str, prefix: str = "env") -> bytes:
    return envelope(
        f"<{prefix}:Fault><faultcode>{prefix}:Server</faultcode>"
        f"<faultstring>No &lt;session&gt;</faultstring>{detail}</{prefix}:Fault>",
        prefix,
    )


WHOLE = Statistics(
    columns=["Skill Name", "Calls In Queue"],
    rows=[["Billing & Söhne", "3"], ["Returns", None], [None, None]],
    timestamp=1_760_000_000_000,
    type="ACDStatus",
)
CHANGED = StatisticsUpdate(
    added=["Warranty"],
    deleted=["Returns", "Old"],
    changes=[("Billing", "Calls In Queue", "4"), ("Warranty", "Calls In Queue", None)],
    timestamp=1_760_000_004_210,
    type="ACDStatus",
)


@pytest.mark.parametrize("prefix", ["env", "soap", "S", "soapenv"])
def test_statistics(prefix: str) -> None:
    """A table is read whatever the prefixes; nil and empty data are null."""
    assert read_statistics(answer(TABLE, prefix=prefix)) == WHOLE


@pytest.mark.parametrize("prefix", ["env", "soap", "S", "soapenv"])
def test_update(prefix: str) -> None:
    """Changes are read whatever the prefixes; a nil value is null."""
    assert read_update(update(CHANGES, prefix)) == CHANGED


def test_a_default_namespace() -> None:
    """A wrapper without a prefix is read too."""
    inner = f'<getStatisticsResponse xmlns="{FIVE9}">{TABLE}</getStatisticsResponse>'

    assert read_statistics(envelope(inner)) == WHOLE


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", Statistics()),
        ("<return/>", Statistics()),
        ("<return><columns/></return>", Statistics(columns=[])),
        ("<return><columns><values/></columns><rows/></return>", Statistics([], [[]])),
        ("<return><rows><values/></rows></return>", Statistics(None, [[]])),
        (
            "<return><columns><values><data/></values></columns></return>",
            Statistics(columns=[""]),
        ),
        ("<return><timestamp> 5 </timestamp></return>", Statistics(timestamp=5)),
    ],
)
def test_a_table_with_little_in_it(inner: str, expected: Statistics) -> None:
    """An absent return, empty containers and missing parts are no error."""
    assert expected == read_statistics(answer(inner))


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", None),
        ("<return/>", StatisticsUpdate()),
        (
            "<return><addedObjects/><deletedObjects><values/></deletedObjects></return>",
            StatisticsUpdate(),
        ),
        (
            "<return><addedObjects><values><data/></values></addedObjects></return>",
            StatisticsUpdate(),
        ),
        ("<return><dataUpdate/></return>", StatisticsUpdate()),
        (
            f"<return><dataUpdate><objectName>x</objectName></dataUpdate>{CHANGE}</return>",
            StatisticsUpdate(changes=[("x", "y", None)], incomplete=[("x", None)]),
        ),
        (
            f"<return><dataUpdate>{NAMED}</dataUpdate></return>",
            StatisticsUpdate(changes=[("x", "y", None)]),
        ),
        ("<return><lastTimestamp>7</lastTimestamp></return>", StatisticsUpdate(timestamp=7)),
    ],
)
def test_changes_with_little_in_them(inner: str, expected: StatisticsUpdate | None) -> None:
    """An absent return is no change; what does not say what changed is passed over."""
    assert expected == read_update(update(inner))


@pytest.mark.parametrize(
    ("part", "incomplete"),
    [("objectName", ("x", None)), ("columnName", (None, "x")), ("columnValue", (None, None))],
)
def test_changes_that_do_not_say_what_changed(
    part: str, incomplete: tuple[str | None, str | None]
) -> None:
    """A change that lacks its object or column is told apart from the others."""
    read = read_update(update(f"<return><dataUpdate><{part}>x</{part}></dataUpdate></return>"))

    assert read == StatisticsUpdate(incomplete=[incomplete])


def test_comments_and_character_data() -> None:
    """Comments within a cell and marked sections do not change its text."""
    inner = (
        "<return><!-- x --><?pi y?><rows><values><data>a<!-- x -->b</data>"
        "<data><![CDATA[<&>]]></data></values></rows></return>"
    )

    assert read_statistics(answer(inner)).rows == [["ab", "<&>"]]


@pytest.mark.parametrize("cell", ["<data>5</data>", "5<b>1</b>2", "<item/>"])
def test_a_cell_with_elements_is_not_a_number(cell: str) -> None:
    """No part of such a cell passes for the whole of it."""
    inner = f"<return><rows><values><data>a</data><data>{cell}</data></values></rows></return>"
    change = f"<dataUpdate>{NAMED}<columnValue>{cell}</columnValue></dataUpdate>"
    update = read_update(answer(f"<return>{change}</return>", "getStatisticsUpdate"))

    assert read_statistics(answer(inner)).rows == [["a", "(element)"]]
    assert update is not None
    assert update.changes == [("x", "y", "(element)")]


def test_unknown_elements() -> None:
    """Elements that a later version adds are passed over."""
    inner = TABLE.replace("<type>", "<news><a>1</a></news><type>")

    assert read_statistics(answer(inner)) == WHOLE


@pytest.mark.parametrize("read", [read_statistics, read_update])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<",
        b"<html><body>Bad gateway</body></html>",
        b"{}",
        envelope(""),
        answer(TABLE, "getColumnNames"),
        b"\xff\xfe\x00",
        b'<?xml version="1.0" encoding="none-such"?><a/>',
    ],
)
def test_not_an_answer(read: object, body: bytes) -> None:
    """What is no answer to the question is invalid."""
    with pytest.raises(InvalidAnswer):
        read(body)


@pytest.mark.parametrize("read", [read_statistics, read_update, read_fault, check])
def test_a_fault_in_place_of_an_answer(read: Any) -> None:
    """A fault is found in the one pass in which an answer is read."""
    body = fault("<detail><ns2:SessionClosedFault xmlns:ns2='urn:x'/></detail>")

    assert read(body) == Fault("SessionClosedFault", "No <session>")


@pytest.mark.parametrize("text", ["", "x", "1.5", "9" * 5000, "--5"])
def test_a_timestamp_that_is_none(text: str) -> None:
    """A timestamp that is no integer makes the answer invalid."""
    with pytest.raises(InvalidAnswer, match="timestamp is not an integer"):
        read_statistics(answer(f"<return><timestamp>{text}</timestamp></return>"))
    with pytest.raises(InvalidAnswer, match="lastTimestamp is not an integer"):
        read_update(update(f"<return><lastTimestamp>{text}</lastTimestamp></return>"))


# Hostile documents ----------------------------------------------------------------------------

DOCTYPES = [
    '<!DOCTYPE x [<!ENTITY e "boom">]>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY e "&a;&a;&a;&a;">]>',
]


@pytest.mark.parametrize("read", [read_statistics, read_update, check])
@pytest.mark.parametrize(
    "inner",
    [
        "<a/>" * 7000,
        "<a>" * 200 + "<b/>" * 7000 + "</a>" * 200,
        "<a " + " ".join(f"a{number}=''" for number in range(7000)) + "/>",
        "".join(f"<w><rows/><dataUpdate/>{'<a/>' * 100}</w>" for _ in range(100)),
        "<rows><values>" + "<data/>" * 7000 + "</values></rows>",
        "<rows/>" * 17_000 + "<dataUpdate/>" * 17_000,
    ],
    ids=["elements", "nested", "attributes", "kept", "one row", "rows"],
)
def test_more_elements_than_fit_into_memory(read: Any, inner: str) -> None:
    """What is kept of an answer is bounded, whatever its elements are called and wherever they are.

    libxml2 takes up to 256 bytes for an element of four.
    """
    wrapper = "getStatisticsResponse" if read is read_statistics else "getStatisticsUpdateResponse"
    body = envelope(f"<{wrapper}>{inner}</{wrapper}>")

    with pytest.raises(OverBound, match="the answer to x has more elements than the limit of 1"):
        read(body, Bounds("x", SMALL))
    if "<rows/><rows/>" not in inner:
        read(body, Bounds("x", 8 * SMALL))


def test_rows_and_changes_are_freed_as_they_are_read() -> None:
    """A table and an update may be as large as their bound: their rows are not kept."""
    row = f"<rows><values>{'<data>123456</data>' * 30}</values></rows>\n"
    rows = read_statistics(answer(f"<return>{row * 1700}</return>"), Bounds("x", SMALL))
    change = f"<dataUpdate>{NAMED}<columnValue>1</columnValue></dataUpdate>\n"
    added = "<addedObjects><values><data>Billing</data></values></addedObjects>"
    inner = f"<return>{added * 5000}{change * 5000}</return>"
    changed = read_update(update(inner), Bounds("x", SMALL))

    assert isinstance(rows, Statistics)
    assert len(rows.rows) == 1700
    assert isinstance(changed, StatisticsUpdate)
    assert (len(changed.changes), len(changed.added)) == (5000, 5000)


@pytest.mark.parametrize("read", [read_statistics, read_update, check])
@pytest.mark.parametrize("before", [f"<!--{'-x' * 3000} -->", "<?x y?>" * 900, "\n" * 5000])
def test_a_doctype_behind_a_long_prolog(read: Any, before: str) -> None:
    """A document type is refused wherever it is: it may give each element many attributes."""
    attributes = " ".join(f'a{number} CDATA "x"' for number in range(100))
    doctype = f"<!DOCTYPE e [<!ATTLIST a {attributes}>]>"
    body = envelope("<a/>" * 9, head=f'<?xml version="1.0"?>{before}{doctype}')

    with pytest.raises(InvalidAnswer, match="document type declaration"):
        read(body)


def test_an_encoding_that_hides_tags() -> None:
    """A declaration that is not found where others are does not change how a body is read."""
    head = f'<?xml version="1.0"{" " * 200}encoding="IBM037"?>'.encode()
    hidden = ("<a>" + "<a/>" * 20_000 + "</a>").encode("cp037")

    with pytest.raises(InvalidAnswer):
        check(head + hidden)


def with_doctype(doctype: str, before: str = "") -> bytes:
    head = f'<?xml version="1.0"?>{before}{doctype}'
    inner = TABLE.replace("Billing &amp; Söhne", "&e;") if "ENTITY e" in doctype else TABLE
    wrapper = "ns2:getStatisticsResponse"
    return envelope(f'<{wrapper} xmlns:ns2="{FIVE9}">{inner}</{wrapper}>', head=head)


@pytest.mark.parametrize("read", [read_statistics, check])
@pytest.mark.parametrize("doctype", DOCTYPES)
def test_document_types_are_refused(read: object, doctype: str) -> None:
    """A document type declaration, which could define entities, is refused."""
    with pytest.raises(InvalidAnswer):
        read(with_doctype(doctype))


@pytest.mark.parametrize("doctype", DOCTYPES)
def test_document_types_are_refused_wherever_they_stand(doctype: str) -> None:
    """A long comment before a document type declaration does not hide it."""
    with pytest.raises(InvalidAnswer):
        read_statistics(with_doctype(doctype, f"<!--{' ' * 5000}-->"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_document_types_are_refused_in_any_encoding(encoding: str) -> None:
    """Another encoding does not hide a document type declaration."""
    text = with_doctype(DOCTYPES[0]).decode()
    name = encoding.removesuffix("-be").upper()
    body = text.replace('version="1.0"', f'version="1.0" encoding="{name}"').encode(encoding)

    with pytest.raises(InvalidAnswer):
        read_statistics(body)


def test_undefined_entities_are_refused() -> None:
    """An entity that nothing defines makes the answer invalid."""
    with pytest.raises(InvalidAnswer):
        read_statistics(answer("<return><rows><values><data>&e;</data></values></rows></return>"))


def test_predefined_entities_are_read() -> None:
    """The five entities of XML and character references are read."""
    inner = "<return><rows><values><data>&lt;&#65;&quot;&apos;</data></values></rows></return>"

    assert read_statistics(answer(inner)).rows == [["<A\"'"]]


@pytest.mark.parametrize(
    ("read", "body", "whole"),
    [(read_statistics, answer(TABLE), WHOLE), (read_update, update(CHANGES), CHANGED)],
)
def test_an_answer_cut_short(read: object, body: bytes, whole: object) -> None:
    """An answer that was cut anywhere is refused, never read in part."""
    found = []
    for cut in range(len(body)):
        try:
            found.append(read(body[:cut]))
        except InvalidAnswer:
            continue

    assert found == []
    assert whole == read(body + b"\n")


def test_a_typed_answer_cut_short() -> None:
    """Any other answer is checked to be whole."""
    body = envelope("<x/>")
    whole = []
    for cut in range(len(body) + 1):
        try:
            check(body[:cut])
        except InvalidAnswer:
            continue
        whole.append(cut)

    assert whole == [len(body)]


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_random_bytes(body: bytes) -> None:
    """Random bytes are an invalid answer, and nothing else goes wrong."""
    for read in (read_statistics, read_update):
        with pytest.raises(InvalidAnswer):
            read(body)
    assert read_fault(body) is None


@pytest.mark.fuzz
@given(st.data())
def test_damaged_answers(data: st.DataObject) -> None:
    """A damaged answer is read or is invalid, and nothing else goes wrong."""
    body = bytearray(data.draw(st.sampled_from([answer(TABLE), update(CHANGES), fault("")])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 5))] = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([b"<", b">", b"&", b"<a>", b"</data>", b"&#0;", b"]]>", b"<!--"])
        )
    damaged = bytes(body)
    for read, kinds in (
        (read_statistics, Statistics | Fault),
        (read_update, StatisticsUpdate | Fault | None),
        (read_fault, Fault | None),
        (check, Fault | None),
    ):
        try:
            found = read(damaged)
        except InvalidAnswer:
            continue
        assert isinstance(found, kinds)


cells = st.none() | st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"
    ),
    min_size=1,
)


@pytest.mark.fuzz
@given(st.lists(st.lists(cells, max_size=4), max_size=4))
def test_any_cells(rows: list[list[str | None]]) -> None:
    """Whatever is in its cells, a table is read as it was written."""
    written = "".join(
        "<rows><values>"
        + "".join("<data/>" if cell is None else f"<data>{escape(cell)}</data>" for cell in row)
        + "</values></rows>"
        for row in rows
    )

    assert rows == read_statistics(answer(f"<return>{written}</return>")).rows


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# Faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["env", "soap", "S"])
def test_a_fault(prefix: str) -> None:
    """A fault is known by the local name of its detail element, whatever the prefixes."""
    detail = f'<detail><x:SessionClosedFault xmlns:x="{FIVE9}"/></detail>'

    assert Fault("SessionClosedFault", "No <session>") == read_fault(fault(detail, prefix))


def test_a_fault_with_its_operation() -> None:
    """A fault of a limit is named by its detail element, whatever else that holds."""
    detail = (
        f'<detail><x:OperationsLimitExceededFault xmlns:x="{FIVE9}"><message>m</message>'
        "<operationType>QueryStatistics</operationType></x:OperationsLimitExceededFault></detail>"
    )

    assert read_fault(fault(detail)) == Fault("OperationsLimitExceededFault", "No <session>")


@pytest.mark.parametrize("detail", ["", "<detail/>", "<detail> </detail>"])
def test_a_fault_without_detail(detail: str) -> None:
    """A fault without a detail element has no name."""
    assert Fault("", "No <session>") == read_fault(fault(detail))


def test_a_fault_without_a_text() -> None:
    """A fault without a text is one all the same."""
    body = envelope("<env:Fault><faultcode/></env:Fault>")

    assert Fault("", "") == read_fault(body)


@pytest.mark.parametrize(
    "body", [answer(TABLE), envelope(""), b"", b"<html/>", b"no", envelope("<Fault/>")]
)
def test_no_fault(body: bytes) -> None:
    """What holds no fault of SOAP's namespace is none."""
    assert read_fault(body) is None
