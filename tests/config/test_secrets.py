"""Secrets with characters that nobody sees, in every account model of the exporter."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import SecretStr

from exporter.config.load import load
from exporter.config.secrets import describe_hidden
from exporter.errors import ConfigError
from exporter.providers import MODELS, PROVIDERS

VISIBLE = "hunter2"
BASE: dict[str, dict[str, Any]] = {
    "five9": {"username": "u", "password": "p"},
    "genesys": {
        "base_url": "https://g.example",
        "client_id": "c",
        "client_secret": "s",
        "username": "u",
        "password": "p",
        "objects": [{"type": "Queue", "ids": ["1"]}],
    },
    "brightpattern": {"base_url": "https://b.example", "username": "u", "api_secret": "s"},
    "voximplant": {"account_id": 1, "key_id": "k"},
}
SECRETS = [
    (provider, name)
    for provider in BASE
    for name, field in MODELS[provider].model_fields.items()
    if SecretStr in (field.annotation, *get_args(field.annotation))
]
KINDS = {
    "\ufeff": "byte-order mark (U+FEFF)",
    "\x00": "NUL (U+0000)",
    "\r": "carriage return (U+000D)",
    "\n": "line break (U+000A)",
    "\t": "tab (U+0009)",
    "\x1b": "control character (U+001B)",
    "\x85": "control character (U+0085)",
    "\u200b": "zero width space (U+200B)",
    "\u200d": "zero width joiner (U+200D)",
    "\u202e": "right-to-left override (U+202E)",
    "\u2060": "word joiner (U+2060)",
    "\xa0": "no-break space (U+00A0)",
    "\u3000": "ideographic space (U+3000)",
    "\u2028": "line separator (U+2028)",
    "\xad": "soft hyphen (U+00AD)",
    "\u3164": "hangul filler (U+3164)",
    "\ufe0f": "variation selector-16 (U+FE0F)",
    "\U000e0041": "tag latin capital letter a (U+E0041)",
}


def faults(file: Path, provider: str, options: dict[str, Any], **environment: str) -> list[str]:
    account = {"name": "a", "provider": provider, **BASE[provider], **options}
    account = {name: value for name, value in account.items() if value is not None}
    file.write_text(yaml.safe_dump({"accounts": [account]}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environment, MODELS)
    assert VISIBLE not in str(caught.value).replace(str(file.parent), "")
    return caught.value.faults


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def test_every_provider_is_tested() -> None:
    """All platforms have secrets here, or a new one is forgotten."""
    assert set(BASE) == set(PROVIDERS) == {provider for provider, _ in SECRETS}


@pytest.mark.parametrize("character", KINDS, ids=KINDS.values())
@pytest.mark.parametrize(
    ("text", "place"),
    [("{}hunter2", "at the beginning"), ("hunter2{}", "at the end"), ("hun{}ter2", "inside")],
)
def test_kinds(character: str, text: str, place: str) -> None:
    """The kind of a hidden character and its place are named, wherever it is."""
    expected = f"hidden characters: {KINDS[character]} {place}"

    assert describe_hidden(text.format(character)) == expected


@pytest.mark.parametrize(
    "text", ["hunter 2", "p\u00e4ss w\u00f6rd", "\u5bc6\u7801", "e\u0301", "a"]
)
def test_what_is_seen(text: str) -> None:
    """Blanks inside, letters of any script and their accents are no hidden characters."""
    assert describe_hidden(text) == ""


def test_several_at_once() -> None:
    """All places are named at once, and a kind inside once."""
    assert describe_hidden("\ufeffa\u200bb\u200bc\xad ") == (
        "hidden characters: byte-order mark (U+FEFF) at the beginning, space (U+0020) at the end, "
        "zero width space (U+200B) inside, soft hyphen (U+00AD) inside"
    )


@pytest.mark.parametrize("content", ["\ufeffhunter2\n", "hunter2 \n", "hun\x00ter2", "hunter2\n\n"])
@pytest.mark.parametrize(("provider", "name"), SECRETS)
def test_files(file: Path, provider: str, name: str, content: str) -> None:
    """A file with a hidden character is refused, by its name and the kind of character."""
    secret = file.parent / "secret"
    secret.write_bytes(content.encode())
    own = {name: None, f"{name}_file": "secret"}
    lines = faults(file, provider, own)

    (line,) = [line for line in lines if "hidden characters" in line]
    assert f"accounts[0].{name}_file: {secret}: hidden characters: " in line


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("hunter2\r", "carriage return (U+000D) at the end"),
        ("\ufeffhunter2", "byte-order mark (U+FEFF) at the beginning"),
        (" hunter2", "space (U+0020) at the beginning"),
        ("hun\u200bter2", "zero width space (U+200B) inside"),
        ("hun\udcffter2", "byte that is not UTF-8 inside"),
    ],
)
@pytest.mark.parametrize(("provider", "name"), SECRETS)
def test_environment(file: Path, provider: str, name: str, value: str, kind: str) -> None:
    """A variable's hidden characters are reported at the key that expands it."""
    lines = faults(file, provider, {name: "${SECRET}"}, SECRET=value)

    assert [line for line in lines if f"accounts[0].{name}: hidden characters: {kind}" in line]


@pytest.mark.parametrize(("provider", "name"), SECRETS)
def test_empty_variables(file: Path, provider: str, name: str) -> None:
    """A secret that is empty in the environment is refused, an optional one too."""
    lines = faults(file, provider, {name: "${SECRET}"}, SECRET="")

    assert [line for line in lines if f"accounts[0].{name}: is empty" in line]


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("five9", "username"),
        ("genesys", "username"),
        ("genesys", "client_id"),
        ("brightpattern", "username"),
        ("brightpattern", "tenant_url"),
        ("voximplant", "key_id"),
    ],
)
@pytest.mark.parametrize("value", ["hunter2\r", "\ufeffhunter2", "hunter2 ", "hun\xadter2"])
def test_names(file: Path, provider: str, name: str, value: str) -> None:
    """What is sent beside a secret is checked like it."""
    (line, *_) = faults(file, provider, {name: "${NAME}"}, NAME=value)

    assert f"accounts[0].{name}: hidden characters: " in line


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_other_encodings(file: Path, encoding: str) -> None:
    """A file in another encoding is refused with the reason."""
    (file.parent / "secret").write_bytes("h\u00fcnter2".encode(encoding))
    (line,) = faults(file, "five9", {"password": None, "password_file": "secret"})

    assert f"{file.parent / 'secret'}: not UTF-8" in line
    assert ("but UTF-16" in line) == (encoding == "utf-16")


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_one_line_break_of_a_file(file: Path, content: str) -> None:
    """One line break at the end of a file is no part of the secret."""
    (file.parent / "secret").write_bytes(content.encode())
    file.write_text(
        "accounts: [{name: a, provider: five9, username: u, password_file: secret}]",
        encoding="utf-8",
    )
    (account,) = load(file, {}, MODELS).accounts

    assert account.password.get_secret_value() == VISIBLE  # type: ignore[attr-defined]


def test_a_credentials_file_with_a_mark(file: Path) -> None:
    """A JSON file with a byte-order mark is not just invalid JSON."""
    text = json.dumps({"account_id": 1, "key_id": "k", "private_key": "x"})
    (file.parent / "key.json").write_text("\ufeff" + text, encoding="utf-8")
    own = {"account_id": None, "key_id": None, "credentials_file": "key.json"}
    line = faults(file, "voximplant", own)[0]

    assert "hidden characters: byte-order mark (U+FEFF) at the beginning" in line


def test_a_credentials_file_with_hidden_characters(file: Path) -> None:
    """A field with a hidden character is named with the kind of it."""
    text = json.dumps({"account_id": 1, "key_id": "k ", "private_key": "\u200bhunter2"})
    (file.parent / "key.json").write_text(text, encoding="utf-8")
    own = {"account_id": None, "key_id": None, "credentials_file": "key.json"}
    line = faults(file, "voximplant", own)[0]

    assert "key_id: hidden characters: space (U+0020) at the end" in line
    assert "private_key: hidden characters: zero width space (U+200B) at the beginning" in line


def test_an_api_key_that_no_header_carries(file: Path) -> None:
    """A Genesys key with letters outside ASCII is refused before it is sent."""
    (line,) = faults(file, "genesys", {"api_key": "h\u00fcnter2"})

    assert "accounts[0].api_key: has characters outside ASCII" in line


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("five9", "username"),
        ("five9", "password"),
        ("genesys", "client_id"),
        ("genesys", "client_secret"),
        ("brightpattern", "proxy_url"),
    ],
)
def test_basic_credentials_outside_ascii(file: Path, provider: str, name: str) -> None:
    """Credentials of which the encoding is not verified are a warning, without their value."""
    value = "http://h\u00fcnter2:x@proxy:1" if name == "proxy_url" else "h\u00fcnter2"
    account = {"name": "a", "provider": provider, **BASE[provider], name: value}
    file.write_text(yaml.safe_dump({"accounts": [account]}), encoding="utf-8")
    warnings = [text for text in load(file, {}, MODELS).warnings if "UTF-8" in text]

    (warning,) = warnings
    assert f"accounts[0].{name}: has characters outside ASCII" in warning
    assert "nter2" not in warning


@pytest.mark.parametrize("provider", ["five9", "genesys"])
def test_basic_credentials_in_ascii(file: Path, provider: str) -> None:
    """Ordinary credentials are no warning."""
    account = {"name": "a", "provider": provider, **BASE[provider]}
    file.write_text(yaml.safe_dump({"accounts": [account]}), encoding="utf-8")

    assert not [text for text in load(file, {}, MODELS).warnings if "UTF-8" in text]
