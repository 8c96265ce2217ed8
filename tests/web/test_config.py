"""Tests of the web configuration file, compared with Prometheus' exporter-toolkit."""

from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.errors import ConfigError
from exporter.web.config import WebConfigWatcher, load
from support.certificates import Authority, Pair, encrypted

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
PAIR = "cert_file: server.crt, key_file: server.key"
GO_CIPHERS = """
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
    TLS_RSA_WITH_AES_128_CBC_SHA TLS_RSA_WITH_AES_256_CBC_SHA
    TLS_RSA_WITH_AES_128_GCM_SHA256 TLS_RSA_WITH_AES_256_GCM_SHA384
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("server", "localhost", "127.0.0.1", use_rsa=True)


@pytest.fixture
def folder(tmp_path: Path, authority: Authority, server: Pair) -> Path:
    """Return a folder with a server's pair, somebody else's, and an authority's certificate."""
    server.write(tmp_path, "server")
    authority.sign("other", "localhost").write(tmp_path, "other")
    encrypted(server, b"open sesame").write(tmp_path, "locked")
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "nothing.pem").write_text("no certificate at all\n")
    return tmp_path


def faults(folder: Path, text: str) -> str:
    """Write a web configuration and return what is wrong with it; an empty text if nothing is."""
    file = folder / "web.yml"
    file.write_text(text)
    try:
        WebConfigWatcher(file)
    except ConfigError as error:
        return str(error).replace(f"{folder}/", "")
    return ""


class Case(NamedTuple):
    """A file, and what we say of it; ``toolkit`` where exporter-toolkit decides otherwise."""

    name: str
    text: str
    fault: str = ""
    toolkit: str = ""


# The situations are those of exporter-toolkit's own samples (web/testdata); the files are ours.
CASES = [
    Case("empty", ""),
    Case("junk", "hunters", "web.yml:1: expected a mapping"),
    Case("not YAML", "a: [", "web.yml:1: expected the node content"),
    Case(
        "junk key",
        "tls_server_config: {cert_filse: server.crt}",
        "web.yml:1: tls_server_config.cert_filse: unknown key; did you mean 'cert_file'?",
    ),
    Case(
        "certPath empty",
        "tls_server_config: {cert_file: '', key_file: server.key}",
        "tls_server_config.cert_file: is required, or cert",
    ),
    Case(
        "cert empty",
        "tls_server_config: {cert: '', key_file: server.key}",
        "tls_server_config.cert_file: is required, or cert",
    ),
    Case(
        "keyPath empty",
        "tls_server_config: {cert_file: server.crt, key_file: ''}",
        "tls_server_config.key_file: is required, or key",
    ),
    Case(
        "key empty",
        "tls_server_config: {cert_file: server.crt, key: ''}",
        "tls_server_config.key_file: is required, or key",
    ),
    Case(
        "certPath and keyPath empty",
        "tls_server_config: {cert_file: '', key_file: '', client_auth_type: x}",
        "tls_server_config.cert_file: is required, or cert",
    ),
    Case(
        "certPath invalid",
        "tls_server_config: {cert_file: nowhere, key_file: server.key}",
        "tls_server_config.cert_file: cannot be read: No such file",
    ),
    Case(
        "keyPath invalid",
        "tls_server_config: {cert_file: server.crt, key_file: nowhere}",
        "tls_server_config.key_file: cannot be read: No such file",
    ),
    Case(
        "client CA without a policy",
        f"tls_server_config: {{{PAIR}, client_ca_file: /dev/null}}",
        "client_ca_file: has no effect without client_auth_type",
    ),
    Case(
        "client CA missing",
        f"tls_server_config: {{{PAIR}, client_ca_file: nowhere, "
        "client_auth_type: RequireAndVerifyClientCert}",
        "tls_server_config.client_ca_file: cannot be read: No such file",
    ),
    Case(
        "client CA without certificates",
        f"tls_server_config: {{{PAIR}, client_ca_file: nothing.pem, "
        "client_auth_type: RequireAndVerifyClientCert}",
        "tls_server_config.client_ca_file: has no certificate in PEM format",
    ),
    Case(
        "client CA text without certificates",
        f"tls_server_config: {{{PAIR}, client_ca: nothing, "
        "client_auth_type: RequireAndVerifyClientCert}",
        "tls_server_config.client_ca: has no certificate in PEM format",
    ),
    Case(
        "client CA that is a device",
        f"tls_server_config: {{{PAIR}, client_ca_file: /dev/null, "
        "client_auth_type: RequireAndVerifyClientCert}",
        "tls_server_config.client_ca_file: cannot be read: is a device; expected a file",
    ),
    Case(
        "client CA text that is not even ASCII",
        f"tls_server_config: {{{PAIR}, client_ca: é, client_auth_type: VerifyClientCertIfGiven}}",
        "tls_server_config.client_ca: has no certificate in PEM format",
    ),
    Case(
        "a path that is none",
        'tls_server_config: {cert_file: "a\\0b", key_file: ./}',
        "tls_server_config.cert_file: cannot be read: not a valid path",
    ),
    Case(
        "unknown client_auth_type",
        f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCerts}}",
        "client_auth_type: expected one of NoClientCert, VerifyClientCertIfGiven, "
        "RequireAndVerifyClientCert; did you mean 'RequireAndVerifyClientCert'?",
    ),
    Case(
        "user list invalid",
        "basic_auth_users: {john: doe}",
        "basic_auth_users.john: is not a bcrypt hash",
    ),
    Case(
        "invented cipher",
        f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]}}",
        "cipher_suites[0]: is not a known cipher suite; did you mean "
        "'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'?",
    ),
    Case(
        "invented curve",
        f"tls_server_config: {{{PAIR}, curve_preferences: [CurveP257]}}",
        "curve_preferences[0]: expected one of CurveP256, CurveP384, CurveP521, X25519",
    ),
    Case(
        "wrong TLS version",
        f"tls_server_config: {{{PAIR}, min_version: TLS111}}",
        "tls_server_config.min_version: expected TLS12 or TLS13",
    ),
    Case("no auth", f"tls_server_config: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven}}"),
    Case(
        "blocking", f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert}}"
    ),
    Case(
        "all ciphers",
        f"tls_server_config: {{{PAIR}, cipher_suites: [{', '.join(GO_CIPHERS.split())}]}}",
    ),
    Case(
        "some ciphers, client's order",
        f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], prefer_server_cipher_suites: false, "
        "min_version: TLS12, max_version: TLS12}",
    ),
    Case(
        "one curve",
        f"tls_server_config: {{{PAIR}, min_version: TLS13, curve_preferences: [CurveP521]}}",
    ),
    Case(
        "all curves",
        f"tls_server_config: {{{PAIR}, "
        "curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]}",
        "curve_preferences: Python's TLS supports one curve only",
        toolkit="takes several curves",
    ),
    Case(
        "no HTTP/2",
        f"tls_server_config: {{{PAIR}, max_version: TLS12}}\nhttp_server_config: {{http2: false}}",
    ),
    Case(
        "cipher that HTTP/2 forbids",
        f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA], "
        "max_version: TLS12}",
        toolkit="refuses, because it speaks HTTP/2 unless told not to",
    ),
    Case(
        "HTTP/2 asked for",
        "http_server_config: {http2: true}",
        "http_server_config.http2: HTTP/2 is not supported",
        toolkit="speaks it",
    ),
    Case(
        "headers",
        "http_server_config:\n"
        "  headers:\n"
        "    X-Frame-Options: deny\n"
        "    Strict-Transport-Security: max-age=31536000; includeSubDomains\n"
        "    X-Content-Type-Options: nosniff\n"
        "    X-XSS-Protection: 1\n"
        "    Content-Security-Policy: \"default-src 'self' *.example.net\"\n",
    ),
    Case(
        "X-Content-Type-Options with another value",
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
        "http_server_config.headers.X-Content-Type-Options: expected nosniff",
    ),
    Case(
        "X-Frame-Options with another value",
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "http_server_config.headers.X-Frame-Options: expected deny or sameorigin",
    ),
    Case(
        "a header that cannot be set",
        "http_server_config: {headers: {X-Frame-Option: deny}}",
        "headers.X-Frame-Option: cannot be set; did you mean 'X-Frame-Options'?",
    ),
    Case(
        "RequireAnyClientCert",
        f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}",
        "client_auth_type: Python's TLS cannot request a client certificate without verifying it",
        toolkit="takes any certificate",
    ),
    Case(
        "RequestClientCert",
        f"tls_server_config: {{{PAIR}, client_auth_type: RequestClientCert}}",
        "client_auth_type: Python's TLS cannot request a client certificate without verifying it",
        toolkit="takes any certificate or none",
    ),
    Case(
        "RequireAndVerifyClientCert",
        f"tls_server_config: {{{PAIR}, client_ca_file: ca.pem, "
        "client_auth_type: RequireAndVerifyClientCert}",
    ),
    Case(
        "client names",
        f"tls_server_config: {{{PAIR}, client_ca_file: ca.pem, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [one, test3]}",
    ),
    Case(
        "client names without client certificates",
        f"tls_server_config: {{{PAIR}, client_allowed_sans: [one]}}",
        "client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
    ),
    Case(
        "client names with optional certificates",
        f"tls_server_config: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven, "
        "client_allowed_sans: [one]}",
        "client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
    ),
    Case("rate limit of nothing", "rate_limit: {interval: 0, burst: 0}"),
    Case("rate limit", "rate_limit: {interval: 1s, burst: 1}"),
    Case(
        "rate limit without a burst",
        "rate_limit: {interval: 1s}",
        "rate_limit.burst: has to be at least 1",
        toolkit="answers nobody",
    ),
    Case(
        "rate limit without a unit",
        "rate_limit: {interval: 1, burst: 1}",
        "rate_limit.interval: expected a duration such as 15s",
    ),
    Case("users", f"basic_auth_users: {{alice: {HASH}, bob: {HASH.replace('$2y', '$2b')}}}"),
    Case("users and TLS", f"tls_server_config: {{{PAIR}}}\nbasic_auth_users: {{alice: {HASH}}}"),
    Case("sections without content", "tls_server_config:\nbasic_auth_users:\nrate_limit:\n"),
    Case(
        "settings of TLS without a certificate",
        "tls_server_config: {min_version: TLS13}",
        "tls_server_config.cert_file: is required, or cert",
        toolkit="speaks plain HTTP without a word",
    ),
    Case(
        "TLS 1.0",
        f"tls_server_config: {{{PAIR}, min_version: TLS10}}",
        "min_version: TLS 1.0 and 1.1 are not supported",
        toolkit="speaks it",
    ),
    Case(
        "versions upside down",
        f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}",
        "tls_server_config.max_version: is lower than min_version",
    ),
    Case(
        "only ciphers of TLS 1.3 where TLS 1.2 is the newest",
        f"tls_server_config: {{{PAIR}, "
        "cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}",
        "cipher_suites: has none for TLS 1.2",
    ),
    Case(
        "both a file and a text",
        f"tls_server_config: {{{PAIR}, cert: x}}",
        "tls_server_config.cert: set either cert or cert_file, not both",
        toolkit="takes the file",
    ),
    Case(
        "a key of another certificate",
        "tls_server_config: {cert_file: server.crt, key_file: other.key}",
        "tls_server_config.key_file: ",
    ),
    Case(
        "an encrypted key",
        "tls_server_config: {cert_file: locked.crt, key_file: locked.key}",
        "tls_server_config.key_file: has no private key in PEM format, or an encrypted one",
    ),
    Case(
        "no certificate in the file",
        "tls_server_config: {cert_file: nothing.pem, key_file: server.key}",
        "tls_server_config.cert_file: has no certificate in PEM format",
    ),
    Case(
        "a user with a colon",
        f"basic_auth_users: {{'a:b': {HASH}}}",
        "basic_auth_users.a:b: a user name must not have a colon",
    ),
    Case(
        "a user without a hash",
        "basic_auth_users: {alice: }",
        "basic_auth_users.alice: expected text",
    ),
    Case(
        "a hash that takes hours",
        f"basic_auth_users: {{alice: {HASH.replace('$10$', '$31$')}}}",
        "basic_auth_users.alice: has a cost outside 4 to 18",
    ),
    Case(
        "a line break in a header",
        'http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}',
        "Content-Security-Policy: has characters that a header must not have",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_files(folder: Path, case: Case) -> None:
    """Each file is taken, or refused with its place and reason."""
    found = faults(folder, case.text)
    if case.fault:
        assert case.fault in found
        assert found.startswith("web.yml:")
    else:
        assert found == ""


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a fault of the configuration."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        WebConfigWatcher(tmp_path / "none.yml")


def test_every_fault_is_reported_and_no_secret(folder: Path) -> None:
    """All mistakes come at once, each with its line, and neither hashes nor keys with them."""
    found = faults(
        folder,
        "tls_server_config:\n"
        "  key: hunter2-key\n"
        "  min_version: TLS9\n"
        "http_server_config:\n"
        "  http2: perhaps\n"
        "basic_auth_users:\n"
        "  alice: hunter2-hash\n"
        "  bob: [hunter2-list]\n"
        "rate_limits: {}\n",
    )
    for words in (
        "web.yml:1: tls_server_config.cert_file: is required",
        "web.yml:3: tls_server_config.min_version: expected TLS12",
        "web.yml:5: http_server_config.http2: ",
        "web.yml:8: basic_auth_users.bob: expected text",
        "web.yml:9: rate_limits: unknown key; did you mean 'rate_limit'?",
    ):
        assert words in found
    assert "hunter2" not in found


def test_a_key_twice_is_a_fault(folder: Path) -> None:
    """What the YAML reader finds is reported with the rest."""
    text = f"basic_auth_users: {{a: {HASH}, a: {HASH}}}\nhttp_server_config: {{http2: true}}"
    found = faults(folder, text)
    assert "basic_auth_users.a: duplicate key" in found
    assert "HTTP/2 is not supported" in found


def test_what_comes_of_a_file(folder: Path) -> None:
    """Users, headers and limits are as written; a dollar in a text is a dollar."""
    file = folder / "web.yml"
    file.write_text(
        f"basic_auth_users: {{alice: {HASH}}}\n"
        "rate_limit: {interval: 500ms, burst: 3}\n"
        "http_server_config: {headers: {X-XSS-Protection: 1, X-Frame-Options: '',\n"
        "  X-Content-Type-Options: nosniff, Content-Security-Policy: 'a ${NOT_A_VARIABLE} $$'}}\n"
    )
    config = WebConfigWatcher(file).current
    assert config.tls is None
    assert config.users == {"alice": HASH.encode()}
    assert (config.interval, config.burst) == (0.5, 3)
    assert config.headers == (
        (b"x-xss-protection", b"1"),
        (b"content-security-policy", b"a ${NOT_A_VARIABLE} $$"),
    )


def test_certificates_in_the_file_itself(folder: Path, server: Pair, authority: Authority) -> None:
    """Certificate, key and client authority can be texts; only what is a file is watched."""
    file = folder / "web.yml"
    parts = {"cert": server.cert, "key": server.key, "client_ca": authority.pem}
    blocks = (
        f"  {name}: |\n" + "".join(f"    {line}\n" for line in pem.splitlines())
        for name, pem in parts.items()
    )
    kind = "  client_auth_type: RequireAndVerifyClientCert\n"
    file.write_text("tls_server_config:\n" + "".join(blocks) + kind)
    result = load(file)
    assert result.faults == []
    assert result.config is not None
    assert result.config.tls is not None
    assert set(result.stamps) == {file}


def test_every_file_is_watched(folder: Path) -> None:
    """The files that a configuration names are known, also while one of them is missing."""
    file = folder / "web.yml"
    file.write_text(
        "tls_server_config: {cert_file: server.crt, key_file: later.key, client_ca_file: ca.pem,\n"
        "  client_auth_type: RequireAndVerifyClientCert}"
    )
    result = load(file)
    assert result.config is None
    names = {path.name: known is not None for path, known in result.stamps.items()}
    assert names == {"web.yml": True, "server.crt": True, "later.key": False, "ca.pem": True}
