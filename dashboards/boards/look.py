"""Colours that everybody can tell apart, names of states, and units."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

# The palette of Okabe and Ito: told apart with any colour vision, and in shades of grey.
SKY, BLUE, GREEN = "#56B4E9", "#0072B2", "#009E73"
YELLOW, ORANGE, VERMILION, PINK, GREY = "#F0E442", "#E69F00", "#D55E00", "#CC79A7", "#999999"
GOOD, WARNING, CRITICAL = SKY, ORANGE, VERMILION

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


def steps(*bounds: tuple[float, str], base: str = GOOD) -> build.ThresholdsConfig:
    """Return thresholds: a base colour, and others from a value on."""
    found = [model.Threshold(value=None, color=base)]
    found += [model.Threshold(value=value, color=colour) for value, colour in bounds]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


PLAIN = steps()
# A share of a limit: near it, over it.
OF_LIMIT = steps((0.8, WARNING), (1.0, CRITICAL))
# A share of which more is better, against an objective of 80 %.
SERVICE = steps((0.64, WARNING), (0.8, GOOD), base=CRITICAL)
ANY_IS_BAD = steps((1, CRITICAL))
ALL_IS_GOOD = steps((1, GOOD), base=CRITICAL)


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


UP_DOWN = words({"1": ("up", GOOD), "0": ("down", CRITICAL)})
OPEN_CLOSED = words({"1": ("open", GOOD), "0": ("closed", GREY)})
YES_NO = words({"1": ("yes", GOOD), "0": ("no", CRITICAL)})
