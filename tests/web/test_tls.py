"""Tests of TLS without a socket: versions, ciphers, curves and client certificates."""

import ssl
from pathlib import Path

import pytest

from exporter.web.tls import TlsServerConfig, make_context
from support.certificates import Authority, Pair

AES_128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
AES_256 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"


class World:
    """An authority, a server's certificate in a folder, and a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority()
        self.authority.sign("server", "localhost", use_rsa=True).write(folder, "server")
        (folder / "ca.pem").write_text(self.authority.pem)

    def server(self, **options: object) -> ssl.SSLContext:
        """Return the context that the options make."""
        given = {"cert_file": "server.crt", "key_file": "server.key", **options}
        tls = TlsServerConfig.model_validate(given)
        assert [*tls.faults()] == []
        context, faults = make_context(tls, self.folder)
        assert faults == []
        return context

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """Return a client's context, that shows a certificate if it has one."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        if pair:
            pair.write(self.folder, "client")
            context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def met(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Shake hands between a client and a server in memory; return the server's side."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up, server_hostname="localhost")
    waiting = {ours, theirs}
    for _ in range(10):
        for side in waiting.copy():
            try:
                side.do_handshake()
                waiting.discard(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    return ours


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({}, "TLSv1.3"),
        ({"max_version": "TLS12"}, "TLSv1.2"),
        ({"min_version": "TLS13"}, "TLSv1.3"),
        ({"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}, "TLSv1.3"),
    ],
)
def test_versions(world: World, options: dict[str, object], version: str) -> None:
    """The newest version that is allowed is spoken."""
    assert met(world.server(**options), world.client()).version() == version


@pytest.mark.parametrize(
    "options", [{"min_version": "TLS13"}, {"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}]
)
def test_an_older_client_is_refused(world: World, options: dict[str, object]) -> None:
    """Where TLS 1.3 is the least, by its version or its ciphers, TLS 1.2 is not spoken."""
    client = world.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        met(world.server(**options), client)


def test_the_least_is_tls_1_2(world: World) -> None:
    """Without a word about it, nothing older than TLS 1.2 is spoken."""
    assert world.server().minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("preferred", "chosen"), [(True, "AES256"), (False, "AES128")])
def test_whose_preference(world: World, preferred: bool, chosen: str) -> None:
    """The order of cipher_suites decides, unless the client's is to."""
    client = world.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")
    suites = [AES_256, AES_128]
    server = world.server(cipher_suites=suites, prefer_server_cipher_suites=preferred)
    cipher = met(server, client).cipher()
    assert cipher is not None
    assert chosen in cipher[0]


def test_no_cipher_in_common(world: World) -> None:
    """A client with other ciphers is refused."""
    client = world.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-RSA-AES256-SHA")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        met(world.server(cipher_suites=[AES_128, AES_256]), client)


@pytest.mark.parametrize(("curve", "fits"), [("secp521r1", True), ("secp384r1", False)])
def test_the_curve(world: World, curve: str, fits: bool) -> None:
    """The curve that is named is the only one."""
    client = world.client()
    client.set_ecdh_curve(curve)
    server = world.server(curve_preferences=["CurveP521"])
    if fits:
        assert met(server, client).version()
    else:
        with pytest.raises(ssl.SSLError):
            met(server, client)


def test_client_certificates_are_verified(world: World) -> None:
    """With RequireAndVerifyClientCert only who is signed by the authority comes in."""
    server = world.server(
        client_auth_type="RequireAndVerifyClientCert", client_ca_file="ca.pem", max_version="TLS12"
    )
    assert met(server, world.client(world.authority.sign("client", "one"))).getpeercert()
    stranger = Authority("somebody else").sign("client", "one")
    for client in (world.client(), world.client(stranger)):
        with pytest.raises(ssl.SSLError):
            met(server, client)


def test_a_client_certificate_that_is_given_is_verified(world: World) -> None:
    """With VerifyClientCertIfGiven nobody needs a certificate, but a wrong one is refused."""
    server = world.server(client_auth_type="VerifyClientCertIfGiven", client_ca=world.authority.pem)
    assert not met(server, world.client()).getpeercert()
    assert met(server, world.client(world.authority.sign("client", "one"))).getpeercert()
    with pytest.raises(ssl.SSLError):
        met(server, world.client(Authority("somebody else").sign("client", "one")))


def test_http_1_is_what_is_offered(world: World) -> None:
    """A client that would like HTTP/2 is told that it is HTTP/1.1."""
    client = world.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert met(world.server(), client).selected_alpn_protocol() == "http/1.1"


def test_ciphers_that_this_machine_lacks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ciphers that OpenSSL does not have are a fault, not a traceback."""
    monkeypatch.setattr("exporter.web.tls._CIPHERS", {AES_128: "NO-SUCH-CIPHER"})
    tls = TlsServerConfig(cert_file="server.crt", key_file="server.key", cipher_suites=[AES_128])
    _, faults = make_context(tls, world.folder)
    assert faults == [(("cipher_suites",), "the OpenSSL of this machine supports none of them")]


def test_texts_need_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a text cannot be given to OpenSSL, that is said, and what to do."""
    monkeypatch.delattr("os.memfd_create")
    faults = dict(TlsServerConfig(cert="x", key_file="server.key").faults())
    assert faults == {("cert",): "is supported on Linux only; use cert_file"}
