"""Colours that everybody can tell apart and read, names of states, and units."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

# The palette of Okabe and Ito: told apart with any colour vision, and in shades of grey.
SKY, BLUE, GREEN = "#56B4E9", "#0072B2", "#009E73"
YELLOW, ORANGE, VERMILION, PINK, GREY = "#F0E442", "#E69F00", "#D55E00", "#CC79A7", "#999999"
# What is well has no colour, so that what is not stands out, and a missing figure looks like none.
CALM = "transparent"
# As a ground: black on yellow has a contrast of 15:1, white on rust and on shade of 5:1.
WARNING, CRITICAL, SHADE = YELLOW, "#B34700", "#6B6B6B"
# As a line or a text, on a dark and on a light ground: 3:1 at least.
WARNING_LINE, CRITICAL_LINE = "#996B00", CRITICAL

STATE_COLOURS = {
    "ready": GREEN,
    "ringing": YELLOW,
    "on_contact": BLUE,
    "on_hold": PINK,
    "after_contact_work": ORANGE,
    "not_ready": VERMILION,
    "logged_out": GREY,
    "other": SKY,
}
OUTCOME_COLOURS = {"ok": GREEN, "skipped": GREY, "throttled": ORANGE, "auth": VERMILION}


def steps(*bounds: tuple[float, str], base: str = CALM) -> build.ThresholdsConfig:
    """Return thresholds: a base colour, and others from a value on."""
    found = [model.Threshold(value=None, color=base)]
    found += [model.Threshold(value=value, color=colour) for value, colour in bounds]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def lines(*bounds: tuple[float, str]) -> build.ThresholdsConfig:
    """Return thresholds that are drawn as lines."""
    drawn = {WARNING: WARNING_LINE, CRITICAL: CRITICAL_LINE}
    return steps(*((value, drawn[colour]) for value, colour in bounds))


PLAIN = steps(base="text")
BARS = steps(base=BLUE)
# A share of a limit: near it, over it.
OF_LIMIT = ((0.8, WARNING), (1.0, CRITICAL))
# A share of which more is better, against an objective of 80 %.
SERVICE = steps((0, CRITICAL), (0.64, WARNING), (0.8, CALM))
# The same as a share of the objective, and contacts that left before an answer: where alerts begin.
OF_SERVICE = steps((0, CRITICAL), (0.6, WARNING), (0.8, CALM))
LOST = steps((0.08, WARNING), (0.2, CRITICAL))
ANY_IS_BAD = steps((1, CRITICAL))
NONE_IS_BAD = steps((0, CRITICAL), (1, CALM))


def fixed(colour: str) -> list[model.DynamicConfigValue]:
    """Return the override that gives a series one colour."""
    value = {"mode": "fixed", "fixedColor": colour}
    return [model.DynamicConfigValue(id_val="color", value=value)]


def dashed(colour: str) -> list[model.DynamicConfigValue]:
    """Return the override that draws a series as a limit: dashed, unfilled, in one colour."""
    return [
        *fixed(colour),
        model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]}),
        model.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
        model.DynamicConfigValue(id_val="custom.stacking", value={"mode": "none"}),
    ]


def words(meanings: dict[str, tuple[str, str]]) -> model.ValueMap:
    """Return a mapping of values to a word and a colour, so that colour never stands alone."""
    return model.ValueMap(
        options={
            value: model.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(meanings.items())
        }
    )


UP_DOWN = words({"1": ("up", BLUE), "0": ("down", CRITICAL)})
RUNS = words({"1": ("runs", BLUE), "0": ("stopped", SHADE)})
OPEN_CLOSED = words({"1": ("open", CALM), "0": ("closed", SHADE)})
YES_NO = words({"1": ("yes", CALM), "0": ("no", CRITICAL)})
