"""Voximplant's error codes and the exceptions that they raise.

Errors come as ``{"error": {"code": …, "msg": …}}``, mostly with HTTP status 200. Only the code
decides. The text may repeat what was sent, so only a parameter's name and a number of seconds are
taken from it. Codes and names: the vendor's PHP and Node.js clients.
"""

import re
from collections.abc import Mapping
from typing import Any

from exporter.errors import (
    InvalidAnswer,
    ProviderError,
    Refused,
    ServerTrouble,
    Throttled,
    Unauthorized,
    Unexplained,
)
from exporter.metrics.parsers import plain_text

_AUTH_PAUSE = 10.0  # seconds before a key that worked until now is tried again
_LONGEST_RETRY_AFTER = 3600.0


class MissingRole(Refused):
    """The key is valid, but none of its roles allows this method."""

    reason = "forbidden"
    remedy = "The key lacks a role: grant it on the platform, or switch the feed off."


class Denied(MissingRole):
    """A method that was allowed is refused without the code of a missing role; it may pass."""

    lasting = False


class UnknownId(Refused):
    """The platform does not know an id in the request."""

    remedy = (
        "An application, queue or list is unknown to the platform. Check applications: in the "
        "configuration."
    )


class TokenTimeInvalid(Unauthorized):
    """The token's times do not suit the platform's clock; a new token is needed."""

    remedy = (
        "The clocks of this host and of the platform differ too much. Synchronise this host's "
        "clock (NTP)."
    )


_Code = tuple[str, type[ProviderError], float]  # name, error, least pause in seconds
_SERVER: Mapping[int, str] = {
    1: "FATAL_ERROR",
    2: "INTERNAL_ERROR",
    4: "DB_ERROR",
    5: "BILLING_ERROR",
    15: "MEDIA_SERVER_ERROR",
    16: "MEDIA_BALANCER_ERROR",
    19: "ACD_FAILED",
    21: "CALL_SERVICE_FAILED",
    251: "CALL_SERVICE_ERROR",
    252: "ERROR_RESPONSE_FROM_CALL_SERVICE",
}
_AUTH: Mapping[int, str] = {
    100: "AUTHORIZATION_FAILED",
    135: "SESSION_TIMEOUT",
    137: "ACCOUNT_ISNT_LOGGED",
    433: "INVALID_KEY_ID",
    447: "INVALID_TOKEN_FORMAT",
    454: "INVALID_TOKEN_TTL",
}
_STALE: Mapping[int, str] = {455: "TOKEN_ISSUED_IN_FUTURE", 456: "TOKEN_EXPIRED"}
_ROLE: Mapping[int, str] = {104: "FORBIDDEN_COMMAND", 527: "VPN_IS_NOT_ALLOWED"}
_THROTTLE: Mapping[int, str] = {
    162: "TRY_LATER",
    314: "CONCURRENT_RESOURCE_LIMIT_EXCEEDED",
    340: "RATE_LIMIT_EXCEED",
    416: "RETRY_LATER",
    515: "SAME_OPERATION_LIMIT",
}
_RESENT: Mapping[int, str] = {484: "HTTP_REQUEST_REJECTED"}
_IDS: Mapping[int, str] = {
    116: "INVALID_APPLICATION_ID",
    117: "INVALID_USER_ID",
    218: "INVALID_ACD_QUEUE_ID",
    222: "INVALID_SKILL_ID",
    255: "INVALID_LIST_ID",
    546: "INVALID_APPLICATION_IDS",
    558: "APPLICATION_NOT_FOUND",
}
_OTHER: Mapping[int, str] = {
    101: "INVALID_ARGUMENTS",
    102: "MISSING_CMD",
    103: "UNKNOWN_COMMAND",
    105: "REQUIRED_OUTPUT_FORMAT_TYPE_IS_NOT_SUPPORTED",
    111: "INVALID_DATE_FORMAT",
    115: "INVALID_ACCOUNT_ID",
    123: "INVALID_DATE_RANGE",
    127: "INSUFFICIENT_MONEY",
    131: "ACCOUNT_ISNT_ACTIVATED",
    134: "REQUIRED_IS_EMPTY",
    194: "INVALID_CHILD_ACCOUNT_ID",
    227: "INVALID_ACD_STATUS",
    228: "INVALID_AGGREGATION",
    229: "INVALID_REPORT",
    254: "INVALID_GROUP",
    428: "INVALID_STATUS",
    458: "ONLY_ONE_OF_PARAMETERS",
    459: "UNKNOWN_REPORT_TYPE",
    460: "UNKNOWN_PERIOD",
    485: "PARAMETER_CANT_BE_EMPTY_EX",
    492: "FORBIDDEN_PARAMETER",
    496: "INVALID",
    497: "INVALID_RANGE",
    525: "INAPPROPRIATE_AGENT_REPORTS",
    526: "INAPPROPRIATE_QUEUE_REPORTS",
    569: "DATE_RANGE_LIMIT",
}
_CLASSES: tuple[tuple[Mapping[int, str], type[ProviderError], float], ...] = (
    (_SERVER, ServerTrouble, 0.0),
    (_AUTH, Unauthorized, _AUTH_PAUSE),
    (_STALE, TokenTimeInvalid, _AUTH_PAUSE),
    (_ROLE, MissingRole, 0.0),
    (_THROTTLE, Throttled, 0.0),
    (_RESENT, Throttled, 30.0),
    (_IDS, UnknownId, 0.0),
    (_OTHER, Refused, 0.0),
)
CODES: Mapping[int, _Code] = {
    code: (name, error, pause) for names, error, pause in _CLASSES for code, name in names.items()
}
_PARAMETER = re.compile(r"'([a-z][a-z_]{1,40})'", re.ASCII)
_SECONDS = re.compile(r"\b(\d{1,6}) seconds?\b", re.ASCII)


def error_of(method: str, error: object) -> ProviderError:
    """Return the exception for the ``error`` object of an answer."""
    body: Mapping[str, Any] = error if isinstance(error, dict) else {}
    try:
        code = int(body["code"])
    except (KeyError, TypeError, ValueError):
        return InvalidAnswer(f"{method}: error lacks its code")
    name, error_class, pause = CODES.get(code, ("", Unexplained, 0.0))
    text = plain_text(body.get("msg"))
    parameter = _PARAMETER.search(text)
    seconds = _SECONDS.search(text) if error_class is Throttled else None
    if seconds:
        pause = max(pause, min(float(seconds[1]), _LONGEST_RETRY_AFTER))
    words = (f"{method}: error {code}", name, parameter and parameter[1])
    return error_class(" ".join(filter(None, words)), retry_after=pause)
