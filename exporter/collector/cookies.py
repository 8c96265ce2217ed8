"""Cookie jar of one account, with a limit: cookies that pile up would end in refused requests."""

import re
from collections.abc import Iterable
from http.cookiejar import Cookie, CookieJar
from typing import Any

import httpx

MOST_COOKIES = 50
MOST_BYTES = 4096  # of the Cookie header: servers take 8 kB of header fields, tokens among them
_TOO_LARGE = (
    httpx.codes.BAD_REQUEST,  # as nginx and Tomcat answer
    httpx.codes.REQUEST_ENTITY_TOO_LARGE,
    httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE,
    494,  # nginx's own code
)
_TOO_LARGE_TEXT = re.compile(rb"(?i:header|cookie)[^<]{0,40}(?i:too (?:large|long|big))")
_START_OF_PAGE = 4096  # bytes
_FEW_BYTES = 512  # of cookies, which no server refuses for their size

_Key = tuple[str, str, str]


class BoundedCookies(CookieJar):
    """Cookies up to a limit of their number and their size.

    Half of the room is for the cookies that came first, as those of the session do; the rest is for
    the latest. A cookie that has expired, is too large for the limit, or could not be sent (it has
    characters outside printable ASCII) is not kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: list[_Key] = []  # of arrival

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take the cookies of a response; drop those above the limit."""
        super().extract_cookies(response, request)
        cookies = {_key(cookie): cookie for cookie in self if _is_usable(cookie)}
        earlier = [cookies.pop(key) for key in self._order if key in cookies]
        latest = [*cookies.values()]
        kept = _fitting(earlier, latest)
        self.clear()  # of cookies deleted one by one, domains and paths would stay
        self._order = []
        for cookie in (*earlier, *latest):
            if cookie in kept:
                self.set_cookie(cookie)
                self._order.append(_key(cookie))


def _fitting(earlier: list[Cookie], latest: list[Cookie]) -> list[Cookie]:
    """Return the cookies that fit, given in the order of their arrival."""
    first = _within([], earlier, 0.5)
    return _within(_within(first, reversed(latest), 1.0), earlier, 1.0)


def _within(kept: list[Cookie], more: Iterable[Cookie], share: float) -> list[Cookie]:
    """Return ``kept`` and those of ``more`` that fit into a share of the limit besides."""
    kept = [*kept]
    size = sum(map(_size, kept))
    for cookie in more:
        fits = len(kept) < share * MOST_COOKIES and size + _size(cookie) <= share * MOST_BYTES
        if fits and cookie not in kept:
            kept.append(cookie)
            size += _size(cookie)
    return kept


def _key(cookie: Cookie) -> _Key:
    return cookie.domain, cookie.path, cookie.name


def _size(cookie: Cookie) -> int:
    return len(cookie.name) + len(cookie.value or "") + len("=; ")


def _is_usable(cookie: Cookie) -> bool:
    text = f"{cookie.name}{cookie.value or ''}"
    return text.isascii() and text.isprintable() and not cookie.is_expired()


def are_refused(response: httpx.Response) -> bool:
    """Return whether a request was refused because its cookies made it too large."""
    cookies = response.request.headers.get("cookie", "")
    if not cookies or response.status_code not in _TOO_LARGE:
        return False
    if _TOO_LARGE_TEXT.search(response.content[:_START_OF_PAGE]):
        return True
    is_certain = response.status_code == httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE
    return is_certain and len(cookies) > _FEW_BYTES
