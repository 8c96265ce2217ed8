"""Cookie jar of one account, with a limit: cookies that pile up would end in refused requests."""

import re
from http.cookiejar import Cookie, CookieJar
from typing import Any

import httpx

MOST_COOKIES = 50
MOST_BYTES = 4096  # of the Cookie header: servers take 8 kB of header fields, tokens among them
# Names as servlet containers, platforms, CometD and balancers have them: JSESSIONID, connect.sid,
# X-STATSAPI-TOKEN, BAYEUX_BROWSER, AWSALB, SERVERID.
_SESSION = re.compile(
    r"sess|sid$|token|tenant|login|auth|bayeux|alb|route|server|sticky|affinity", re.IGNORECASE
)
_USUAL_BYTES_OF_SESSION, _USUAL_BYTES = 2048, 1024  # of a cookie
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

    Cookies that are named as those of sessions and balancers come before others, and large ones
    last. Half of the room is for the cookies that came first; the rest is for the latest. A cookie
    that has expired, is too large for the limit, or could not be sent (it has characters outside
    printable ASCII) is not kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: list[_Key] = []  # of arrival
        self._is_reduced = False

    def forget(self) -> None:
        """Drop all cookies, as at the beginning of a session."""
        self._is_reduced = False
        self.clear()

    def reduce(self, size: int) -> None:
        """Drop cookies where those of a request, of ``size`` bytes, made it too large.

        Those that are not the session's go first, and no others are kept until ``forget``. If that
        was done, all go; but not where the request was sent before.
        """
        if self._is_reduced and sum(map(_size, self)) < size:
            return
        kept = [] if self._is_reduced else [cookie for cookie in self if _rank(cookie) == 0]
        is_enough = len(kept) < len(self)
        self._is_reduced = True
        self.clear()
        for cookie in kept if is_enough else ():
            self.set_cookie(cookie)

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take the cookies of a response; drop those above the limit."""
        super().extract_cookies(response, request)
        cookies = {
            _key(cookie): cookie
            for cookie in self
            if _is_usable(cookie) and not (self._is_reduced and _rank(cookie))
        }
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
    kept: list[Cookie] = []
    for rank in sorted({*map(_rank, earlier), *map(_rank, latest)}):
        first = [cookie for cookie in earlier if _rank(cookie) == rank]
        last = [cookie for cookie in latest if _rank(cookie) == rank]
        kept += _within(kept, first, 0.5)
        kept += _within(kept, [*reversed(last), *first], 1.0)
    return kept


def _rank(cookie: Cookie) -> int:
    if _SESSION.search(cookie.name) and _size(cookie) <= _USUAL_BYTES_OF_SESSION:
        return 0
    return 1 if _size(cookie) <= _USUAL_BYTES else 2


def _within(kept: list[Cookie], more: list[Cookie], share: float) -> list[Cookie]:
    """Return those of ``more`` that fit beside ``kept`` into a share of the room that is left."""
    cookies = share * (MOST_COOKIES - len(kept))
    size = share * (MOST_BYTES - sum(map(_size, kept)))
    fitting: list[Cookie] = []
    for cookie in more:
        if len(fitting) < cookies and _size(cookie) <= size and cookie not in kept:
            fitting.append(cookie)
            size -= _size(cookie)
    return fitting


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
