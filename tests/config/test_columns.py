import pytest
from pydantic import ValidationError

from exporter.config.columns import ColumnConfig, add_columns, make_column
from exporter.metrics import families as f
from exporter.metrics.parsers import NAMED, number, percent
from exporter.metrics.period import Period
from exporter.metrics.tables import Column, Key, Table

QUEUES = Table(
    "queues",
    (Key("queue", "Skill Name"),),
    (Column("Waiting", f.QUEUE_CONTACTS_WAITING, number, {"media": "voice"}),),
    subject="queue",
)
CAMPAIGNS = Table("campaigns", (Key("campaign", "Campaign"),), (), subject="campaign")
WAITING = {"metric": "queue_contacts_waiting", "labels": {"media": "chat"}}


@pytest.mark.parametrize("prefix", ["", "contactcenter_"])
def test_a_family_of_ours(prefix: str) -> None:
    """A family is named with or without its prefix."""
    wanted = ColumnConfig(metric=f"{prefix}queue_contacts_waiting", labels={"media": "chat"})
    found = make_column("Chats", wanted, QUEUES)

    assert found == Column("Chats", f.QUEUE_CONTACTS_WAITING, number, {"media": "chat"})


@pytest.mark.parametrize("prefix", ["", "contactcenter_"])
def test_a_family_of_the_user(prefix: str) -> None:
    """A custom name is a gauge under our prefix, labelled like its table and by the user."""
    wanted = ColumnConfig(metric=f"{prefix}custom_share", parse="percent", labels={"kind": "x"})
    found = make_column("Share", wanted, QUEUES)

    assert found.family.name == "contactcenter_custom_share"
    assert found.family.kind == "gauge"
    assert found.family.labels == ("queue", "kind")
    assert found.parse is percent


def test_a_period_figure() -> None:
    """A ratio over a window takes the window of its table."""
    wanted = ColumnConfig(metric="campaign_abandoned_ratio", parse="percent")
    table = add_columns(CAMPAIGNS, {"Rate": wanted}).over(Period("day"))

    assert [figure.family for figure in table.figures] == [f.CAMPAIGN_ABANDONED_RATIO]


def test_a_counter_over_a_sliding_period() -> None:
    """A user's counter becomes its sliding twin where the period slides."""
    table = add_columns(CAMPAIGNS, {"Dials": ColumnConfig(metric="campaign_dials_total")})

    assert [f.CAMPAIGN_DIALS.sliding] == [
        figure.family for figure in table.over(Period("30m")).figures
    ]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("queue_talk_seconds_total", {"media": "voice"}),
        ("queue_wait_seconds_total", {"media": "voice"}),
        ("queue_contacts_offered_total", {"media": "chat"}),
    ],
)
def test_every_counter_over_a_sliding_period(name: str, labels: dict[str, str]) -> None:
    """No counter, of times either, has figures of a sliding period."""
    table = add_columns(QUEUES, {"X": ColumnConfig(metric=name, labels=labels)})
    family = table.over(Period("30m")).figures[-1].family

    assert (family.kind, family.labels[-1]) == ("gauge", "window")
    assert "_in_window" in family.name


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"metric": "queue_contacts_waitin"}, r"; did you mean 'queue_contacts_waiting'\?$"),
        (
            {"metric": "contactcenter_queue_contacts_waitin"},
            r"; did you mean 'queue_contacts_waiting'\?$",
        ),
        ({"metric": "zzz"}, "unknown metric 'zzz'; custom names start with custom_"),
        ({"metric": "custom_Share"}, "is not a valid metric name"),
        ({"metric": "custom_"}, "is not a valid metric name"),
        ({"metric": "custom_a b"}, "is not a valid metric name"),
        ({"metric": "custom_x_total"}, "must not end in _total, which OpenMetrics reserves"),
        ({"metric": "custom_x_count"}, "must not end in _count, which OpenMetrics reserves"),
        ({"metric": "custom_x_sum"}, "must not end in _sum"),
        ({"metric": "custom_x_bucket"}, "must not end in _bucket"),
        ({"metric": "custom_x_created"}, "must not end in _created"),
        ({"metric": "contactcenter_custom_x_info"}, "must not end in _info"),
        ({"metric": "custom_x", "labels": {"provider": "y"}}, "invalid labels"),
        ({"metric": "custom_x", "labels": {"my-label": "y"}}, "invalid labels"),
        ({"metric": "custom_x", "labels": {"queue": "y"}}, "invalid labels"),
        ({"metric": "queue_contacts_waiting"}, "has the labels"),
        ({"metric": "campaign_priority"}, "has the labels"),
        ({"metric": "up"}, "is set by the exporter"),
        ({"metric": "api_requests_total"}, "is set by the exporter"),
        ({"metric": "queue_agents_logged_in", "labels": {"a": "b"}}, "has the labels"),
    ],
)
def test_what_does_not_fit(wanted: dict[str, object], message: str) -> None:
    """A metric that is unknown, or does not fit the table, is refused with the reason."""
    with pytest.raises(ValueError, match=message):
        make_column("X", ColumnConfig.model_validate(wanted), QUEUES)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("up", {}),
        ("feed_up", {"feed": "x"}),
        ("exporter_build_info", {"version": "x"}),
        ("queue_open", {"queue": "x"}),
    ],
)
def test_a_family_of_the_exporter(metric: str, labels: dict[str, str]) -> None:
    """A column of a table without keys is not mapped to a metric that the exporter sets."""
    wanted = ColumnConfig(metric=metric, labels=labels)
    with pytest.raises(ValueError, match=f"contactcenter_{metric} is set by the exporter"):
        make_column("X", wanted, Table("totals", (), ()))


def test_the_key_is_taken() -> None:
    """The header that names the rows cannot be a figure."""
    with pytest.raises(ValueError, match="is claimed by"):
        make_column("skill name", ColumnConfig(metric="custom_x"), QUEUES)


def test_extend() -> None:
    """A table is extended with all of a user's columns; the same header replaces our own."""
    wanted = ColumnConfig.model_validate(WAITING)
    table = add_columns(QUEUES, {"WAITING": wanted, "Chats": wanted})

    assert [(figure.header, figure.labels) for figure in table.figures] == [
        ("WAITING", {"media": "chat"}),
        ("Chats", {"media": "chat"}),
    ]


def test_extend_by_nothing() -> None:
    """A table without mappings of the user stays as it is."""
    assert add_columns(QUEUES, {}) == QUEUES


@pytest.mark.parametrize("parse", list(NAMED))
def test_every_parser_has_its_word(parse: str) -> None:
    """Every named parser can be asked for in the configuration."""
    wanted = ColumnConfig.model_validate({"metric": "custom_x", "parse": parse})

    assert make_column("X", wanted, QUEUES).parse is NAMED[parse]


@pytest.mark.parametrize(
    "wanted", [{}, {"metric": "x", "parse": "guess"}, {"metric": "x", "labels": {"a": 5}}]
)
def test_shape(wanted: dict[str, object]) -> None:
    """A mapping without a metric, with an unknown parser or a label that is no text is refused."""
    with pytest.raises(ValidationError):
        ColumnConfig.model_validate(wanted)
