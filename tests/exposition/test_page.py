import gzip
import http.server
import re
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import httpx
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.encoding import Format
from exporter.exposition.page import Page, assemble, parse_exposition
from exporter.metrics import families as f
from exporter.metrics.families import FAMILIES, Family
from exporter.metrics.labels import render_labels
from exporter.metrics.snapshot import Block
from support.programs import program

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
FIGURES = [f.QUEUE_AGENTS, f.QUEUE_LONGEST_WAIT, f.CAMPAIGN_DIALS, f.AGENT_CALL_AVERAGE]
OWN = """# HELP contactcenter_up Own.
# TYPE contactcenter_up gauge
contactcenter_up{account="a"} 1.0
# HELP contactcenter_corrections_total Own.
# TYPE contactcenter_corrections_total counter
contactcenter_corrections_total{account="a"} 2.0
# HELP contactcenter_empty Own.
# TYPE contactcenter_empty gauge
# HELP contactcenter_wait_seconds Own.
# TYPE contactcenter_wait_seconds histogram
contactcenter_wait_seconds_bucket{le="0.5"} 1.0
contactcenter_wait_seconds_bucket{le="+Inf"} 2.0
contactcenter_wait_seconds_count 2.0
contactcenter_wait_seconds_sum 3.5
"""
# NUL is replaced, see test_nul_is_replaced.
without_nul = st.characters(codec="utf-8", exclude_characters="\0")
hostile = st.text(without_nul, max_size=8) | st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        '\\"',
        "\\n",
        "{}",
        "},",
        '="',
        "# EOF",
        "\r",
        "\u2028",
        "é",
        "😀",
        " x ",
        "#",
    ]
)


def block(family: Family, *series: tuple[Mapping[str, str], float]) -> Block:
    labels = [b"{" + render_labels(each) + b"} " for each, _ in series]
    return Block.render(family, labels, [value for _, value in series])


def make(
    *blocks: Block, own: str = "", valid_until: float = 0.0, before: Page | None = None
) -> Page:
    return assemble({"acme": blocks}, parse_exposition(own), valid_until, before)


def body(page: Page, form: Format = Format.TEXT) -> bytes:
    return b"".join(page.body(form, gzip=False)[0])


def packed(page: Page, form: Format = Format.TEXT) -> bytes:
    return b"".join(page.body(form, gzip=True)[0])


def read(page: Page, form: Format) -> Samples:
    text = body(page, form).decode()
    parsed = (parse_text if form is Format.TEXT else parse_openmetrics)(text)
    samples: Samples = {}
    for family in parsed:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples
            samples[key] = sample.value
    return samples


def names(page: Page, form: Format = Format.TEXT) -> list[str]:
    return re.findall(r"^# TYPE (\S+)", body(page, form).decode(), re.MULTILINE)


def large(accounts: int = 40, queues: int = 700) -> Page:
    blocks = [
        block(
            family,
            *(
                ({"account": f"a{account}", "queue": f"q{queue * 7919 % 99991}"}, queue * 31 % 977)
                for queue in range(queues)
            ),
        )
        for family in FIGURES
        for account in range(accounts)
    ]
    return make(*blocks, own=OWN)


@st.composite
def pages(draw: st.DrawFn) -> tuple[Page, Samples]:
    blocks = []
    samples: Samples = {}
    for family in draw(st.lists(st.sampled_from(FIGURES), unique=True)):
        for account in draw(st.lists(st.sampled_from(["a", "b", 'c"']), unique=True)):
            found = draw(st.dictionaries(hostile, st.integers(0, 10**15) | st.floats(0, 1e300)))
            series = [
                ({"account": account, "queue": queue}, value) for queue, value in found.items()
            ]
            blocks.append(block(family, *series))
            for labels, value in series:
                samples[family.name, tuple(sorted(labels.items()))] = float(value)
    return make(*[each for each in blocks if each.labels]), samples


# What is on the page --------------------------------------------------------------------------


def test_text() -> None:
    """In text 0.0.4 each family has HELP and TYPE with its whole name, then its lines."""
    page = make(block(f.CAMPAIGN_DIALS, ({"campaign": "Spring"}, 3)))

    assert body(page).decode() == (
        f"# HELP contactcenter_campaign_dials_total {f.CAMPAIGN_DIALS.help}\n"
        "# TYPE contactcenter_campaign_dials_total counter\n"
        'contactcenter_campaign_dials_total{campaign="Spring"} 3\n'
    )


def test_openmetrics() -> None:
    """In OpenMetrics a counter's HELP and TYPE go without _total, and the page has an end."""
    page = make(block(f.CAMPAIGN_DIALS, ({"campaign": "Spring"}, 3)))

    assert body(page, Format.OPENMETRICS).decode() == (
        f"# HELP contactcenter_campaign_dials {f.CAMPAIGN_DIALS.help}\n"
        "# TYPE contactcenter_campaign_dials counter\n"
        'contactcenter_campaign_dials_total{campaign="Spring"} 3\n'
        "# EOF\n"
    )


def test_an_empty_page() -> None:
    """A page of nothing is valid in both formats."""
    assert body(make()) == b""
    assert body(make(), Format.OPENMETRICS) == b"# EOF\n"
    assert zlib.decompress(packed(make()), 31) == b""


@pytest.mark.parametrize("form", list(Format))
def test_each_family_stands_once(form: Format) -> None:
    """Families come in the order of their names, each with one header and its lines together."""
    page = make(
        block(f.QUEUE_LONGEST_WAIT, ({"account": "a", "queue": "x"}, 1)),
        block(f.QUEUE_AGENTS, ({"account": "a", "queue": "x"}, 1)),
        block(f.QUEUE_AGENTS, ({"account": "b", "queue": "x"}, 2)),
    )
    lines = body(page, form).decode().splitlines()
    runs = [name for name, _ in groupby(re.findall(r"contactcenter_\w+", "\n".join(lines)))]

    assert runs == ["contactcenter_queue_agents", "contactcenter_queue_longest_wait_seconds"]
    assert len([line for line in lines if line.startswith("# HELP ")]) == 2


@pytest.mark.parametrize("form", list(Format))
def test_families_of_one_name_share_a_header(form: Format) -> None:
    """Two families of one name, as users may map them, stand under one header."""
    one, two = (
        Family("contactcenter_custom_x", "Custom.", "gauge", labels)
        for labels in (("queue",), ("agent",))
    )
    page = make(block(one, ({"queue": "a"}, 1)), block(two, ({"agent": "b"}, 2)))

    assert names(page, form) == ["contactcenter_custom_x"]
    assert len(read(page, form)) == 2


@pytest.mark.parametrize("form", list(Format))
def test_a_counter_beside_its_sliding_twin(form: Format) -> None:
    """A page on which one feed's period is fixed and another's slides is valid."""
    assert f.CAMPAIGN_DIALS.sliding is not None
    page = make(
        block(f.CAMPAIGN_DIALS, ({"account": "a"}, 1)),
        block(f.CAMPAIGN_DIALS.sliding, ({"account": "b", "window": "30m"}, 2)),
    )

    kinds = re.findall(r"^# TYPE (.+)$", body(page, form).decode(), re.MULTILINE)
    counter = "contactcenter_campaign_dials" + ("_total" if form is Format.TEXT else "")

    assert set(read(page, form).values()) == {1.0, 2.0}
    assert set(kinds) == {f"{counter} counter", "contactcenter_campaign_dials_in_window gauge"}


@pytest.mark.parametrize("form", list(Format))
def test_the_whole_vocabulary(form: Format) -> None:
    """A page on which every family of figures has a series is valid."""
    families = [each for each in FAMILIES.values() if each.kind != "histogram"]
    page = make(*(block(family, (dict.fromkeys(family.labels, "x"), 1)) for family in families))

    assert len(families) == len(read(page, form))


@pytest.mark.parametrize("form", list(Format))
def test_own_metrics(form: Format) -> None:
    """An exposition rendered elsewhere follows the figures, and reads the same in both formats."""
    samples = read(make(block(f.QUEUE_AGENTS, ({"queue": "a"}, 1)), own=OWN), form)

    assert samples["contactcenter_up", (("account", "a"),)] == 1
    assert samples["contactcenter_corrections_total", (("account", "a"),)] == 2
    assert samples["contactcenter_wait_seconds_bucket", (("le", "0.5"),)] == 1
    assert samples["contactcenter_wait_seconds_sum", ()] == 3.5


def test_own_metrics_are_the_same_text() -> None:
    """Parsing an exposition into families and joining them again changes nothing."""
    assert body(make(own=OWN)).decode() == OWN


@given(pages(), st.sampled_from(list(Format)))
def test_parses_back(made: tuple[Page, Samples], form: Format) -> None:
    """Whatever the labels, a page reads back as the same samples in both formats."""
    page, samples = made

    assert samples == read(page, form)


@pytest.mark.parametrize("form", list(Format))
def test_nul_is_replaced(form: Format) -> None:
    """NUL, at which some readers end the page, is shown as U+FFFD."""
    family = Family("contactcenter_odd", "Odd.", "gauge", ("queue",))
    page = make(block(family, ({"queue": "a\0b"}, 1)))

    assert read(page, form) == {("contactcenter_odd", (("queue", "a\ufffdb"),)): 1}


@given(pages(), st.sampled_from(list(Format)))
def test_gzip_is_the_same_page(made: tuple[Page, Samples], form: Format) -> None:
    """The gzip body is one member that holds exactly the plain body."""
    page, _ = made

    assert body(page, form) == zlib.decompress(packed(page, form), 31)


@given(pages(), st.sampled_from(list(Format)), st.booleans())
def test_length(made: tuple[Page, Samples], form: Format, gzip: bool) -> None:
    """The length that is told is the sum of the buffers, none of which is empty."""
    buffers, length = made[0].body(form, gzip=gzip)

    assert length == sum(len(buffer) for buffer in buffers)
    assert all(buffers)


def test_buffers_are_made_once() -> None:
    """A second scrape of a page gets the very buffers and pieces of the first."""
    page = make(block(f.QUEUE_AGENTS, ({"queue": "a"}, 1)))

    assert page.body(Format.TEXT, gzip=True)[0] is page.body(Format.TEXT, gzip=True)[0]
    assert page.chunks(Format.TEXT, gzip=True) is page.chunks(Format.TEXT, gzip=True)


@pytest.mark.parametrize("gzip", [False, True])
def test_pieces_are_the_buffers(gzip: bool) -> None:
    """The pieces of a page are its buffers in order, never more at once than one write takes."""
    page = make(*(block(f.QUEUE_AGENTS, ({"queue": f"{at}"}, at)) for at in range(1500)), own=OWN)
    buffers, length = page.body(Format.TEXT, gzip=gzip)
    chunks = page.chunks(Format.TEXT, gzip=gzip)

    assert [part for chunk in chunks for part in chunk.parts] == buffers
    assert sum(map(len, chunks)) == length
    assert max(len(each.parts) for each in chunks) <= 1024
    assert all(len(each) <= 512 * 1024 or len(each.parts) == 1 for each in chunks)
    assert gzip or len(chunks) > 1


def test_each_line_is_in_memory_once() -> None:
    """The buffers of a plain page are the blocks' own bytes, however small; gzip is few buffers."""
    blocks = [
        block(family, *(({"account": f"{a}", "queue": f"{at}"}, at) for at in range(size)))
        for family in FIGURES
        for a, size in enumerate((1, 3, 200, 2, 500))
    ]
    page = make(*blocks, own=OWN)

    for form in Format:
        buffers = {id(each) for each in page.body(form, gzip=False)[0]}
        assert all(id(each.text) in buffers for each in blocks)
        assert len(page.body(form, gzip=True)[0]) < 6


# Taking over ----------------------------------------------------------------------------------


def test_unchanged_blocks_keep_their_segments() -> None:
    """A block that did not change is on the next page as the identical segment."""
    same = [block(f.QUEUE_AGENTS, *(({"queue": f"{at}"}, at) for at in range(200)))]
    changed = [
        block(f.QUEUE_LONGEST_WAIT, *(({"queue": f"{at}"}, at) for at in range(size)))
        for size in (200, 201)
    ]
    first = make(*same, changed[0])
    second = make(*same, changed[1], before=first)
    pairs = list(zip(first.families, second.families, strict=True))

    assert [each.segments[0] is other.segments[0] for each, other in pairs] == [True, False]
    assert all(
        each.headers[form] is other.headers[form] for each, other in pairs for form in Format
    )


def test_a_change_is_local() -> None:
    """Of a family of many accounts only the segment of the one that changed is made anew."""
    blocks = [
        block(f.QUEUE_AGENTS, *(({"account": f"{a}", "queue": f"{at}"}, at) for at in range(200)))
        for a in range(10)
    ]
    first = make(*blocks)
    other = block(f.QUEUE_AGENTS, *(({"account": "3", "queue": f"{at}"}, 0) for at in range(200)))
    second = make(*blocks[:3], other, *blocks[4:], before=first)
    kept = [
        each is other
        for each, other in zip(first.families[0].segments, second.families[0].segments, strict=True)
    ]

    assert [at != 3 for at in range(10)] == kept


@pytest.mark.parametrize("form", list(Format))
def test_only_own_metrics_change(form: Format) -> None:
    """Where no block changed, what was made of the blocks is what the next page sends too."""
    blocks = [block(f.QUEUE_AGENTS, *(({"queue": f"{at}"}, at) for at in range(200)))]
    first = make(*blocks, own=OWN)
    first.body(form, gzip=True)
    second = make(*blocks, own=OWN.replace("3.5", "4.5"), before=first)
    head, packed_core, *_ = first.body(form, gzip=True)[0]

    assert second.accounts_part is first.accounts_part
    assert head is second.body(form, gzip=True)[0][0]
    assert packed_core is second.body(form, gzip=True)[0][1]
    assert b"sum 4.5" in body(second, form)
    assert body(second, form) == zlib.decompress(packed(second, form), 31)
    assert body(first, form) == body(second, form).replace(b"4.5", b"3.5")


def test_accounts_in_another_order_are_another_page() -> None:
    """The order of accounts is the order of their lines, also where no block changed."""
    one, two = (block(f.QUEUE_AGENTS, ({"account": name}, 1)) for name in "ab")
    first = assemble({"a": [one], "b": [two]}, (), 0.0)
    second = assemble({"b": [two], "a": [one]}, (), 0.0, first)

    assert body(second).endswith(two.text + one.text)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6))
def test_taking_over_changes_nothing(choices: list[tuple[int, int]]) -> None:
    """Whatever changes, the figures or only own metrics, the page is the one made from scratch."""
    stock = [
        block(
            f.QUEUE_AGENTS, *(({"account": "a", "queue": f"{at}"}, at * n) for at in range(60 * n))
        )
        for n in (1, 2, 3, 4)
    ]
    other = block(f.QUEUE_AGENTS, ({"account": "b", "queue": "x"}, 1))
    page = None
    for choice, spent in choices:
        own = OWN.replace("3.5", f"{spent}.5")
        page = make(stock[choice], other, own=own, before=page)
        scratch = make(stock[choice], other, own=own)
        for form in Format:
            assert body(page, form) == body(scratch, form)
            assert body(page, form) == zlib.decompress(packed(page, form), 31)


# only -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"contactcenter_queue_agents"}, ["contactcenter_queue_agents"]),
        ({"contactcenter_campaign_dials_total"}, ["contactcenter_campaign_dials_total"]),
        ({"contactcenter_wait_seconds_bucket"}, ["contactcenter_wait_seconds"]),
        ({"contactcenter_wait_seconds_sum"}, ["contactcenter_wait_seconds"]),
        (
            {"contactcenter_up", "contactcenter_queue_agents"},
            ["contactcenter_queue_agents", "contactcenter_up"],
        ),
        ({"contactcenter_nothing"}, []),
        (set(), []),
    ],
)
def test_only(wanted: set[str], expected: list[str]) -> None:
    """A page can be cut down to the families of some sample names."""
    page = make(
        block(f.QUEUE_AGENTS, ({"queue": "a"}, 1)),
        block(f.CAMPAIGN_DIALS, ({"campaign": "a"}, 1)),
        own=OWN,
        valid_until=7.0,
    ).with_samples(wanted)

    assert expected == names(page)
    assert page.valid_until == 7
    assert body(page) == zlib.decompress(packed(page), 31)


def test_only_tells_twins_apart() -> None:
    """Asking for a counter's samples does not bring the gauge of its sliding twin."""
    assert f.CAMPAIGN_DIALS.sliding is not None
    page = make(
        block(f.CAMPAIGN_DIALS, ({"account": "a"}, 1)),
        block(f.CAMPAIGN_DIALS.sliding, ({"account": "b"}, 2)),
    )

    assert names(page.with_samples({f.CAMPAIGN_DIALS.name})) == [f.CAMPAIGN_DIALS.name]


# Real readers of a large gzip body ------------------------------------------------------------


class Answer(http.server.BaseHTTPRequestHandler):
    buffers: Sequence[bytes] = ()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", Format.TEXT.value)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(sum(map(len, self.buffers))))
        self.end_headers()
        for buffer in self.buffers:
            self.wfile.write(buffer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def large_page() -> Page:
    return large()


@pytest.fixture(scope="module")
def url(large_page: Page) -> Iterator[str]:
    handler = type(
        "LargeAnswer", (Answer,), {"buffers": large_page.body(Format.TEXT, gzip=True)[0]}
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("form", list(Format))
def test_one_member(large_page: Page, form: Format) -> None:
    """A gzip body of many segments is one member, read whole by a single inflater."""
    inflater = zlib.decompressobj(31)
    actual = inflater.decompress(packed(large_page, form))
    segments = sum(len(family.segments) for family in large_page.families)

    assert body(large_page, form) == actual
    assert inflater.eof
    assert inflater.unused_data == b""
    assert segments > 100
    assert len(actual) > 4_000_000


def test_gzip_module(large_page: Page) -> None:
    """Python's gzip reads the body whole, checksum and length included."""
    data = packed(large_page)
    checksum, size = struct.unpack("<LL", data[-8:])

    assert body(large_page) == gzip.decompress(data)
    assert (zlib.crc32(body(large_page)), len(body(large_page))) == (checksum, size)


def test_a_segment_at_a_time(large_page: Page) -> None:
    """A reader that inflates buffer by buffer gets the page."""
    inflater = zlib.decompressobj(31)
    parts = [inflater.decompress(each) for each in large_page.body(Format.TEXT, gzip=True)[0]]

    assert body(large_page) == b"".join(parts)


@pytest.mark.real
def test_httpx(large_page: Page, url: str) -> None:
    """Client httpx reads the gzip body whole."""
    assert body(large_page) == httpx.get(url, trust_env=False).content


@pytest.mark.real
def test_requests(large_page: Page, url: str) -> None:
    """Client requests reads the gzip body whole."""
    with requests.Session() as session:
        session.trust_env = False
        actual = session.get(url, timeout=10).content

    assert body(large_page) == actual


@pytest.mark.real
def test_curl(large_page: Page, url: str) -> None:
    """Client curl reads the gzip body whole."""
    command = ["curl", "--silent", "--fail", "--compressed", "--noproxy", "*", url]

    assert body(large_page) == subprocess.run(command, capture_output=True, check=True).stdout


# One account's page ---------------------------------------------------------------------------


def own(accounts: list[str]) -> str:
    """Return own metrics of accounts and of none, written by the library that writes them."""
    disable_created_metrics()  # as the exporter does
    registry = CollectorRegistry()
    up = Gauge("contactcenter_up", "Up.", ("provider", "account"), registry=registry)
    requests = Counter("contactcenter_api", "Api.", ("account", "operation"), registry=registry)
    spent = Histogram("contactcenter_wait_seconds", "Wait.", ("account",), registry=registry)
    Gauge("contactcenter_exporter_build_info", "Build.", ("version",), registry=registry).labels(
        ',account="a"'
    ).set(1)
    Gauge("contactcenter_empty", "Empty.", ("account",), registry=registry)
    for number, name in enumerate(accounts):
        up.labels("five9", name).set(number)
        requests.labels(name, "signin").inc(number)
        spent.labels(name).observe(number)
    return generate_latest(registry).decode()


@st.composite
def owned_pages(draw: st.DrawFn) -> tuple[Page, list[str]]:
    accounts = draw(st.lists(hostile.filter(bool), unique=True, max_size=4))
    owned = {}
    for name in accounts:
        owned[name] = [
            block(
                family, *(({"account": name, "queue": str(queue)}, queue) for queue in range(size))
            )
            for family in draw(st.lists(st.sampled_from(FIGURES), unique=True))
            if (size := draw(st.sampled_from([1, 3, 130])))
        ]
    return assemble(owned, parse_exposition(own(accounts)), 0.0), accounts


@pytest.mark.parametrize("form", list(Format))
@settings(max_examples=40)
@given(owned_pages())
def test_the_accounts_pages_make_the_whole(form: Format, found: tuple[Page, list[str]]) -> None:
    """The pages of all accounts and of none have each series of the whole, and have it once."""
    page, accounts = found
    parts = [read(page.for_accounts({name}), form) for name in ["", *accounts]]

    assert sum(map(len, parts)) == len(read(page, form))
    assert {key: value for part in parts for key, value in part.items()} == read(page, form)
    assert read(page.for_accounts({"", *accounts}), form) == read(page, form)


@pytest.mark.parametrize("form", list(Format))
@settings(max_examples=20)
@given(owned_pages())
def test_an_accounts_page_is_its_own(form: Format, found: tuple[Page, list[str]]) -> None:
    """Every series on an account's page has its name, and gzip says the same as the plain page."""
    page, accounts = found
    for name in accounts:
        part = page.for_accounts({name})

        assert all(dict(labels)["account"] == name for _, labels in read(part, form))
        assert zlib.decompress(packed(part, form), 31) == body(part, form)


# Characters at which str.splitlines() or bytes.splitlines() cuts, and others that are not shown.
HIDDEN = [*map(chr, (*range(1, 0x20), 0x7F, 0x85, 0x9B, 0x200B, 0x2028, 0x2029, 0x202E, 0x2066))]


def hidden_page() -> tuple[Page, list[str]]:
    """Return a page with each of ``HIDDEN`` in names, labels and own metrics; the accounts."""
    accounts = [f"a{character}b" for character in HIDDEN]
    owned = {
        name: [block(f.QUEUE_AGENTS, ({"account": name, "queue": f"{name}{name}"}, 1))]
        for name in accounts
    }
    registry = CollectorRegistry()
    quota = Gauge("contactcenter_quota", "Own.", ("account", "operation"), registry=registry)
    for name in accounts:
        for number, operation in enumerate((name, f'{name},account="a"', f"{name}\n\r\n{name}")):
            quota.labels(name, operation).set(number)
    return assemble(owned, parse_exposition(generate_latest(registry).decode()), 0.0), accounts


@pytest.mark.parametrize("form", list(Format))
def test_hidden_characters(form: Format) -> None:
    """The accounts' pages make the whole, whatever characters names and labels hold."""
    page, accounts = hidden_page()
    parts = [read(page.for_accounts({name}), form) for name in ["", *accounts]]

    assert [len(part) for part in parts] == [0, *[4] * len(accounts)]
    assert {key: value for part in parts for key, value in part.items()} == read(page, form)


@pytest.mark.real
def test_promtool_reads_hidden_characters() -> None:
    """The page of some accounts is an exposition for Prometheus too."""
    page, accounts = hidden_page()
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=body(page.for_accounts(set(accounts[1:]))),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_an_account_without_figures() -> None:
    """An account that has no figures has a page of what is known about it."""
    page = assemble({"a": [], "b": []}, parse_exposition(own(["a"])), 0.0)

    assert page.accounts == {"", "a", "b"}
    assert names(page.for_accounts({"a"})) == [
        "contactcenter_up",
        "contactcenter_api_total",
        "contactcenter_wait_seconds",
    ]
    assert body(page.for_accounts({"b"})) == b""


def test_what_is_large_is_not_compressed_again() -> None:
    """An account's page takes its large blocks from the whole page as they were compressed."""
    owned = {
        name: [
            block(
                f.QUEUE_AGENTS, *(({"account": name, "queue": str(at)}, at) for at in range(size))
            )
        ]
        for name, size in (("a", 3), ("b", 500), ("c", 5))
    }
    page = assemble(owned, (), 0.0)

    assert page.for_accounts({"b"}).families[0].segments[0] in page.families[0].segments
