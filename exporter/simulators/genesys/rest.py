"""Operations of the Statistics API v3, their envelopes and their failures."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from exporter.simulators.genesys.definitions import RefusedError
from exporter.simulators.genesys.subscriptions import Failed, Subscription, Subscriptions
from exporter.simulators.genesys.tenant import Tenant

NOTIFICATIONS = "/statistics/v3/notifications"
_VERBOSE = ("INFO", "OFF")
_FAILED = 2  # invented: the vendor documents no codes


def envelope(status: int, message: str) -> Response:
    """Return a failure; the vendor documents no codes, so that the HTTP status stands for one."""
    return JSONResponse({"status": {"code": status, "message": message}}, status)


def spring(message: str, now: float) -> Response:
    """Return the body of the service's framework, Spring Boot, for an exception."""
    body = {
        "timestamp": int(now * 1000),
        "status": 500,
        "error": "Internal Server Error",
        "message": message,
        "path": NOTIFICATIONS,
    }
    return JSONResponse(body, 500)


class Rest:
    """The five operations, for authorised callers."""

    def __init__(self, tenant: Tenant, subscriptions: Subscriptions) -> None:
        self._tenant = tenant
        self._subscriptions = subscriptions

    def create(self, session: str, body: Any, query: Mapping[str, str]) -> Response:
        """Open a subscription; statistics that are refused are missing in the answer."""
        verbose = query.get("verbose", "INFO")
        operation = body.get("operationId") if isinstance(body, dict) else None
        asked = _statistics(body)
        if verbose not in _VERBOSE:
            return envelope(400, f"Bad verbose {verbose}")
        if not isinstance(operation, str) or not operation or asked is None:
            return envelope(400, "operationId and data.statistics are required")
        limit = self._tenant.statistics_limit
        if len(asked) > limit:
            return envelope(400, f"At most {limit} statistics in a subscription")
        if self._subscriptions.find(operation) is not None:
            return envelope(400, f"Subscription {operation} exists already")
        made, failed = self._subscriptions.create(operation, session, asked)
        if failed and self._tenant.refusal != "one":
            self._subscriptions.drop(operation)
            return self._refuse(failed[0].reason)
        data = {"subscriptionId": operation, "operationId": operation}
        return self._answer(data, made, list(made.statistics), failed, verbose == "INFO")

    def peek(self, session: str, key: str, query: list[tuple[str, str]]) -> Response:
        """Return the values of a subscription, of the statistics named or of all."""
        verbose = dict(query).get("verbose", "INFO")
        if verbose not in _VERBOSE:
            return envelope(400, f"Bad verbose {verbose}")
        subscription = self._subscriptions.find(key)
        if subscription is None or subscription.session != session:
            return envelope(404, f"Subscription {key} not found")
        given = [text for name, text in query if name == "statisticIds"]
        names = [name for text in given for name in text.split(",") if name]
        names = names if given else list(subscription.statistics)
        return self._answer({"subscriptionId": key}, subscription, names, [], verbose == "INFO")

    def delete(self, session: str, key: str) -> Response:
        """Close a subscription; the answer is always a success."""
        subscription = self._subscriptions.find(key)
        if subscription is not None and subscription.session == session:
            self._subscriptions.drop(key)
        return JSONResponse({"status": self._success()})

    def read(self, name: str, query: Mapping[str, str]) -> Response:
        """Return one configured statistic without a subscription."""
        if not query.get("objectId") or not query.get("objectType"):
            return envelope(400, "objectId and objectType are required")
        asked = {"name": name, "objectId": query["objectId"], "objectType": query["objectType"]}
        try:
            entry = self._peeked(asked)
        except RefusedError as refusal:
            return envelope(404, str(refusal))
        return JSONResponse({"status": self._success(), "data": {"statistic": entry}})

    def read_many(self, body: Any) -> Response:
        """Return several configured statistics without a subscription."""
        asked = _statistics(body)
        if asked is None:
            return envelope(400, "data.statistics is required")
        if len(asked) > self._tenant.statistics_limit:
            return envelope(400, "Too many statistics")
        entries, failed = [], []
        for description in asked:
            try:
                if "definition" in description:
                    raise RefusedError("Only configured statistics can be read")  # noqa: TRY301
                entries.append(self._peeked(description))
            except RefusedError as refusal:
                failed.append(Failed(str(description.get("name")), str(refusal)))
        if failed and self._tenant.refusal != "one":
            return self._refuse(failed[0].reason)
        if failed and self._tenant.refuses_unknown_names:
            return envelope(400, failed[0].reason)
        return JSONResponse(self._envelope({"statistics": entries}, failed))

    def _refuse(self, reason: str) -> Response:
        """Refuse a whole request because of one of its statistics."""
        match self._tenant.refusal:
            case "spring":
                return spring(f"java.lang.IllegalArgumentException: {reason}", 0.0)
            case "code":
                return JSONResponse({"status": {"code": _FAILED, "message": reason}})
            case "empty":
                status = {"code": _FAILED, "message": reason}
                return JSONResponse({"status": status, "data": {"statistics": []}})
        return envelope(int(self._tenant.refusal), reason)

    def _peeked(self, asked: dict[str, Any]) -> dict[str, Any]:
        _, figure = self._subscriptions.figure(asked)
        entry = {name: asked[name] for name in ("name", "objectId", "objectType")}
        return entry | self._subscriptions.encoded(figure)

    def _answer(
        self,
        data: dict[str, Any],
        subscription: Subscription,
        names: list[str],
        failed: list[Failed],
        verbose: bool,
    ) -> Response:
        entries, gone = self._subscriptions.values(subscription, names, verbose=verbose)
        return JSONResponse(self._envelope({**data, "statistics": entries}, [*failed, *gone]))

    def _success(self) -> dict[str, Any]:
        return {"code": self._tenant.ok_code}

    def _envelope(self, data: dict[str, Any], failed: list[Failed]) -> dict[str, Any]:
        """Wrap an answer; the vendor does not document how errors name a statistic."""
        answer: dict[str, Any] = {"status": self._success(), "data": data}
        if failed:
            answer["status"]["code"] = self._tenant.partial_code
            if self._tenant.errors != "none":
                answer["errors"] = [_error(failure, self._tenant.errors) for failure in failed]
        return answer


def _error(failed: Failed, layout: str) -> dict[str, Any]:
    status: dict[str, Any] = {"code": _FAILED, "message": failed.reason}
    if layout == "message":
        status["message"] = f"{failed.statistic}: {failed.reason}"
    elif layout == "detail":
        status["detail"] = {"statisticId": failed.statistic}
    return {"status": status}


def _statistics(body: Any) -> list[dict[str, Any]] | None:
    """Return the descriptions of statistics in a request, None without any."""
    data = body.get("data") if isinstance(body, dict) else None
    statistics = data.get("statistics") if isinstance(data, dict) else None
    if not isinstance(statistics, list) or not all(isinstance(x, dict) for x in statistics):
        return None
    return statistics or None


def parse(body: bytes) -> Any:
    """Return the parsed JSON of a body, None if it is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None
