"""Tests of the dashboards' JSON: importable, up to date, and of existing metrics only."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import build
import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards import look, promql
from boards.frame import TAG
from boards.promql import Promql
from exporter.metrics import families
from support.dashboards import RULES, metric_names, unknown_metrics
from support.panels import DOCUMENTS, Target, annotations, panels, targets
from support.scenarios import judge, rules

PANELS = list(panels())
TARGETS = list(targets())
EVENTS = list(annotations())
# Of the exporter's own work: two replicas do twice the work, so these may be added.
_OWN_WORK = {
    "contactcenter_api_requests_total",
    "contactcenter_api_request_duration_seconds_bucket",
    "contactcenter_feed_refreshes_total",
    "contactcenter_session_signins_total",
    "contactcenter_exporter_http_requests_total",
    "contactcenter_exporter_http_refused_connections_total",
}
_Q = Promql(("provider", "account", "queue"))
_COUNT = {"short", "locale"}
_SECONDS = {"s", "ms", "time:m:ss"}
_SHARE = {"percentunit", "short"}
_WALLBOARD = 1080  # pixels high
# Fields of annotations that belong to the data source of Prometheus.
_OF_PROMETHEUS = ("step", "tagKeys", "titleFormat", "useValueForTime")
_GRID, _GAP = 30, 8  # pixels: a unit of height, and what is between two


# That a total is still on the page, or is not 0; the direction of a campaign.
_GUARD = re.compile(
    r" (?:and|unless) on \([^)]*\) "
    r"(?:max by \([^)]*\) \(contactcenter_\w+_total\{[^}]*\}\)(?: == 0)?"
    f"|{re.escape(Promql(('provider', 'account', 'campaign')).dialling)})"
)


def fitting(expression: str) -> set[str]:
    """Return the units in which an expression's result may be shown."""
    if re.fullmatch(r"1000 \* \(.*\)", expression):
        return {"ms", "time:m:ss"}  # a time of seconds, shown by a unit of milliseconds
    expression = _GUARD.sub("", expression)
    expression = re.split(r" (?:unless|and) ", expression)[0]  # a condition gives no value
    part, _, below = expression.partition(" / ")
    above, under = _unit(part), _unit(below)
    if "histogram_quantile" in expression or "time() - " in part:
        return _SHARE if under == "seconds" else _SECONDS
    if re.search(r"\brate\(", part):
        return {"reqps", "percentunit", "short"}
    if below:
        return _SECONDS if above == "seconds" and under != "seconds" else _SHARE
    return {"seconds": _SECONDS, "ratio": {"percentunit"}, "bytes": {"bytes"}}.get(above, _COUNT)


def _unit(expression: str) -> str:
    """Return the base unit of the first metric that an expression reads."""
    if "campaign_dialing_ratio" in expression:
        return ""  # calls for each agent, as diallers are set, and no share
    first = re.search(r"(contactcenter|process|scrape)_\w+", expression)
    stem = first.group().removesuffix("_total") if first else ""
    return stem.rpartition("_")[2]


def test_every_dashboard_is_there() -> None:
    """The six dashboards that the README names are files of the tree."""
    assert set(DOCUMENTS) == {"overview", "queues", "wallboard", "agents", "campaigns", "exporter"}


def test_what_is_committed_is_what_the_script_makes(capsys: pytest.CaptureFixture[str]) -> None:
    """``build.py --check`` finds no file that differs."""
    assert build.main(["--check"]) == 0, capsys.readouterr().err


def test_the_check_finds_what_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``build.py --check`` names a file that is not as it should be, and ends with 1."""
    wanted = build.documents()
    file = next(iter(wanted))
    monkeypatch.setattr(build, "documents", lambda: wanted | {file: "something else"})

    assert build.main(["--check"]) == 1
    assert file.name in capsys.readouterr().err


@pytest.mark.parametrize("name", DOCUMENTS)
def test_grafanas_models_accept_it(name: str) -> None:
    """Read by the models of Grafana's own SDK and written again, a dashboard is the same."""
    plugins.register_default_plugins()
    document = copy.deepcopy(DOCUMENTS[name])
    for annotation in document["annotations"].get("list", []):
        for field in _OF_PROMETHEUS:
            del annotation[field]
    read = Dashboard.from_json(document)

    assert json.loads(json.dumps(read, cls=JSONEncoder)) == document


def test_identities() -> None:
    """Dashboards have fixed uids and our tag, no id of some database, and no inputs to fill in."""
    assert {document["uid"] for document in DOCUMENTS.values()} == {
        f"{TAG}-{name}" for name in DOCUMENTS
    }
    for document in DOCUMENTS.values():
        assert document.get("id") is None
        assert document["tags"] == [TAG]
        assert document["editable"] is False
        assert document["schemaVersion"] >= 39
        assert "__inputs" not in document


@pytest.mark.parametrize("name", DOCUMENTS)
def test_variables(name: str) -> None:
    """The data source comes first; all others take several values or all, limited by the left."""
    source, *others = DOCUMENTS[name]["templating"]["list"]

    assert (source["type"], source["name"]) == ("datasource", "datasource")
    assert [each["name"] for each in others][:2] == ["provider", "account"]
    for index, variable in enumerate(others):
        assert variable["multi"], variable["name"]
        assert variable["includeAll"], variable["name"]
        assert variable["allValue"] == ".*"
        assert variable["datasource"]["uid"] == "${datasource}"
        text = variable["query"]["query"]
        named = re.match(r"label_values\((\w+)", text)
        assert named
        assert unknown_metrics(named[1]) == set()
        assert all(f"${other['name']}" in text for other in others[: min(index, 2)])


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_a_panel_is_complete(name: str, panel: dict[str, Any]) -> None:
    """A panel has a title, a description in sentences, a unit, and the chosen data source."""
    assert panel["title"]
    assert re.fullmatch(r"[A-Z].+\.", panel["description"], re.DOTALL)
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_grid_is_full(name: str) -> None:
    """Panels do not overlap, and no corner of the grid is empty."""
    taken: dict[tuple[int, int], str] = {}
    for panel in DOCUMENTS[name]["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    bottom = max(y for _, y in taken) + 1

    assert set(taken) == {(x, y) for x in range(24) for y in range(bottom)}
    ids = [panel["id"] for panel in DOCUMENTS[name]["panels"]]
    assert len(ids) == len(set(ids))


def test_the_wallboard_fits_its_screen_and_is_large() -> None:
    """Without scrolling 1080 pixels are enough, and no number is smaller than 34 pixels."""
    found = [panel for name, panel in PANELS if name == "wallboard"]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in found)

    assert bottom * (_GRID + _GAP) <= _WALLBOARD
    assert min(panel["options"]["text"]["valueSize"] for panel in found) >= 34


def test_links_resolve() -> None:
    """Every dashboard links to all by the tag, and every other link leads to one that exists."""
    uids = {document["uid"] for document in DOCUMENTS.values()}
    for document in DOCUMENTS.values():
        (link,) = document["links"]
        assert (link["type"], link["tags"]) == ("dashboards", [TAG])
        assert link["includeVars"]
        assert link["keepTime"]
    named = set(re.findall(r"/d/([\w-]+)", json.dumps(DOCUMENTS)))

    assert named
    assert named <= uids


def test_links_set_variables_of_their_target() -> None:
    """A link to a dashboard sets only variables that this dashboard defines."""
    defined = {
        document["uid"]: {variable["name"] for variable in document["templating"]["list"]}
        for document in DOCUMENTS.values()
    }
    checked = 0
    for url in re.findall(r'"(/d/[^"]+)"', json.dumps(DOCUMENTS)):
        target = url.removeprefix("/d/").partition("?")[0]
        assert set(re.findall(r"var-(\w+)=", url)) <= defined[target], url
        checked += 1

    assert checked >= 7


def test_rows_lead_to_their_object_and_account() -> None:
    """A row leads to the queue or campaign of its own account, an alert to the runbook."""
    checked = 0
    for _, panel in PANELS:
        columns = {each["matcher"]["options"]: each for each in panel["fieldConfig"]["overrides"]}
        for heading in ("Queue", "Campaign", "Alert"):
            for setting in columns.get(heading, {}).get("properties", []):
                if setting["id"] == "links":
                    (link,) = setting["value"]
                    if heading == "Alert":
                        assert link["url"].startswith(_runbook())
                        assert "${__value.text" in link["url"]
                    else:
                        assert "var-account=${__data.fields.Account:" in link["url"]
                        assert f"var-{heading.lower()}=${{__value.text:" in link["url"]
                        assert "${__url_time_range}" in link["url"]
                    checked += 1

    assert checked >= 5


def test_the_runbook_is_as_the_links_expect() -> None:
    """A link looks for an alert's name that "Means" follows, which is there once for each."""
    text = (RULES.parent / "runbook.md").read_text(encoding="utf-8")

    for rule in rules(RULES):
        if "alert" in rule:
            assert text.count(f"### {rule['alert']}\n\n**Means") == 1, rule["alert"]


def _runbook() -> str:
    """Return the address of the runbook in the rules."""
    found = {
        rule["annotations"]["runbook_url"].partition("#")[0]
        for rule in rules(RULES)
        if "alert" in rule
    }
    (address,) = found
    return str(address)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_graphs_show_events(name: str) -> None:
    """A dashboard with graphs shows alerts (at first critical ones), hours and reloads."""
    shown = {event["name"]: event["enable"] for board, event in annotations() if board == name}
    expected = dict.fromkeys(("Critical alerts", "Openings", "Closings", "Reloads"), True)
    graphs = [found for found, panel in PANELS if panel["type"] in ("timeseries", "state-timeline")]

    assert shown == (expected | {"Other alerts": False} if name in graphs else {})


@pytest.mark.parametrize(("name", "event"), EVENTS, ids=lambda value: value)
def test_an_event_is_sound(name: str, event: dict[str, Any]) -> None:
    """An event's query reads metrics that exist, and its title labels that the query keeps."""
    defined = {each["name"] for each in DOCUMENTS[name]["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", event["expr"]))
    kept = re.search(r"by \(([^)]*)\)", event["expr"])

    assert metric_names(event["expr"])
    assert unknown_metrics(event["expr"]) == set()
    assert used <= defined
    assert kept
    said = {*re.findall(r"\{\{(\w+)\}\}", event["titleFormat"]), *event["tagKeys"].split(",")}
    assert said - {""} <= set(kept[1].split(", "))
    assert event["datasource"]["uid"] == "${datasource}"


@pytest.mark.real
def test_events_happen_once(tmp_path: Path) -> None:
    """An account opens with its first queue and closes with its last; a start is neither."""
    of_queues = {event["name"]: event["expr"] for board, event in EVENTS if board == "queues"}
    opens, closes = (_everything(of_queues[name]) for name in ("Openings", "Closings"))
    account = '{provider="p",account="a"}'
    scenario = {
        "name": "two queues in the morning and in the evening, two accounts that are new",
        "interval": "1m",
        "series": {
            'contactcenter_queue_open{queue="q"}': "_x5 0x10 1x30 0x20",
            'contactcenter_queue_open{queue="r"}': "_x5 0x20 1x30 0x10",
            'contactcenter_queue_open{account="b",queue="s"}': "_x20 1x60",
            'contactcenter_queue_open{account="c",queue="s"}': "_x20 0x60",
        },
        "records": {
            "20m": {f"count_over_time(({opens})[15m:1m]) => {account}": 1},
            "65m": {
                f"count_over_time(({expression})[65m:1m]) => {account}": 1
                for expression in (opens, closes)
            },
        },
    }
    judge([scenario], RULES, tmp_path)


def test_colours_can_be_told_apart() -> None:
    """Only colours of the palette are used; none is named as red and green are."""
    palette = {value for value in vars(look).values() if re.fullmatch("#[0-9A-F]{6}", str(value))}
    fields = re.findall(r'"(?:color|fixedColor)": "([^"]+)"', json.dumps(DOCUMENTS))

    assert set(fields) <= palette | {look.CALM, "text"}


@pytest.mark.parametrize("ground", [look.WARNING, look.CRITICAL, look.BLUE, look.SHADE])
def test_texts_on_a_coloured_ground_can_be_read(ground: str) -> None:
    """Grafana writes black on a bright ground and white on others; WCAG asks for 4.5:1."""
    red, green, blue = (int(ground[index : index + 2], 16) for index in (1, 3, 5))
    bright = (red * 299 + green * 587 + blue * 114) / 1000 > 180
    text = 0.0 if bright else 1.0

    assert contrast(luminance(ground), text) >= 4.5


@pytest.mark.parametrize("line", [look.WARNING_LINE, look.CRITICAL_LINE])
@pytest.mark.parametrize("ground", ["#181B1F", "#FFFFFF"])
def test_lines_of_limits_are_seen(line: str, ground: str) -> None:
    """Lines have a contrast of 3:1 against the panels of both themes."""
    assert contrast(luminance(line), luminance(ground)) >= 3


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(w * x for w, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: float, second: float) -> float:
    """Return the contrast of two luminances."""
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: " ".join(target[:3]))
def test_a_query_counts_what_somebody_counted(target: Target) -> None:
    """No query makes up a zero where there is no series, and none averages shares over objects."""
    assert "vector(0)" not in target.expression
    assert not re.search(r"(?<!_)\bavg\b", target.expression)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: " ".join(target[:3]))
def test_a_query_uses_variables_that_are_defined(target: Target) -> None:
    """A variable in a query is one of its dashboard, or one of Grafana's own."""
    defined = {each["name"] for each in DOCUMENTS[target.store]["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", target.expression))

    assert {name for name in used if not name.startswith("__")} <= defined


@pytest.mark.parametrize("name", DOCUMENTS)
def test_missing_accounts_stand_at_the_head(name: str) -> None:
    """The first panel of every dashboard names the accounts whose figures are in no other."""
    first = DOCUMENTS[name]["panels"][0]

    assert first["title"] == "Accounts"
    assert first["gridPos"]["y"] == 0
    assert "last_over_time(contactcenter_up" in first["targets"][0]["expr"]


def test_single_readings_are_seen() -> None:
    """A graph draws a point where it has no line, as in the first hour and in quiet queues."""
    for _, panel in PANELS:
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["showPoints"] == "auto"


def test_counts_are_whole_numbers() -> None:
    """Contacts, calls and agents have no decimals, except where a mean of them is shown."""
    means = {
        "Contacts waiting for each agent at work",
        "Dialled for each free agent",
        "Operator status: time by state",
    }
    for _, panel in PANELS:
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] in ("stat", "bargauge", "timeseries") and defaults["unit"] == "short":
            assert defaults["decimals"] == (1 if panel["title"] in means else 0), panel["title"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: " ".join(target[:3]))
def test_a_query_is_sound(target: Target) -> None:
    """A query reads metrics that exist, in their unit, by Grafana's interval, once per replica."""
    expression = target.expression

    assert metric_names(expression)
    assert unknown_metrics(expression) == set()
    assert target.unit in fitting(expression)
    ranges = re.findall(r"\b(?:rate|increase)\([^\[]*\[([^\]]+)\]", expression)
    assert set(ranges) <= {"$__rate_interval", promql.HALF_HOUR}
    raw = re.findall(
        r"(?:sum|count|avg)(?: by \([^)]*\))? ?\((?:rate\(|increase\()?(contactcenter_\w+)",
        expression,
    )
    assert set(raw) <= _OWN_WORK


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: " ".join(target[:3]))
def test_a_query_is_limited_to_what_is_chosen(target: Target) -> None:
    """Every series is limited by those variables of its dashboard that it has a label for."""
    variables = {each["name"] for each in DOCUMENTS[target.store]["templating"]["list"]}
    for name, labels in re.findall(
        r"(?<!:)(contactcenter_\w+)(\{(?:[^{}\"]|\"[^\"]*\")*\})?", target.expression
    ):
        if name.startswith("contactcenter_exporter_"):
            continue
        for label in ("provider", "account", "queue", "campaign"):
            if label in variables and label in _own_labels(name):
                assert f'{label}=~"${label}"' in labels, (name, label)


def _own_labels(name: str) -> tuple[str, ...]:
    """Return the labels that a series has; those of objectives follow their names."""
    family = families.FAMILIES.get(name) or families.FAMILIES.get(name.removesuffix("_bucket"))
    subject = name.removeprefix("contactcenter_").partition("_")[0]
    own = family.labels if family else (subject,)
    return ("provider", "account", *own)


_TWICE = {
    "queue_contacts_waiting": {'queue="q",media="voice"': "3x60", 'queue="q",media="chat"': "2x60"},
    "queue_contacts_offered_total": {'queue="q",media="voice"': "0+10x60"},
    "queue_contacts_answered_within_threshold_total": {'queue="q",media="voice"': "0+9x60"},
    "queue_agents": {
        'queue="q",state="ready"': "1x60",
        'queue="q",state="on_contact"': "4x60",
        'queue="q",state="not_ready"': "9x60",
    },
    "agents": {'state="ready"': "2x60", 'state="on_contact"': "5x60", 'state="logged_out"': "8x60"},
}


@pytest.mark.real
def test_replicas_count_once(tmp_path: Path) -> None:
    """What several dashboards show is the same with two replicas of the exporter as with one."""
    scenario = {
        "name": "two replicas",
        "series": {
            f'contactcenter_{name}{{{labels},instance="{replica}"}}': values
            for name, found in _TWICE.items()
            for labels, values in found.items()
            for replica in ("r1", "r2")
        },
        "records": {
            "20m": {
                f"{_everything(promql.grand(_Q.waiting))} => {{}}": 5,
                f"{_everything(promql.grand(_Q.contacts('offered')))} => {{}}": 100,
                f"{_everything(promql.grand(_Q.staffed))} => {{}}": 5,
                f"{_everything(promql.grand(_Q.signed_in))} => {{}}": 7,
                f"{_everything(f'max({_Q.service_level()})')} => {{}}": 0.9,
            }
        },
    }
    judge([scenario], RULES, tmp_path)


@pytest.mark.real
def test_ratios_of_campaigns_are_of_one_period(tmp_path: Path) -> None:
    """Counts of a day are not divided by counts of a window, though one campaign has both."""
    number = _of_campaigns("Reached", ".*")[0]
    lines = _of_campaigns("Dials that were connected", "c")[0]
    rate = _of_campaigns("Abandon rate", "c")[0]
    of_c = '{provider="p",account="a",campaign="c"}'
    scenario = {
        "name": "connected calls counted and sliding, dials only sliding",
        "series": {
            'contactcenter_campaign_info{campaign="c",direction="outbound"}': "1x40",
            'contactcenter_campaign_info{campaign="d",direction="outbound"}': "1x40",
            'contactcenter_campaign_connected_total{campaign="c"}': "0+1x40",
            'contactcenter_campaign_connected_in_window{campaign="c",window="30m"}': "30x40",
            'contactcenter_campaign_dials_in_window{campaign="c",window="30m"}': "60x40",
            'contactcenter_campaign_abandoned_in_window{campaign="c",window="30m"}': "3x40",
            'contactcenter_campaign_connected_total{campaign="d"}': "0+1x40",
            'contactcenter_campaign_dials_total{campaign="d"}': "0+4x40",
        },
        "records": {
            "20m": {
                f"{number} => {{}}": 0.4,
                f"{lines} => {of_c}": 0.5,
                f"{rate} => {of_c}": 0.1,
            }
        },
    }
    judge([scenario], RULES, tmp_path)


_DIALLED = {
    "campaign_dials_in_window": {'campaign="dials",window="30m"': "40x60"},
    "campaign_connected_in_window": {'campaign="dials",window="30m"': "10x60"},
    "campaign_abandoned_in_window": {'campaign="dials",window="30m"': "1x60"},
    "campaign_abandoned_limit_ratio": {'campaign="dials"': "0.05x60", 'campaign="line"': "0.05x60"},
    "campaign_state": {
        'campaign="dials",state="running"': "1x60",
        'campaign="line",state="running"': "1x60",
    },
    "campaign_open": {'campaign="dials"': "1x60", 'campaign="line"': "1x60"},
    # An inbound campaign with all that a Five9 domain could show of it.
    "campaign_dials_total": {'campaign="line"': "0+1x60"},
    "campaign_connected_total": {'campaign="line"': "0+9x60"},
    "campaign_abandoned_total": {'campaign="line"': "0+3x60"},
    "campaign_abandoned_ratio": {'campaign="line",window="day"': "0.3x60"},
    "campaign_offered_total": {'campaign="line"': "0+10x60", 'campaign="dials"': "0+10x60"},
    "campaign_handled_total": {'campaign="line"': "0+6x60", 'campaign="dials"': "0+1x60"},
    "campaign_rejected_total": {'campaign="line"': "0+1x60"},
    "campaign_records": {
        'campaign="dials",status="available"': "500x60",
        'campaign="line",status="available"': "1x60",
    },
    "campaign_dialing_ratio": {
        f'campaign="{name}",kind="{kind}"': "2x60"
        for name in ("dials", "line")
        for kind in ("actual", "target")
    },
    "campaign_agents": {'campaign="dials",state="ready"': "5x60"},
    "campaign_service_level_ratio": {
        'campaign="line",window="day"': "0.6x60",
        'campaign="dials",window="day"': "0.1x60",
    },
    "campaign_answer_seconds": {
        'campaign="line",window="day"': "30x60",
        'campaign="dials",window="day"': "300x60",
    },
    "campaign_handle_seconds": {'campaign="line",window="day"': "200x60"},
    "campaign_longest_wait_seconds": {'campaign="line",window="day"': "90x60"},
    "campaign_service_level_objective_ratio": {
        'campaign="line"': "0.8x60",
        'campaign="dials"': "0.8x60",
    },
    "campaign_answer_objective_seconds": {'campaign="line"': "20x60", 'campaign="dials"': "20x60"},
}
_DIRECTIONS = {'campaign="dials",direction="outbound"', 'campaign="line",direction="inbound"'}
_OUTBOUND = {
    "Highest abandon rate",
    "Nearest to its limit",
    "Reached",
    "Abandon rate",
    "Abandon rate against the limit",
    "Outbound campaigns",
    "Dials",
    "Dials that were connected",
    "Records left",
    "Dialled for each free agent",
}
_INBOUND = {
    "Calls offered today",
    "Calls abandoned",
    "Furthest below its objective",
    "Slowest against its objective",
    "Inbound campaigns",
    "Calls offered",
    "Service level of campaigns",
    "Speed of answer of campaigns",
}


@pytest.mark.real
@pytest.mark.parametrize("told", [True, False], ids=["told", "unknown"])
def test_panels_keep_to_directions(told: bool, tmp_path: Path) -> None:
    """Panels of dialling show no inbound campaign, those of inbound service no outbound one.

    Where nothing tells the direction, a campaign that dials is outbound.
    """
    series = {
        f"contactcenter_{name}{{{labels}}}": values
        for name, found in _DIALLED.items()
        for labels, values in found.items()
    }
    if told:
        series |= {f"contactcenter_campaign_info{{{labels}}}": "1x60" for labels in _DIRECTIONS}
    else:
        series['contactcenter_campaign_dials_total{campaign="line"}'] = "0+0x60"
    found = [target for target in TARGETS if target.store == "campaigns"]
    assert {target.panel for target in found} >= _OUTBOUND | _INBOUND
    records = {}
    for target in found:
        if target.panel not in _OUTBOUND | _INBOUND:
            continue
        for campaign in ("dials", "line"):
            of = _everything(target.expression.replace("$campaign", campaign))
            shown = (campaign == "dials") == (target.panel in _OUTBOUND)
            records[f"{'count' if shown else 'absent'}({of}) => {{}}"] = 1
    scenario = {"name": "directions", "series": series, "records": {"29m": records}}
    judge([scenario], RULES, tmp_path)


@pytest.mark.real
def test_shares_of_campaigns_are_at_most_all(tmp_path: Path) -> None:
    """Calls that were dialled or offered before the interval do not make a share of over 100 %."""
    of_c = '{provider="p",account="a",campaign="c"}'
    scenario = {
        "name": "connected after the dials, abandoned after the arrivals",
        "series": {
            'contactcenter_campaign_info{campaign="c",direction="outbound"}': "1x60",
            'contactcenter_campaign_dials_total{campaign="c"}': "0+10x20 200+1x40",
            'contactcenter_campaign_connected_total{campaign="c"}': "0+1x20 20+8x40",
            'contactcenter_campaign_abandoned_total{campaign="c"}': "0+1x20 20+9x40",
            'contactcenter_campaign_info{campaign="line",direction="inbound"}': "1x120",
            'contactcenter_campaign_offered_total{campaign="line"}': "0+10x20 200+1x100",
            'contactcenter_campaign_handled_total{campaign="line"}': "0+1x120",
            'contactcenter_campaign_abandoned_total{campaign="line"}': "0+3x120",
            'contactcenter_campaign_connected_total{campaign="line"}': "0+90x120",
        },
        "records": {
            "25m": {
                f"{_of_campaigns('Reached', '.*')[0]} => {{}}": 1,
                f"{_of_campaigns('Dials that were connected', 'c')[0]} => {of_c}": 1,
                f"{_of_campaigns('Abandon rate', 'c')[0]} => {of_c}": 1,
            },
            "55m": {f"{_of_campaigns('Calls abandoned', 'line')[0]} => {{}}": 0.75},
        },
    }
    judge([scenario], RULES, tmp_path)


def _of_campaigns(title: str, campaign: str) -> list[str]:
    """Return the first query of each panel of this title, over five minutes of a campaign."""
    return [
        _everything(target.expression.replace("$campaign", campaign))
        for target in TARGETS
        if (target.store, target.panel, target.ref) == ("campaigns", title, "A")
    ]


def _everything(expression: str) -> str:
    """Return a query with everything chosen, over five minutes."""
    return (
        re.sub(r"\$(provider|account|queue)\b", ".*", expression)
        .replace(promql.RATE, "5m")
        .replace("$__range", "20m")
        .replace("$__interval", "15s")
    )
