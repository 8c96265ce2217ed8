"""Secrets in every place that can hold one, and whether any of them is in a text."""

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr

from exporter.config.load import Config, load
from exporter.providers import MODELS
from support.platforms import platform

WAYS = ("inline", "file", "environment")
PROXY_USER, PROXY_PASSWORD = "planted-proxy-user", "planted-proxy-password"
_SHORTEST = 8  # characters of what is looked for


def secret_fields(model: type[BaseModel]) -> Iterator[str]:
    """Yield every field of a model that can hold a secret, with those of the models inside it."""
    for name, info in model.model_fields.items():
        for kind in _kinds(info.annotation):
            if kind is SecretStr:
                yield name
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from (f"{name}.{inner}" for inner in secret_fields(kind))


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _kinds(argument)


def secrets_in(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every secret that a model holds."""
    if isinstance(value, SecretStr):
        yield path, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name), f"{path}.{name}".removeprefix("."))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each, path)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from secrets_in(each, path)


class Planted:
    """A world whose account was read from a file in ``folder`` with a secret in every field.

    The secrets are written into it, into files beside it, or come from the environment. ``folder``
    may be read more than once; ``options`` go before what is planted.
    """

    def __init__(self, folder: Path, provider: str, way: str, **options: Any) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.world = platform(provider)
        known = self.world.options
        known |= self.world.also_accepted()
        known["proxy_url"] = f"http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:9"
        for name in (field for field in secret_fields(MODELS[provider]) if "." not in field):
            known.setdefault(name, f"planted-{provider}-{name}")
            self._write(name, known, way)
        if way == "file":
            self.world.into_files(known, folder)
        known.update(options)
        self.file = folder / "exporter.yml"
        self.file.write_text(json.dumps({"accounts": [known]}))
        self.config: Config = load(self.file, self.environment, MODELS)
        (self.world.loaded,) = self.config.accounts
        self.secrets = set(_forms(self.world.loaded)) | self.world.answered_secrets()

    def _write(self, name: str, options: dict[str, Any], way: str) -> None:
        if way == "file":
            path = self.folder / name
            path.write_text(f"{options.pop(name)}\n")
            options[f"{name}_file"] = name
        elif way == "environment":
            self.environment[name.upper()] = options[name]
            options[name] = f"${{{name.upper()}}}"

    def client(self, account: Any, folder: Path) -> httpx.AsyncClient:
        """Return a client to the simulator; what it sends as credentials is a secret, too."""
        client = self.world.client(account, folder)
        client.event_hooks["request"] = [self._overhear]
        return client

    async def _overhear(self, request: httpx.Request) -> None:
        for name in ("authorization", "x-api-key", "cookie"):
            value = request.headers.get(name, "").partition(" ")[2] or request.headers.get(name, "")
            self.secrets.update(_with_decoded(value))

    def said(self, text: str) -> list[str]:
        """Return the secrets that are in a text; a good list is empty."""
        return leaks(text, self.secrets)


def leaks(text: str, secrets: Collection[str]) -> list[str]:
    """Return the secrets that are in a text."""
    return sorted(secret for secret in secrets if len(secret) >= _SHORTEST and secret in text)


def _with_decoded(value: str) -> Iterator[str]:
    yield value
    try:
        yield b64decode(value, validate=True).decode()
    except ValueError:
        return


def _forms(account: Any) -> Iterator[str]:
    """Yield every secret of an account as it may be written: bare, quoted, packed, line by line."""
    yield from (PROXY_USER, PROXY_PASSWORD)
    yield b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode()).decode()
    user = getattr(account, "username", None) or getattr(account, "client_id", "")
    for _, secret in secrets_in(account):
        for text in (secret, *secret.splitlines()):
            if text != "-----BEGIN PRIVATE KEY-----":  # what any file of a key begins with
                yield from (text, quote(text, safe=""), json.dumps(text)[1:-1])
                yield b64encode(text.encode()).decode()
                yield b64encode(f"{user}:{text}".encode()).decode()
