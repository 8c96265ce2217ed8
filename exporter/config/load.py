"""The configuration: what did the user ask for, and where exactly is it wrong?

Shape first (pydantic models), then meaning (plain functions that yield faults); all faults are
reported at once, each with file, line and path, and none shows the value of a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import SecretStr, ValidationError

from exporter.config.account import AccountConfig
from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.config.schema import Model, prune, shape_faults
from exporter.config.yaml import Document, KeyPath, read, suggest
from exporter.errors import ConfigError
from exporter.objectives.model import Objectives

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration without faults; ``directory`` is where relative paths start."""

    accounts: tuple[AccountConfig, ...]
    directory: Path
    objectives: Objectives = field(default_factory=Objectives)


def load(
    file: Path, environment: Mapping[str, str], models: Mapping[str, type[AccountConfig]]
) -> Config:
    """Read a configuration file; ``models`` maps each provider's name to its account model.

    Raises ``ConfigError`` with every fault found.
    """
    document = read(file, environment)
    loader = _Load(document, models)
    loader.faults += document.faults
    accounts = loader.accounts()
    objectives = loader.objectives()
    if loader.faults:
        raise ConfigError(list(dict.fromkeys(loader.faults)))
    return Config(tuple(accounts), file.parent, objectives)


class _Load:
    def __init__(self, document: Document, models: Mapping[str, type[AccountConfig]]) -> None:
        self.document = document
        self.models = models
        self.faults: list[str] = []
        self._context = {"directory": document.file.parent}  # where relative paths start

    def accounts(self) -> list[AccountConfig]:
        top = self.document.value
        if not isinstance(top, dict):
            self._fault((), "expected a mapping with the key accounts")
            return []
        known = ["accounts", "defaults", "queues", "campaigns"]
        for key in top:
            if key not in known:
                self._fault((key,), f"unknown key{suggest(key, known)}")
        items = top.get("accounts")
        if not isinstance(items, list) or not items:
            self._fault(("accounts",), "expected a list of at least one account")
            return []
        if not isinstance(top.get("defaults", {}), dict):
            self._fault(("defaults",), "expected a mapping")
            return []
        accounts = [self._account(at) for at in range(len(items))]
        self._check_together(accounts)
        return [account for account in accounts if account is not None]

    def objectives(self) -> Objectives:
        """Read what is to hold for queues and campaigns."""
        return objectives_of(
            self._section("queues", QueueObjectives),
            self._section("campaigns", CampaignObjectives),
        )

    def _section(self, key: str, model: type[M]) -> list[M]:
        """Read an optional list whose items all have one shape."""
        top = self.document.value
        items = top.get(key, []) if isinstance(top, dict) else []
        if not isinstance(items, list):
            self._fault((key,), "expected a list")
            return []
        found = []
        for at, item in enumerate(items):
            if not isinstance(item, dict):
                self._fault((key, at), "expected a mapping")
                continue
            try:
                found.append(model.model_validate(item))
            except ValidationError as error:
                for inner, message in shape_faults(error, item, model):
                    self._fault((key, at, *inner), message)
        return found

    def _account(self, at: int) -> AccountConfig | None:
        path: KeyPath = ("accounts", at)
        data = self.document.value["accounts"][at]
        if not isinstance(data, dict):
            self._fault(path, "expected a mapping")
            return None
        if "defaults" in self.document.value:
            own = {*data, *(f"{key}_file" for key in data)}
            own |= {str(key).removesuffix("_file") for key in data}
            self.document.merge(("defaults",), path, own)
        provider = data.get("provider")
        model = self.models.get(provider) if isinstance(provider, str) else None
        if model is None:
            known = sorted(self.models)
            hint = suggest(str(provider), known)
            message = f"expected one of {', '.join(known)}{hint}"
            self._fault((*path, "provider"), message)
            return None
        self._read_secret_files(data, model, path)
        return self._validate(data, model, path)

    def _read_secret_files(
        self, data: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> None:
        """Replace ``x_file`` by the secret ``x`` in it, a trailing line break removed."""
        for name, info in model.model_fields.items():
            key = f"{name}_file"
            if SecretStr not in (info.annotation, *get_args(info.annotation)) or key not in data:
                continue
            where = data.pop(key)
            if data.get(name) is not None:
                self._fault((*path, key), f"{name} is set too; set only one of them")
            try:
                text = (self.document.file.parent / str(where)).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or "not a valid path, or not UTF-8"
                self._fault((*path, key), f"cannot be read: {problem}")
                data[name] = "unread"
                continue
            data[name] = text.removesuffix("\n").removesuffix("\r")
            if not data[name]:
                self._fault((*path, key), "the file is empty")

    def _validate(
        self, data: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> AccountConfig | None:
        try:
            account = model.model_validate(data, context=self._context)
        except ValidationError as error:
            account = None
            found = shape_faults(error, data, model)
            for inner, message in found:
                self._fault((*path, *inner), message)
            for inner, _ in found:
                prune(data, inner)
        sound = account
        for inner, message in (account or _salvage(model, data, self._context)).faults():
            self._fault((*path, *inner), message)
            sound = None
        return sound

    def _check_together(self, accounts: list[AccountConfig | None]) -> None:
        """Report names that are there twice, and logins that would disturb each other."""
        names: dict[object, int] = {}
        logins: dict[object, str] = {}
        for at, item in enumerate(self.document.value["accounts"]):
            name = item.get("name") if isinstance(item, dict) else None
            first = names.setdefault(name, at) if isinstance(name, str) else at
            if first != at:
                self._fault(("accounts", at, "name"), f"duplicate of accounts[{first}].name")
            account = accounts[at]
            login = account.login if account else None
            if account is None:
                continue
            if login is not None and logins.setdefault(login, account.name) != account.name:
                message = f"same host and user as {logins[login]!r}: {account.SHARED_LOGIN}"
                self._fault(("accounts", at), message)

    def _fault(self, path: KeyPath, message: str) -> None:
        self.faults.append(self.document.fault(path, message))


def _salvage(
    model: type[AccountConfig], data: dict[str, Any], context: dict[str, Any]
) -> AccountConfig:
    """Return an account of what has the right shape, or an empty one; only to look for faults."""
    try:
        return model.model_validate({**model.PLACEHOLDER, **data}, context=context)
    except ValidationError:
        return AccountConfig(name="-", provider="-")
