"""Known faults dealt at random: every figure on the page is the floor's, or it is absent."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from support import faulty
from support.clock import run
from support.faulty import RUNS, Run
from support.page import Series
from support.quick import first

SHORT, LONG = 200, 10_000  # ticks
CROWDED = 0.25  # the share of ticks that bring a fault in a short run, so that it has every kind
MOST_ABSENT = 0.15
Page = dict[Series, float]


def weather(account: Run, ticks: int) -> None:
    """Run an account; nothing on its pages may be wrong, and each kind of fault has happened."""
    verdict = run(account.run(ticks))
    print(account.report())
    assert verdict.wrong == []
    assert verdict.ticks == ticks
    assert account.faults().keys() == account.dealt.keys()
    assert account.without_effect() == set()


@pytest.mark.parametrize("provider", RUNS)
def test_no_figure_is_wrong(provider: str) -> None:
    """In a short run that is full of faults no figure is wrong."""
    weather(RUNS[provider](often=CROWDED), SHORT)


@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("provider", RUNS)
def test_no_figure_is_wrong_in_a_day(provider: str) -> None:
    """Over 10,000 ticks, which is more than a day, no figure is wrong and few are absent."""
    account = RUNS[provider](seed=2)
    weather(account, LONG)
    assert account.oracle.verdict.share_absent < MOST_ABSENT
    assert account.oracle.verdict.increases > 0


# What the oracle must see: pages that are altered before it judges them.


class Exchanged:
    """Two states are exchanged, as by a column of the wrong name."""

    other: ClassVar = {"on_contact": "logged_out", "logged_out": "on_contact"}

    def __call__(self, page: Page) -> Page:
        def exchange(key: Series) -> Series:
            name, labels = key
            if name != "contactcenter_agents":
                return key
            return name, frozenset(
                (label, self.other.get(text, text) if label == "state" else text)
                for label, text in labels
            )

        return {exchange(key): value for key, value in page.items()}


class Kept:
    """A figure that has left the page stays there."""

    def __init__(self) -> None:
        self.kept: Page = {}

    def __call__(self, page: Page) -> Page:
        self.kept = {**self.kept, **page}
        return self.kept


class Held(Kept):
    """A total never falls."""

    def __call__(self, page: Page) -> Page:
        for key, value in page.items():
            if key[0].endswith("_total"):
                self.kept[key] = max(value, self.kept.get(key, 0.0))
        return page | {key: value for key, value in self.kept.items() if key in page}


class Zeroed(Kept):
    """A figure that has left the page is zero."""

    def __call__(self, page: Page) -> Page:
        self.kept |= dict.fromkeys(page, 0.0)
        return self.kept | page


class Flapping:
    """Every other page has the totals of two pages before, as where two readings alternate."""

    def __init__(self) -> None:
        self.pages: list[Page] = []

    def __call__(self, page: Page) -> Page:
        self.pages.append(page)
        if len(self.pages) % 2:
            return page
        before = self.pages[max(len(self.pages) - 3, 0)]
        return page | {
            key: value for key, value in before.items() if key in page and key[0].endswith("_total")
        }


def nobody(page: Page) -> Page:
    """Add a queue that never was."""
    (name, labels), value = next(
        (key, value) for key, value in page.items() if "queue" in dict(key[1])
    )
    renamed = frozenset((x, "Nobody" if x == "queue" else text) for x, text in labels)
    return {**page, (name, renamed): value}


def nothing(_: Page) -> Page:
    """Remove everything, while the account is up."""
    return {}


LIES = (
    (Exchanged, "surge"),
    (Kept, "away"),
    (Held, "restart"),
    (Zeroed, "away"),
    (Flapping, "surge"),
    (lambda: nobody, "surge"),
    (lambda: nothing, "surge"),
)
PROVIDERS = [*RUNS]


@pytest.mark.parametrize(
    ("provider", "alter", "fault"),
    [  # each lie first to another provider
        case
        for place, lie in enumerate(LIES)
        for case in first(1, [(PROVIDERS[(place + n) % len(RUNS)], *lie) for n in range(len(RUNS))])
    ],
)
def test_the_oracle_sees(
    provider: str, alter: Callable[[], Callable[[Page], Page]], fault: str
) -> None:
    """A page that lies is wrong."""
    account = RUNS[provider](often=1.0 / 4, alter=alter())
    account.only = (fault,)
    verdict = run(account.run(100 if fault == "restart" else 40))
    assert account.dealt[fault] > 0
    assert verdict.wrong_values > 0


@pytest.mark.parametrize("provider", first(1, RUNS))
def test_the_oracle_sees_series_that_are_there_twice(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that has its lines twice is wrong."""
    once = faulty.text_of
    monkeypatch.setattr(faulty, "text_of", lambda page: 2 * once(page))
    assert run(RUNS[provider]().run(3)).wrong_values == 3
