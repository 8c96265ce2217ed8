"""What does a failure mean, and what can the reader do about it? One entry for each reason."""

from collections.abc import Mapping

ADVICE: Mapping[str, str] = {
    "auth": "The platform refused the credentials. Check the user name and the password or key "
    "file, then reload the configuration.",
    "empty": "The platform has no figures yet, which is usual for a moment after signing in. If it "
    "lasts, check what the user may see.",
    "fault": "The platform understood the request and declined it. Often the user lacks a "
    "permission, or an object named in the configuration does not exist.",
    "forbidden": "The key lacks a role for this request. Grant it on the platform, or switch the "
    "feed off.",
    "internal": "This is a mistake in the exporter itself. The log holds a traceback: please "
    "report it.",
    "invalid": "The answer could not be read. The platform may have changed, or a proxy answers "
    "in its place: check the address.",
    "network": "No connection could be made. Check the address, the name service, the firewall "
    "and the proxy.",
    "provider": "The platform did not give what was asked for. The log may tell more.",
    "reopening": "The platform lost the session; the statistics are opened again, which takes a "
    "moment.",
    "server": "The platform, or a proxy before it, says that it is broken. Look at its status "
    "page; nothing has to be done here.",
    "session": "The session ended. If that happens again and again, somebody else works with the "
    "same user, or a proxy cuts the connection.",
    "throttled": "A request limit is used up. Set longer intervals or fewer feeds, or ask the "
    "platform for a higher limit.",
    "unavailable": "The platform's statistics service says that it has lost its servers. Nothing "
    "has to be done here; figures come back with it.",
    "timeout": "The answer did not come in time. If it lasts, set a longer timeout, or read less "
    "with one request.",
}


def advice(reason: str) -> str:
    """Return what to do about a failure; something general where the reason is not known."""
    return ADVICE.get(reason, ADVICE["provider"])
