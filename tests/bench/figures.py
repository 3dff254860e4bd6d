"""Figures: a name, a value, a unit, a goal or none; as a table and as JSON."""
import json
import math


def percentile(values, percent):
    """Nearest rank: a value that was measured, never one in between."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


class Figures:
    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, goal=None):
        """goal: the most that is wanted."""
        value = round(value, 3)
        self.rows.append({"name": name, "value": value, "unit": unit, "goal": goal,
                          "ok": None if goal is None else value <= goal})
        return value

    def spread(self, name, values, goals=(), percents=(0, 50, 99)):
        """<name>.min, .p50 and .p99 in ms; goals: {percent: goal}."""
        for percent in percents:
            label = "p%d" % percent if percent else "min"
            self.add("%s.%s" % (name, label), percentile(values, percent), "ms", dict(goals).get(percent))

    def table(self):
        width = max(len(row["name"]) for row in self.rows)
        lines = ["%-*s %12s  %-6s %9s  %s" % (width, "name", "value", "unit", "goal", "")]
        for row in self.rows:
            goal = "-" if row["goal"] is None else "<= %g" % row["goal"]
            verdict = {None: "", True: "ok", False: "short"}[row["ok"]]
            lines.append(("%-*s %12s  %-6s %9s  %s" % (width, row["name"], number(row["value"]), row["unit"], goal,
                                                      verdict)).rstrip())
        return "\n".join(lines)

    def write(self, path, **more):
        path.write_text(json.dumps(dict(more, figures=self.rows), indent=1) + "\n")


def number(value):
    return "%d" % value if isinstance(value, int) else "%.3f" % value
