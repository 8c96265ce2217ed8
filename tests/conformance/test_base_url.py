"""The address of a platform that a user copies from its documents: with an endpoint's path."""

import pytest

from exporter.providers import MODELS
from support.platforms import NAMES, platform

PATHS = {
    "five9": ["/wssupervisor", "/wssupervisor/v13/SupervisorWebService", "/WSAdmin/v2/"],
    "genesys": ["/statistics/v3", "/statistics/v3/subscriptions", "/auth/v3/oauth/token"],
    "brightpattern": ["/statsapi", "/statsapi/subscription", "/configapi/v2/oauth/token"],
    "voximplant": ["/platform_api", "/platform_api/GetAccountInfo/"],
}


def faults(provider: str, path: str) -> list[str]:
    options = {**platform(provider).options, "base_url": f"https://host.example{path}"}
    account = MODELS[provider].model_validate(options)
    return [message for key, message in account.faults() if key == ("base_url",)]


@pytest.mark.parametrize(
    ("provider", "path"), [(name, path) for name in NAMES for path in PATHS[name]]
)
def test_an_endpoint_is_a_fault(provider: str, path: str) -> None:
    """What the client appends itself must not be in the address twice."""
    (fault,) = faults(provider, path)

    assert fault == f"must end before /{path.split('/')[1]}, which the exporter adds itself"


@pytest.mark.parametrize("provider", NAMES)
@pytest.mark.parametrize("path", ["", "/", "/proxy", "/proxy/statistics-of-acme/"])
def test_another_path_is_none(provider: str, path: str) -> None:
    """A path of a proxy is kept."""
    assert faults(provider, path) == []


@pytest.mark.parametrize("provider", NAMES)
@pytest.mark.parametrize("path", ["\u200b", "/\ufeff", " "])
def test_a_hidden_character_is_a_fault(provider: str, path: str) -> None:
    """A character that nobody sees would make another host or path of the address."""
    (fault,) = faults(provider, path)

    assert fault.startswith("hidden characters: ")
