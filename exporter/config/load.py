"""Loads the configuration file: ``load`` returns a ``Config`` or raises every fault at once.

Values are validated against pydantic models first, then by each account's ``faults()``. Every fault
has file, line and path; none shows the value of a secret.
"""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import SecretStr, ValidationError

from exporter.config.account import AccountConfig
from exporter.config.files import read_file
from exporter.config.objectives import CampaignObjectives, QueueObjectives, objectives_of
from exporter.config.schema import Model, prune, shape_faults
from exporter.config.secrets import describe_hidden, remove_hidden
from exporter.config.tls import tls_faults
from exporter.config.yaml import Document, KeyPath, read, suggest
from exporter.errors import ConfigError
from exporter.objectives.model import Objectives

M = TypeVar("M", bound=Model)
_UNREAD = "unread"  # in place of a secret, so that "is required" is not a second fault
_KEYS = ("accounts", "defaults", "queues", "campaigns")


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration; relative paths in it start at ``directory``.

    ``warnings`` holds one line for each probable mistake. ``rereads`` has a function for each
    account, by name: it returns the same section with what its secret files hold now, and raises
    ``ConfigError``.
    """

    accounts: tuple[AccountConfig, ...]
    directory: Path
    objectives: Objectives = field(default_factory=Objectives)
    warnings: tuple[str, ...] = ()
    rereads: Mapping[str, Callable[[], AccountConfig]] = field(
        default_factory=dict, compare=False, repr=False
    )


def load(
    file: Path, environment: Mapping[str, str], models: Mapping[str, type[AccountConfig]]
) -> Config:
    """Read a configuration file; ``models`` maps each provider's name to its account model.

    Raises ``ConfigError`` with every fault found.
    """
    document = read(file, environment)
    loader = _Loader(document, models)
    accounts = loader.accounts()
    objectives = loader.objectives()
    if document.faults:
        raise ConfigError(list(dict.fromkeys(document.faults)))
    return Config(tuple(accounts), file.parent, objectives, tuple(loader.warnings), loader.rereads)


class _Loader:
    """Validates a document; what is wrong is added to the document's faults.

    ``warnings`` holds what is valid and probably a mistake.
    """

    def __init__(self, document: Document, models: Mapping[str, type[AccountConfig]]) -> None:
        self._document = document
        self._models = models
        self.warnings: list[str] = []
        self._context = {"directory": document.file.parent}  # where relative paths start
        self.rereads: dict[str, Callable[[], AccountConfig]] = {}

    def accounts(self) -> list[AccountConfig]:
        top = self._document.value
        if not isinstance(top, dict):
            self._fault((), "expected a mapping with the key accounts")
            return []
        for key in top:
            if key not in _KEYS:
                self._fault((key,), f"unknown key{suggest(key, _KEYS)}")
        items = top.get("accounts")
        if not isinstance(items, list) or not items:
            self._fault(("accounts",), "expected a list of at least one account")
            return []
        if not isinstance(top.get("defaults", {}), dict):
            self._fault(("defaults",), "expected a mapping")
            return []
        accounts = [self._account(index) for index in range(len(items))]
        self._check_unique(accounts)
        return [account for account in accounts if account is not None]

    def objectives(self) -> Objectives:
        """Return the objectives of the sections ``queues`` and ``campaigns``."""
        return objectives_of(
            self._section("queues", QueueObjectives),
            self._section("campaigns", CampaignObjectives),
        )

    def _section(self, key: str, model: type[M]) -> list[M]:
        """Return the valid items of an optional list."""
        top = self._document.value
        items = top.get(key, []) if isinstance(top, dict) else []
        if not isinstance(items, list):
            self._fault((key,), "expected a list")
            return []
        valid = []
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                self._fault((key, index), "expected a mapping")
                continue
            try:
                valid.append(model.model_validate(item))
            except ValidationError as error:
                for path, message in shape_faults(error, item, model):
                    self._fault((key, index, *path), message)
        return valid

    def _account(self, index: int) -> AccountConfig | None:
        path: KeyPath = ("accounts", index)
        data = self._document.value["accounts"][index]
        if not isinstance(data, dict):
            self._fault(path, "expected a mapping")
            return None
        if "defaults" in self._document.value:
            own = {*data, *(f"{key}_file" for key in data)}
            own |= {str(key).removesuffix("_file") for key in data}
            self._document.merge(("defaults",), path, own)
        provider = data.get("provider")
        model = self._models.get(provider) if isinstance(provider, str) else None
        if model is None:
            known = sorted(self._models)
            hint = suggest(str(provider), known)
            self._fault((*path, "provider"), f"expected one of {', '.join(known)}{hint}")
            return None
        as_written = deepcopy(data)
        account = self.resolve(data, model, path)
        if account is not None:
            self.rereads[account.name] = partial(self.reread, as_written, model, path)
        return account

    def reread(
        self, as_written: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> AccountConfig:
        """Return an account with what its secret files hold now. Raises ``ConfigError``."""
        document = replace(self._document, faults=[])
        again = _Loader(document, self._models)
        account = again.resolve(deepcopy(as_written), model, path)
        if account is None or document.faults:
            raise ConfigError(document.faults)
        return account

    def resolve(
        self, data: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> AccountConfig | None:
        """Return an account with the content of its secret files; add its faults."""
        self._read_secrets(data, model, path)
        return self._validate(data, model, path)

    def _read_secrets(
        self, data: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> None:
        """Replace ``x_file`` by the secret ``x`` that the file holds, less a trailing newline.

        Secrets that are empty or have hidden characters are faults.
        """
        for name, info in model.model_fields.items():
            if SecretStr not in (info.annotation, *get_args(info.annotation)):
                continue
            key = f"{name}_file"
            if key in data:
                self._read_secret_file(data, name, path)
            elif isinstance(value := data.get(name), str):
                fault = describe_hidden(value) if value else "is empty"
                place = self._document.fault((*path, name), "")
                if fault and not any(line.startswith(place) for line in self._document.faults):
                    self._fault((*path, name), fault)  # unless its variable is not set
                if fault:
                    data[name] = remove_hidden(value) or _UNREAD

    def _read_secret_file(self, data: dict[str, Any], name: str, path: KeyPath) -> None:
        path = (*path, f"{name}_file")
        file = data.pop(f"{name}_file")
        if data.get(name) is not None:
            self._fault(path, f"{name} is set too; set only one of them")
        data[name] = _UNREAD
        try:
            target = self._document.file.parent / str(file)
            content = read_file(target)
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or "not a valid path"
            self._fault(path, f"cannot be read: {problem}")
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            utf_16 = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
            self._fault(path, f"{target}: not UTF-8{' but UTF-16' if utf_16 else ''}")
            return
        text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
        fault = describe_hidden(text) if text else "the file is empty"
        if fault:
            self._fault(path, f"{target}: {fault}" if text else fault)
        data[name] = remove_hidden(text) or _UNREAD if fault else text

    def _validate(
        self, data: dict[str, Any], model: type[AccountConfig], path: KeyPath
    ) -> AccountConfig | None:
        try:
            account = model.model_validate(data, context=self._context)
            faults = list(account.faults())
            if not faults:
                faults += tls_faults(account.tls_settings(self._document.file.parent))
        except ValidationError as error:
            account = None
            faults = shape_faults(error, data, model)
            for key, _ in faults:
                prune(data, key)
            faults += _partial_account(model, data, self._context).faults()
        for key, message in faults:
            self._fault((*path, *key), message)
        if faults or account is None:
            return None
        for key, message in account.warnings():
            self.warnings.append(self._document.fault((*path, *key), message))
        return account

    def _check_unique(self, accounts: list[AccountConfig | None]) -> None:
        """Report duplicate names, and accounts that share a login which serves only one."""
        names: dict[str, int] = {}
        logins: dict[object, str] = {}
        for index, item in enumerate(self._document.value["accounts"]):
            path = ("accounts", index)
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, str) and names.setdefault(name, index) != index:
                self._fault((*path, "name"), f"duplicate of accounts[{names[name]}].name")
            account = accounts[index]
            login = account.login if account else None
            if account is None or login is None:
                continue
            if logins.setdefault(login, account.name) != account.name:
                message = f"same host and user as {logins[login]!r}: {account.SHARED_LOGIN}"
                self._fault(path, message)

    def _fault(self, path: KeyPath, message: str) -> None:
        self._document.faults.append(self._document.fault(path, message))


def _partial_account(
    model: type[AccountConfig], data: dict[str, Any], context: dict[str, Any]
) -> AccountConfig:
    """Return an account with the valid keys only, so that its ``faults()`` can be listed too."""
    try:
        return model.model_validate({**model.PLACEHOLDER, **data}, context=context)
    except ValidationError:
        return AccountConfig(name="-", provider="-")
