"""Removes secrets from texts, and prints the configuration in force without them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, time
from typing import Any, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, SecretStr

from exporter.config.account import AccountConfig
from exporter.config.load import Config
from exporter.config.schema import duration
from exporter.config.yaml import dump

SECRET = "<secret>"  # noqa: S105 - the replacement
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same output in a quarter of the time
_SHORTEST_PART = 4  # characters; a shorter secret is removed only where it is the whole text
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))

Redact = Callable[[str], str]


class Redactor:
    """Replaces the secrets of accounts in texts."""

    def __init__(self, *accounts: BaseModel) -> None:
        self._secrets = sorted(filter(None, {*_secrets(accounts)}), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return ``text`` without secrets and without user information in URLs."""
        if text in self._secrets:
            return SECRET
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_PART:
                text = text.replace(secret, SECRET)
        return _USER_INFO.sub(f"{SECRET}@", text)


def as_yaml(config: Config) -> str:
    """Return the configuration in force as YAML, with defaults and without secrets."""
    redact = Redactor(*config.accounts).redact
    shown: dict[str, Any] = {"accounts": [_account(account, redact) for account in config.accounts]}
    shown |= _plain(config.objectives.sections, redact)
    return dump(shown, _DUMPER)


def _account(account: AccountConfig, redact: Redact) -> dict[str, Any]:
    feeds: dict[str, Any] = dict.fromkeys(account.INTERVALS, False)
    for name, times in account.enabled_feeds().items():
        feeds[name] = {
            "interval": _duration(times.interval),
            "timeout": _duration(times.timeout),
            "stale_after": _duration(times.stale_after),
            **({"raw": True} if times.raw else {}),
        }
    return _model(account, redact) | {"feeds": feeds}


def _plain(value: Any, redact: Redact) -> Any:
    """Return a value as plain YAML types; every text passes through ``redact``."""
    if isinstance(value, BaseModel):
        return _model(value, redact)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), redact) for field in fields(value)}
    if isinstance(value, Mapping):
        return {redact(str(key)): _plain(item, redact) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item, redact) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if isinstance(value, time | date) else str(value)
    return SECRET if isinstance(value, SecretStr) else redact(text)


def _model(model: BaseModel, redact: Redact) -> dict[str, Any]:
    shown = {}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if value is None:
            continue
        if name.endswith("_file") and not isinstance(value, str):
            shown[name] = SECRET  # the content of the file
        elif isinstance(value, float) and _is_duration([*info.metadata, info.annotation]):
            shown[name] = _duration(value)
        else:
            shown[name] = _plain(value, redact)
    return shown


def _is_duration(parts: Sequence[Any]) -> bool:
    """Return whether annotations of a field contain ``Duration``."""
    return any(
        (isinstance(part, BeforeValidator) and part.func is duration)
        or _is_duration(get_args(part))
        for part in parts
    )


def _duration(seconds: float) -> str:
    """Return seconds as ``1h30m``."""
    rest = round(seconds * 1000)
    text = ""
    for length, unit in _UNITS:
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _secrets(value: Any) -> Iterator[str]:
    """Yield every secret in a value, and every line of it."""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        yield secret
        yield from secret.splitlines()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _secrets(item)
