"""The table of what each client can do with the gateway, and the report of every check."""

import difflib

from runner.clients import TRANSPORTS
from runner.processes import ROOT, WORK

README = ROOT / "README.md"
BEGIN, END = "<!-- interop:begin -->", "<!-- interop:end -->"

# The columns, and the checks that each of them stands for beside the one of its own name. The recordings are streams,
# or files.
COLUMNS = {
    "card": ["grpc-card"],
    "send": ["poll", "get", "list", "unknown-task", "finished-task", "slow-send", "text-only", "json-only"],
    "stream": ["slow-stream"],
    "multi-turn": ["second-turn"],
    "files": ["form-and-file"],
    "input-required": [
        "ask-streaming",
        "ask-blocking",
        "approve",
        "reject",
        "wrong-action",
        "missing-input",
        "wrong-input",
    ],
    "cancel": ["cancel-waiting"],
    "resubscribe": ["follow-waiting"],
    "push": [],
}
COLUMN_OF = {check: column for column, checks in COLUMNS.items() for check in [column, *checks]}

# What a check can come to, and the cell of a column all of whose checks came to it.
CELLS = {"PASS": "yes", "FAIL": "NO", "REFUSED": "refused", "LACKS": "–"}

# The marks of what is said below the table.
MARKS = "¹²³"

LEGEND = """\
`yes`: every check of the column passed, each of them on what was answered. `refused`: the gateway has no push
notifications yet and says so in its card; the client asked for one all the same and got A2A's own error for that.
`–`: the client's API has no such call."""


class Verdict:
    """What came of one check."""

    def __init__(self, suite, check, outcome, reason=None, column=None):
        self.suite, self.check, self.outcome, self.reason = suite, check, outcome, reason
        self.column = column or COLUMN_OF.get(check)


def cells(verdicts):
    """The row of one client over one transport: a cell for each column."""
    row = {}
    for column in COLUMNS:
        outcomes = {verdict.outcome for verdict in verdicts if verdict.column == column}
        # something that passes beside something that is refused or is not there is nothing whole
        row[column] = CELLS[outcomes.pop()] if len(outcomes) == 1 else CELLS["FAIL"]
    return row


def unfilled(verdicts):
    """Failures that no check tells: a column without a check, or a check without a column."""
    found = [f"{verdict.check} is in no column" for verdict in verdicts if verdict.column is None]
    for column in COLUMNS:
        outcomes = sorted({verdict.outcome for verdict in verdicts if verdict.column == column} - {"FAIL"})
        if not any(verdict.column == column for verdict in verdicts):
            found.append(f"no check for {column}")
        elif len(outcomes) > 1:
            found.append(f"the checks of {column} came to {' and '.join(outcomes)}")
    return found


def markdown(head, lines):
    rule = [":---" if name in ("client", "check") else "---" for name in head]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def notes(clients):
    """What is said below the table, each with its mark."""
    return dict(zip(dict.fromkeys(client.note for client in clients if client.note), MARKS))


def table(results):
    """`results`: the verdicts of each client and transport."""
    lines = []
    marks = notes(client for client, _ in results)
    for (client, transport), verdicts in results.items():
        row = cells(verdicts)
        title = f"{client.title} {marks.get(client.note, '')}".rstrip()
        lines.append([title, client.version(), client.a2a, TRANSPORTS[transport], *row.values()])
    return markdown(["client", "version", "A2A", "transport", *COLUMNS], lines)


def report(results):
    """Every check of every client, for `.interop/report.md`."""
    names = {row: f"{row[0].name} {TRANSPORTS[row[1]]}" for row in results}
    outcomes = {row: {(v.suite, v.check): v.outcome for v in verdicts} for row, verdicts in results.items()}
    lines = []
    for suite, check in dict.fromkeys(key for row in results for key in outcomes[row]):
        found = [CELLS.get(outcomes[row].get((suite, check)), "") for row in results]
        lines.append([f"{suite} {check}", *found])
    whole = markdown(["check", *names.values()], lines)
    (WORK / "report.md").write_text(f"{whole}\n", encoding="utf-8")


def in_readme(block, clients, check):
    """Puts the table of these clients into README.md, or only compares; gives what differs then."""
    before = README.read_text(encoding="utf-8")
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        return f"README.md has no {BEGIN} … {END}"
    below = "\n\n".join(["", LEGEND, *(f"{mark} {note}" for note, mark in notes(clients).items())])
    after = f"{head}{BEGIN}\n{block}{below}\n{END}{tail}"
    if not check:
        README.write_text(after, encoding="utf-8")
        return None
    lines = (before.splitlines(), after.splitlines(), "README.md", "what came out")
    return "\n".join(difflib.unified_diff(*lines, lineterm="", n=0))
