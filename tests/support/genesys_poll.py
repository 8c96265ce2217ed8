"""A small Genesys for one user who polls: tokens, subscriptions, statistics by name."""

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DENIED = {"status": {"code": 403, "message": "denied"}}


class PollingCentre:
    """Answers as the Statistics API reference says; the attributes may be changed at any time."""

    def __init__(self) -> None:
        self.secret = "genesys-secret"
        self.password = "genesys-password"
        self.api_key = "genesys-api-key"
        self.token = "genesys-token-5b1d"
        self.may_read = True
        self.unknown_objects: set[str] = set()
        self.names = {"ExpectedWaitTime": 12, "ServiceLevel": 83}
        self.refuses_mixed_names = False
        self.open: dict[str, list[dict[str, Any]]] = {}
        self.signed_in = False
        routes = [
            Route("/auth/v3/oauth/token", self._token, methods=["POST"]),
            Route("/auth/v3/sign-out", self._sign_out, methods=["POST"]),
            Route("/statistics/v3/subscriptions", self._create, methods=["POST"]),
            Route("/statistics/v3/subscriptions/{id}", self._delete, methods=["DELETE"]),
            Route("/statistics/v3/subscriptions/{id}/statistic-values", self._peek),
            Route("/statistics/v3/operations/get-statistic-ex", self._named, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def _token(self, request: Request) -> Response:
        if request.headers.get("x-api-key") != self.api_key:
            return Response("<html>no key</html>", 403, media_type="text/html")
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("password") != self.password:
            return JSONResponse({"error": "invalid_grant"}, 401)
        self.signed_in = True
        return JSONResponse({"access_token": self.token, "expires_in": 1800})

    async def _sign_out(self, _: Request) -> Response:
        self.signed_in = False
        return Response()

    def _refused(self) -> Response | None:
        return None if self.may_read else JSONResponse(DENIED, 403)

    async def _create(self, request: Request) -> Response:
        if refusal := self._refused():
            return refusal
        body = json.loads(await request.body())
        wanted = body["data"]["statistics"]
        known = [each for each in wanted if each["objectId"] not in self.unknown_objects]
        if wanted and not known:
            return JSONResponse({"status": {"code": 2, "message": "no such object"}})
        self.open[body["operationId"]] = known
        return JSONResponse(self._values(known))

    async def _peek(self, request: Request) -> Response:
        return JSONResponse(self._values(self.open[request.path_params["id"]]))

    async def _delete(self, request: Request) -> Response:
        self.open.pop(request.path_params["id"], None)
        return JSONResponse({"status": {"code": 0}})

    async def _named(self, request: Request) -> Response:
        wanted = json.loads(await request.body())["data"]["statistics"]
        known = [each for each in wanted if each["name"] in self.names]
        if self.refuses_mixed_names and len(known) < len(wanted):
            return JSONResponse({"status": {"code": 2, "message": "no such statistic"}})
        entries = [{**each, "value": {"intValue": self.names[each["name"]]}} for each in known]
        return JSONResponse({"status": {"code": 0}, "data": {"statistics": entries}})

    def _values(self, statistics: list[dict[str, Any]]) -> dict[str, Any]:
        entries = [
            {
                "statisticId": each["statisticId"],
                "objectId": each["objectId"],
                "objectType": each["objectType"],
                "value": self._value(each, at),
            }
            for at, each in enumerate(statistics)
        ]
        return {"status": {"code": 0}, "data": {"statistics": entries}}

    def _value(self, statistic: dict[str, Any], at: int) -> dict[str, Any]:
        if statistic.get("definition", {}).get("category") == "CurrentState":
            tree = {"agentId": statistic["objectId"], "status": 4, "time": 1_795_564_800}
            return {"stateValue": tree}
        return {"intValue": at, "stringValue": str(at), "timestamp": 1_795_564_800_000}
