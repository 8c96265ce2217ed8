"""What may be shown of a configuration? Everything but its secrets, wherever they have got to."""

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

SECRET = "<secret>"  # noqa: S105 - what stands in its place
_SHORTEST_PART = 4  # characters; shorter secrets are hidden where they are all of a text
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))


Hide = Callable[[str], str]


class Hider:
    """Takes the secrets of accounts out of any text."""

    def __init__(self, *accounts: BaseModel) -> None:
        self._secrets = sorted({each for each in _secrets(accounts) if each}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Return the text without secrets, and without the users and passwords of addresses."""
        if text in self._secrets:
            return SECRET
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_PART:
                text = text.replace(secret, SECRET)
        return _USER_INFO.sub(f"{SECRET}@", text)


def as_yaml(config: Config) -> str:
    """Write the configuration in force, defaults filled in, as a user would write it."""
    hide = Hider(*config.accounts).hide
    shown: dict[str, Any] = {"accounts": [_account(account, hide) for account in config.accounts]}
    shown |= _plain(config.objectives.written, hide)
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)


def _account(account: AccountConfig, hide: Hide) -> dict[str, Any]:
    shown = _model(account, hide)
    wanted = account.wanted_feeds()
    shown["feeds"] = {
        name: {
            "interval": _duration(wanted[name].interval),
            "timeout": _duration(wanted[name].timeout),
            "stale_after": _duration(wanted[name].stale_after),
            **({"raw": True} if wanted[name].raw else {}),
        }
        if name in wanted
        else False
        for name in account.INTERVALS
    }
    return shown


def _plain(value: Any, hide: Hide) -> Any:
    """Return what YAML can write of a value; ``hide`` is applied to every text."""
    if isinstance(value, BaseModel):
        return _model(value, hide)
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name), hide) for each in fields(value)}
    if isinstance(value, Mapping):
        return {hide(str(key)): _plain(inner, hide) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner, hide) for inner in value]
    return _leaf(value, hide)


def _leaf(value: Any, hide: Hide) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr):
        return SECRET
    return hide(value.isoformat() if isinstance(value, time | date) else str(value))


def _model(model: BaseModel, hide: Hide) -> dict[str, Any]:
    shown = {}
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        if value is None:
            continue
        if name.endswith("_file") and not isinstance(value, str):
            shown[name] = SECRET  # it has been read
        elif isinstance(value, float) and _is_duration([*info.metadata, info.annotation]):
            shown[name] = _duration(value)
        else:
            shown[name] = _plain(value, hide)
    return shown


def _is_duration(parts: Sequence[Any]) -> bool:
    return any(
        (isinstance(part, BeforeValidator) and part.func is duration)
        or _is_duration(get_args(part))
        for part in parts
    )


def _duration(seconds: float) -> str:
    """Write seconds as ``1h30m``."""
    left = round(seconds * 1000)
    text = ""
    for length, unit in _UNITS:
        count, left = divmod(left, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _secrets(value: Any) -> Iterator[str]:
    """Yield every secret inside a value, and each line of those that have several."""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        yield secret
        yield from secret.splitlines()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _secrets(inner)
