import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from exporter.collector.base import FeedTimes
from exporter.collector.http import Tls
from exporter.config.account import AccountConfig, Patterns
from exporter.config.load import Config, load
from exporter.config.schema import Model, duration
from exporter.errors import ConfigError
from exporter.metrics.labels import AccountLabels, Filter
from support.certificates import Authority

SECRET = "hunter2"


class Inner(Model):
    zone: Literal["utc", "local"] = "utc"


class AlphaConfig(AccountConfig):
    INTERVALS: ClassVar[Mapping[str, float]] = {"queues": 10.0, "agents": 20.0}
    AGENT_FEEDS: ClassVar[frozenset[str]] = frozenset({"agents"})
    SHARED_LOGIN: ClassVar[str] = "they would disturb each other"
    PLACEHOLDER: ClassVar[Mapping[str, Any]] = {
        **AccountConfig.PLACEHOLDER,
        "username": "-",
        "password": "-",
    }

    provider: Literal["alpha"]
    username: str
    password: SecretStr
    token: SecretStr | None = None
    view: Inner = Inner()
    grids: dict[str, dict[str, Inner]] = {}

    @property
    def login(self) -> object:
        return self.username


class BetaConfig(AccountConfig):
    provider: Literal["beta"]


MODELS = {"alpha": AlphaConfig, "beta": BetaConfig}
ALPHA = """
accounts:
- name: one
  provider: alpha
  username: user
  password: secret
"""
Load = Callable[..., Config]
Faults = Callable[..., list[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


@pytest.fixture
def read(file: Path) -> Load:
    def read(text: str, **environment: str) -> Config:
        file.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        return load(file, environment, MODELS)

    return read


@pytest.fixture
def faults(file: Path, read: Load) -> Faults:
    """Return the faults of a text, without the name of the file, in the order of their lines."""

    def faults(text: str, **environment: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(text, **environment)
        found = [fault.removeprefix(f"{file}:") for fault in caught.value.faults]
        return sorted(found, key=lambda fault: (int(fault.partition(":")[0]), fault))

    return faults


def alpha(more: str) -> str:
    """Return a file with one account and some more keys in it, which start at line 6."""
    return ALPHA + textwrap.indent(textwrap.dedent(more).strip("\n"), "  ") + "\n"


# Durations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15s", 15.0),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("1d", 86_400.0),
        ("1d2h3m4s", 93_784.0),
        ("500ms", 0.5),
        ("1m5ms", 60.005),
        ("0s", 0.0),
        (0, 0.0),
        (0.0, 0.0),
    ],
)
def test_durations(text: object, expected: float) -> None:
    """Durations are numbers with units; a bare 0 is zero."""
    assert expected == duration(text)


@pytest.mark.parametrize(
    "text", ["", " ", "15", 15, 1.5, "s", "1.5s", "-1s", "15 s", "1m1h", "1s1s", None, False, []]
)
def test_what_is_no_duration(text: object) -> None:
    """What is no duration is refused with an example of one."""
    with pytest.raises(ValueError, match="expected a duration such as 15s, 2m or 1h30m"):
        duration(text)


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_survive(days: int, hours: int, minutes: int, seconds: int) -> None:
    """A duration written with all its units comes back in seconds."""
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    assert expected == duration(f"{days}d{hours}h{minutes}m{seconds}s")


# A file without faults ------------------------------------------------------------------------


def test_the_smallest_file(read: Load, file: Path) -> None:
    """An account needs its name, its provider and what the provider needs; the rest is default."""
    config = read(ALPHA)
    (account,) = config.accounts

    assert config.directory == file.parent
    assert (account.name, account.agents, account.max_series) == ("one", "aggregate", 100_000)
    assert account.limits == (100_000, 50_000_000)
    assert (account.timeout, account.auth_retry) == (30, 900)
    assert account.enabled_feeds() == {
        "queues": FeedTimes(10, 30, 30, raw=False),
        "agents": FeedTimes(20, 30, 60, raw=False),
    }


def test_feeds(read: Load) -> None:
    """A feed can be off, have its own times, or none of its own."""
    (account,) = read(
        alpha(
            """
            feeds:
              agents: false
              queues: {interval: 1m, timeout: 5s, stale_after: 2m, raw: true}
            """
        )
    ).accounts

    assert account.enabled_feeds() == {"queues": FeedTimes(60, 5, 120, raw=True)}


def test_feeds_without_settings(read: Load) -> None:
    """A feed named without settings runs with the account's and the provider's."""
    (account,) = read(alpha("feeds: {queues: }\nstale_after: 90s\ntimeout: 7s")).accounts

    assert account.enabled_feeds()["queues"] == FeedTimes(10, 7, 90, raw=False)


@pytest.mark.parametrize(("interval", "expected"), [("1s", 30), ("10s", 30), ("1m", 180)])
def test_stale_after(read: Load, interval: str, expected: float) -> None:
    """Figures are stale after three intervals, at least half a minute."""
    (account,) = read(alpha(f"feeds: {{queues: {{interval: {interval}}}}}")).accounts

    assert expected == account.enabled_feeds()["queues"].stale_after


def test_scope(read: Load) -> None:
    """An account's scope has its labels, its way of naming agents and its patterns."""
    (account,) = read(
        alpha(
            """
            labels: {site: berlin}
            agents: hashed
            agents_key: key
            include: {queues: ["Sales*"]}
            exclude: {agents: [bot], campaigns: [x]}
            """
        )
    ).accounts

    assert account.account_labels() == AccountLabels(
        base={"provider": "alpha", "account": "one", "site": "berlin"},
        agents="hashed",
        agents_key=b"key",
        filter=Filter(
            include={"queue": ["Sales*"], "agent": [], "campaign": []},
            exclude={"queue": [], "agent": ["bot"], "campaign": ["x"]},
        ),
    )
    assert account.exclude == Patterns(agents=["bot"], campaigns=["x"])


def test_tls(read: Load, file: Path) -> None:
    """Relative paths of certificates start at the configuration's folder."""
    folder = file.parent
    (folder / "k").mkdir()
    authority = Authority()
    authority.sign("exporter", "exporter.example").write(folder / "k", "own")
    (folder / "ca.pem").write_text(authority.pem)
    config = read(
        alpha(f"tls: {{ca_file: ca.pem, cert_file: {folder}/k/own.crt, key_file: k/own.key}}")
    )

    assert config.accounts[0].tls_settings(config.directory) == Tls(
        str(folder / "ca.pem"), str(folder / "k/own.crt"), str(folder / "k/own.key")
    )


def test_no_tls(read: Load) -> None:
    """Without files nothing is resolved."""
    config = read(alpha("tls: {insecure_skip_verify: true}"))

    assert config.accounts[0].tls_settings(config.directory) == Tls(insecure_skip_verify=True)


@pytest.mark.parametrize(
    "address",
    [
        "https://host",
        "https://host:8443/path",
        "http://127.0.0.1:9001",
        "http://localhost",
        "http://[::1]:9001",
    ],
)
def test_addresses(read: Load, address: str) -> None:
    """Addresses are https, or http to this machine."""
    assert read(alpha(f"base_url: '{address}'")).accounts[0].base_url == address


def test_http_on_request(read: Load) -> None:
    """Plain http to another machine is taken where the user insists."""
    account = read(alpha("base_url: http://host\ninsecure_http: true")).accounts[0]

    assert account.insecure_http


def test_expansion(read: Load) -> None:
    """Variables of the environment expand in any text, secrets included."""
    (account,) = read(
        alpha("labels: {site: '${SITE}-$$1'}").replace("secret", "${PASSWORD}"),
        SITE="b",
        PASSWORD=SECRET,
    ).accounts

    assert account.labels == {"site": "b-$1"}
    assert account.password.get_secret_value() == SECRET


# Secrets in files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x y", "x y"),
        ("x\n", "x"),
        ("x\r\n", "x"),
        ("${NO} $$", "${NO} $$"),
        ("ünï\n", "ünï"),
    ],
)
def test_secret_files(read: Load, file: Path, content: str, expected: str) -> None:
    """A secret's file is taken as it is, less one line break at its end."""
    (file.parent / "pass").write_bytes(content.encode())
    (account,) = read(ALPHA.replace("password: secret", "password_file: pass")).accounts

    assert expected == account.password.get_secret_value()


def test_every_secret_has_a_file(read: Load, file: Path) -> None:
    """Optional secrets can be read from files too, by absolute path."""
    path = file.parent / "key"
    path.write_text("http://proxy:3128")
    (account,) = read(
        alpha(f"token_file: {path}\nagents_key_file: {path}\nproxy_url_file: {path}")
    ).accounts

    assert [account.token, account.agents_key, account.proxy_url] == [
        SecretStr("http://proxy:3128")
    ] * 3


@pytest.mark.parametrize(
    "address",
    [
        *("proxy:3128", "user:planted@proxy:3128", "socks5://user:planted@proxy:1080", "http://"),
        *(
            "http://user:planted@proxy:port",
            "http://user:p#planted@proxy:1",
        ),
        *("http://user:planted@", "ftp://planted", "planted"),
    ],
)
def test_a_proxy_that_cannot_be_used(read: Load, address: str) -> None:
    """The address of a proxy that no client can use is a fault, which does not quote it."""
    with pytest.raises(ConfigError) as caught:
        read(alpha(f'proxy_url: "{address}"'))

    (fault,) = caught.value.faults
    assert "proxy_url: expected a URL such as http://user:password@host:3128" in fault
    assert "planted" not in fault


@pytest.mark.parametrize(
    ("key", "content", "expected"),
    [
        ("password_file: gone", None, "5: accounts[0].password_file: cannot be read: No such file"),
        ("password_file: .", None, "5: accounts[0].password_file: cannot be read: Is a directory"),
        ("password_file: f", b"", "5: accounts[0].password_file: the file is empty"),
        ("password_file: f", b"\n", "5: accounts[0].password_file: the file is empty"),
        (
            "password_file: f",
            b"\xff",
            "5: accounts[0].password_file: {folder}/f: not UTF-8",
        ),
        (
            'password_file: "a\\0b"',
            None,
            "5: accounts[0].password_file: cannot be read: not a valid path",
        ),
        ("password_file: {a: b}", None, "5: accounts[0].password_file: "),
        ("password_file: ", None, "5: accounts[0].password_file: "),
    ],
)
def test_secret_files_that_cannot_be_used(
    faults: Faults, file: Path, key: str, content: bytes | None, expected: str
) -> None:
    """A secret's file that cannot be used is one fault, at its key."""
    if content is not None:
        (file.parent / "f").write_bytes(content)
    found = faults(ALPHA.replace("password: secret", key))

    assert len(found) == 1
    assert found[0].startswith(expected.replace("{folder}", str(file.parent)))


def test_a_secret_given_twice(faults: Faults, file: Path) -> None:
    """A secret given in the file and as a file is a fault."""
    (file.parent / "f").write_text(SECRET)

    assert faults(alpha("password_file: f")) == [
        "6: accounts[0].password_file: password is set too; set only one of them"
    ]


def test_only_secrets_have_files(faults: Faults) -> None:
    """A key that is no secret cannot be read from a file."""
    assert faults(alpha("username_file: f"))[0].startswith(
        "6: accounts[0].username_file: unknown key"
    )


# Faults of shape ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: expected a mapping with the key accounts"),
        ("- x\n", "1: expected a mapping with the key accounts"),
        ("accounts: []\n", "1: accounts: expected a list of at least one account"),
        ("accounts: {a: b}\n", "1: accounts: expected a list of at least one account"),
        ("accounts:\n- x\n", "2: accounts[0]: expected a mapping"),
        ("accounts:\n- name: a\n", "2: accounts[0].provider: expected one of alpha, beta"),
        (
            "accounts:\n- provider: alpa\n",
            "2: accounts[0].provider: expected one of alpha, beta; did you mean 'alpha'?",
        ),
        ("accounts:\n- provider: 5\n", "2: accounts[0].provider: expected one of alpha, beta"),
        ("accounts:\n- {name: b}\ndefaults: 5\n", "3: defaults: expected a mapping"),
    ],
)
def test_faults_at_the_top(faults: Faults, text: str, expected: str) -> None:
    """A file that has the wrong shape at its top is refused with its line and path."""
    assert [expected] == faults(text)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("feds: {}", "6: accounts[0].feds: unknown key; did you mean 'feeds'?"),
        ("zzz: 1", "6: accounts[0].zzz: unknown key"),
        (
            "feeds:\n  queues:\n    intervall: 15s",
            "8: accounts[0].feeds.queues.intervall: unknown key; did you mean 'interval'?",
        ),
        (
            "view: {zon: utc}",
            "6: accounts[0].view.zon: unknown key; did you mean 'zone'?",
        ),
        (
            "grids: {a: {b: {zon: utc}}}",
            "6: accounts[0].grids.a.b.zon: unknown key; did you mean 'zone'?",
        ),
        ("tls: {ca: x}", "6: accounts[0].tls.ca: unknown key"),
        (
            "feeds: {queues: {interval: 15}}",
            "6: accounts[0].feeds.queues.interval: expected a duration such as 15s, 2m or 1h30m",
        ),
        (
            "feeds: {queues: {interval: 0s}}",
            "6: accounts[0].feeds.queues.interval: must be at least 1",
        ),
        ("max_series: 0", "6: accounts[0].max_series: must be at least 1"),
        ("max_bytes: 0", "6: accounts[0].max_bytes: must be at least 1"),
        ("max_answer_bytes: 1000", "6: accounts[0].max_answer_bytes: must be at least 1048576"),
        ("feeds: [queues]", "6: accounts[0].feeds: expected a mapping such as {interval: 15s}"),
        ("view: utc", "6: accounts[0].view: expected a mapping such as {key: value}"),
        ("tls: ca.pem", "6: accounts[0].tls: expected a mapping such as {ca_file: ca.pem}"),
        ("insecure_http: maybe", "6: accounts[0].insecure_http: expected true or false"),
        ("<<: {timeout: 5s}", "6: accounts[0]: merge keys (<<) are not supported; keys that"),
        ("max_series: lots", "6: accounts[0].max_series: expected a whole number"),
        (
            "agents: names",
            "6: accounts[0].agents: expected one of 'aggregate', 'hashed', 'id' or 'name'",
        ),
        ("view: {zone: mars}", "6: accounts[0].view.zone: expected one of 'utc' or 'local'"),
        ("labels: {site: 5}", "6: accounts[0].labels.site: expected text"),
        ("include: {queues: x}", "6: accounts[0].include.queues: expected a list such as [a, b]"),
        ("include:\n  queues:\n  - a\n  - 5", "9: accounts[0].include.queues[1]: expected text"),
        (
            "feeds: {queues: 5}",
            "6: accounts[0].feeds.queues: expected a mapping such as {interval: 15s}",
        ),
        ("token: [x]", "6: accounts[0].token: expected text"),
        ("auth_retry: 1s", "6: accounts[0].auth_retry: must be at least 60"),
    ],
)
def test_faults_of_shape(faults: Faults, more: str, expected: str) -> None:
    """A wrong key or value is one fault with line, path and, for a near miss, a suggestion."""
    found = faults(alpha(more))

    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize("name", ['""', '"a\\nb"', "x" * 65, "5"])
def test_bad_names(faults: Faults, name: str) -> None:
    """A name is a text of 1 to 64 characters on one line."""
    found = faults(ALPHA.replace("name: one", f"name: {name}"))

    assert len(found) == 1
    assert found[0].startswith("2: accounts[0].name: ")


def test_missing_keys(faults: Faults) -> None:
    """What is required and missing is reported at the account."""
    assert faults("accounts:\n- provider: alpha\n") == [
        "2: accounts[0].name: is required",
        "2: accounts[0].password: is required",
        "2: accounts[0].username: is required",
    ]


# Faults of meaning ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            "feeds: {queue: {}}",
            "6: accounts[0].feeds.queue: unknown feed; did you mean 'queues'?",
        ),
        ("feeds: {queue: false}", "6: accounts[0].feeds.queue: unknown feed"),
        ("feeds: {queues: false, agents: false}", "6: accounts[0].feeds: all feeds are"),
        (
            "feeds: {agents: {raw: true}}",
            "6: accounts[0].feeds.agents.raw: rows are agents: requires agents:",
        ),
        ("labels: {queue: x}", "6: accounts[0].labels.queue: is a reserved label name"),
        ("labels: {account: x}", "6: accounts[0].labels.account: is a reserved label name"),
        ("labels: {instance: x}", "6: accounts[0].labels.instance: is a reserved label name"),
        ("labels: {my-label: x}", "6: accounts[0].labels.my-label: is not a valid label name"),
        ("labels: {__name__: x}", "6: accounts[0].labels.__name__: is not a valid label name"),
        ("labels: {1a: x}", "6: accounts[0].labels.1a: is not a valid label name"),
        ("base_url: host", "6: accounts[0].base_url: expected a URL such as https://host"),
        ("base_url: ftp://host", "6: accounts[0].base_url: expected a URL such as https://host"),
        ("base_url: https://", "6: accounts[0].base_url: expected a URL such as https://host"),
        ("base_url: 'https://[::1'", "6: accounts[0].base_url: the host or port is not valid"),
        ("base_url: 'https://host:port'", "6: accounts[0].base_url: the host or port is not"),
        ("base_url: 'https://host:99999'", "6: accounts[0].base_url: the host or port is not"),
        ("base_url: 'https://host:0'", "6: accounts[0].base_url: the host or port is not valid"),
        (
            "base_url: https://u:hunter2@host",
            "6: accounts[0].base_url: must not contain credentials",
        ),
        ("base_url: https://host?a=b", "6: accounts[0].base_url: must not contain a query"),
        ("base_url: http://host", "6: accounts[0].base_url: http:// would send credentials"),
        ("base_url: http://127.0.0.1.evil.example", "6: accounts[0].base_url: http:// would send"),
        ("base_url: http://localhost.evil.example", "6: accounts[0].base_url: http:// would send"),
        (
            "agents: hashed",
            "6: accounts[0].agents: 'hashed' requires agents_key or agents_key_file",
        ),
        ("tls: {cert_file: x}", "6: accounts[0].tls: cert_file and key_file must be set together"),
        ("tls: {key_file: x}", "6: accounts[0].tls: cert_file and key_file must be set together"),
    ],
)
def test_faults_of_meaning(faults: Faults, more: str, expected: str) -> None:
    """What has the right shape and makes no sense is one fault with line and path."""
    found = faults(alpha(more))

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_names_twice(faults: Faults) -> None:
    """Two accounts of one name are a fault at the second."""
    text = ALPHA + ALPHA.removeprefix("\naccounts:\n").replace(": user", ": other")

    assert faults(text) == ["6: accounts[1].name: duplicate of accounts[0].name"]


def test_logins_twice(faults: Faults) -> None:
    """Two accounts with one login are a fault at the second, with the reason."""
    text = ALPHA + ALPHA.removeprefix("\naccounts:\n").replace("one", "two")

    assert faults(text) == [
        "6: accounts[1]: same host and user as 'one': they would disturb each other"
    ]


# All at once ----------------------------------------------------------------------------------


def test_all_at_once(faults: Faults) -> None:
    """Faults of every kind in several accounts are reported together."""
    found = faults(
        """
        account: []
        accounts:
        - name: one
          provider: alpha
          username: user
          agents: names
          labels: {queue: x}
          base_url: http://host
          feeds: {queue: {}, agents: {interval: 5}}
        - name: two
          provider: gamma
        - name: one
          provider: beta
          max_series: 0
        """
    )

    assert [fault.split(": ")[1] for fault in found] == [
        "account",
        "accounts[0].password",
        "accounts[0].agents",
        "accounts[0].labels.queue",
        "accounts[0].base_url",
        "accounts[0].feeds.agents.interval",
        "accounts[0].feeds.queue",
        "accounts[1].provider",
        "accounts[2].name",
        "accounts[2].max_series",
    ]


def test_a_wrong_item_hides_nothing(faults: Faults) -> None:
    """A wrong item in a list does not keep faults of meaning from being reported."""
    found = faults(alpha("include: {queues: [5]}\nbase_url: http://host"))

    assert [fault.split(": ")[1] for fault in found] == [
        "accounts[0].include.queues[0]",
        "accounts[0].base_url",
    ]


def test_a_missing_variable_hides_nothing(faults: Faults) -> None:
    """A variable that is not set does not keep other faults from being reported."""
    found = faults(alpha("labels: {site: '${SITE}'}\nzzz: 1"))

    assert [fault.split(": ")[1] for fault in found] == [
        "accounts[0].labels.site",
        "accounts[0].zzz",
    ]


def test_no_kind_of_fault_hides_another(faults: Faults) -> None:
    """What cannot be expanded, has the wrong shape or makes no sense is reported at once."""
    found = faults(
        alpha(
            """
            token: ${TOKEN}
            timeout: 5
            base_url: http://host
            labels: {queue: x}
            stale_after: !x 5
            auth_retry: 900s
            auth_retry: 900s
            """
        )
    )

    assert [":".join(fault.split(":")[:2]) for fault in found] == [
        "6: accounts[0].token",
        "7: accounts[0].timeout",
        "8: accounts[0].base_url",
        "9: accounts[0].labels.queue",
        "10: accounts[0].stale_after",
        "12: accounts[0].auth_retry",
    ]


def test_a_key_twice_hides_nothing(faults: Faults) -> None:
    """A key that is there twice does not keep other faults from being reported."""
    found = faults(alpha("timeout: 5s\ntimeout: 6s\nzzz: 1"))

    assert [fault.split(": ")[1] for fault in found] == ["accounts[0].timeout", "accounts[0].zzz"]


# Defaults -------------------------------------------------------------------------------------


def test_defaults(read: Load) -> None:
    """What an account lacks is taken from the defaults; what it has stays."""
    first, second = read(
        """
        defaults:
          provider: alpha
          password: secret
          timeout: 5s
          view: {zone: local}
        accounts:
        - {name: one, username: a}
        - {name: two, username: b, timeout: 7s, view: {}}
        """
    ).accounts

    assert (first.timeout, first.view.zone) == (5, "local")
    assert (second.timeout, second.view.zone) == (7, "utc")


def test_a_fault_in_the_defaults(faults: Faults) -> None:
    """A fault in the defaults is reported once, where it was written."""
    found = faults(
        """
        defaults:
          provider: alpha
          password: secret
          agents: names
          view:
            zon: utc
          labels: {queue: x}
        accounts:
        - {name: one, username: a}
        - {name: two, username: b}
        """
    )

    assert [":".join(fault.split(":")[:2]) for fault in found] == [
        "4: defaults.agents",
        "6: defaults.view.zon",
        "7: defaults.labels.queue",
    ]


def test_an_own_secret_beats_the_defaults(read: Load, file: Path) -> None:
    """An account's own password stands where the defaults name a file for it."""
    (file.parent / "f").write_text("shared")
    first, second = read(
        """
        defaults: {provider: alpha, password_file: f}
        accounts:
        - {name: one, username: a}
        - {name: two, username: b, password: own}
        """
    ).accounts

    assert (first.password, second.password) == (SecretStr("shared"), SecretStr("own"))


def test_an_own_secret_file_beats_the_defaults(read: Load, file: Path) -> None:
    """An account's own file of a password stands where the defaults hold a password."""
    (file.parent / "f").write_text("own")
    first, second = read(
        """
        defaults: {provider: alpha, password: shared}
        accounts:
        - {name: one, username: a}
        - {name: two, username: b, password_file: f}
        """
    ).accounts

    assert (first.password, second.password) == (SecretStr("shared"), SecretStr("own"))


# Secrets stay secret --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "account",
    [
        "{name: a, provider: alpha, username: u, password: [hunter2]}",
        "{name: a, provider: alpha, username: u, password: {hunter2: hunter2}}",
        "{name: a, provider: alpha, username: u, password: {x: hunter2}}",
        "{name: a, provider: alpha, username: u, password: x, password_file: hunter2}",
        "{name: a, provider: alpha, username: u, token: [[hunter2]], password: x}",
        "{name: a, provider: alpha, username: u, password: hunter2, agents: x}",
        "{name: a, provider: alpha, username: u, passwort: hunter2}",
        "{name: a, provider: alpha, username: u, password: hunter2, timeout: hunter2}",
        "{name: a, provider: alpha, username: u, password: hunter2, agents: hunter2}",
        "{name: a, provider: alpha, username: u, password: hunter2, max_series: hunter2}",
        "{name: a, provider: alpha, username: [hunter2], password: hunter2}",
        "{name: a, provider: alpha, username: u, password: hunter2, feeds: hunter2}",
        "{name: a, provider: alpha, username: u, password: hunter2, feeds: {queues: hunter2}}",
        "{name: a, provider: alpha, username: u, password: hunter2, view: {zone: hunter2}}",
        "{name: a, provider: alpha, username: u, password: hunter2, labels: hunter2}",
        "{name: a, provider: alpha, username: u, password: x, base_url: 'https://u:hunter2@h'}",
        "{name: a, provider: alpha, username: u, password: x, base_url: 'hunter2'}",
        "{name: a, provider: alpha, username: u, password: x, base_url: 'https://h?k=hunter2'}",
        "{name: a, provider: alpha, username: u, password: x, proxy_url: [hunter2]}",
        "{name: a, provider: alpha, username: u, password: x, agents_key: {k: hunter2}}",
        "{name: a, provider: hunter2}",
        "hunter2",
        "[hunter2]",
    ],
)
def test_secrets_are_never_shown(faults: Faults, account: str) -> None:
    """Wherever a secret was put by mistake, no fault shows it."""
    found = faults(f"accounts:\n- {account}\n- zzz\n")

    assert len(found) >= 2
    assert SECRET not in "\n".join(found)


def test_secrets_are_not_in_the_account(read: Load) -> None:
    """A configuration that is printed shows no secret."""
    config = read(alpha("agents_key: hunter2\nagents: hashed").replace("secret", SECRET))

    assert SECRET not in repr(config)
    assert SECRET not in repr(config.accounts[0].account_labels())


def test_the_error_holds_every_fault(read: Load) -> None:
    """The error's text is all its faults, one a line."""
    with pytest.raises(ConfigError) as caught:
        read("a: 1\nb: 2\n")

    assert len(caught.value.faults) == 3
    assert str(caught.value) == "\n".join(caught.value.faults)
