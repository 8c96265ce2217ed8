"""Paths of the rules and dashboards, and the metrics that they may use."""

import re
from pathlib import Path

from exporter.metrics import families
from support.scenarios import rules

ROOT = Path(__file__).parents[2]
BOARDS = ROOT / "dashboards"
RULES = BOARDS / "rules"
# Made of the configuration: limits, objectives, hours.
OBJECTIVES = {
    "contactcenter_queue_waiting_limit",
    "contactcenter_queue_answer_objective_seconds",
    "contactcenter_queue_service_level_objective_ratio",
    "contactcenter_queue_open",
    "contactcenter_campaign_open",
    "contactcenter_campaign_abandoned_limit_ratio",
    "contactcenter_campaign_answer_objective_seconds",
    "contactcenter_campaign_service_level_objective_ratio",
    "contactcenter_exporter_objectives_unmatched",
}
# Of Prometheus itself, and of the exporter's process.
FOREIGN = {
    "up",
    "ALERTS",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:$.])[a-zA-Z_][\w:]*(?![\w:]*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "without", "inf", "group_left"}


def metric_names(expression: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    bare = _LABELS.sub(" ", _STRING.sub('""', expression))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    return {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}


def known_metrics() -> set[str]:
    """Return every name that may stand in an expression."""
    known = set(families.FAMILIES) | OBJECTIVES | FOREIGN
    for family in families.FAMILIES.values():
        if family.kind == "histogram":
            known |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
    return known | {rule["record"] for rule in rules(RULES) if "record" in rule}


def unknown_metrics(expression: str) -> set[str]:
    """Return the names in an expression that no family and no rule has."""
    return metric_names(expression) - known_metrics()
