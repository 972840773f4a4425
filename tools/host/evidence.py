# SPDX-License-Identifier: MIT
"""
What in a log tells why a run failed.

Of the text of a kernel: failed tests with their diagnostics, and the first
panic or sanitizer report with what follows.  Where there is none of these, as
after a time-out, it is the end of the text.
"""

import re

ESCAPE = re.compile(r'\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()].|\x1b[=>78cDM]')
RESULT = re.compile(r'(not ok|ok) \d+ ')
# As it begins a line of ours; sanitizers report like panics do.
REPORT = re.compile(r'(\[ *\d+\.\d+\] )?(PANIC|UBSAN|KASAN|KCSAN): ')


def lines_of(text):
    """The lines of a serial log, without what moves a cursor."""
    return [line.rstrip('\r ') for line in
            re.split(r'\r*\n', ESCAPE.sub('', text))]


def select(lines):
    """Lines that tell of a failure."""
    chosen, notes = [], []
    for at, line in enumerate(lines):
        if REPORT.match(line):
            return chosen + notes + lines[at:]
        if RESULT.match(line):
            if line.startswith('not ok'):
                chosen += notes + [line]
            notes = []
        elif line.startswith('# '):
            notes.append(line)
    return chosen


def tail(text, most):
    """The last @most lines of @text."""
    return lines_of(text.rstrip())[-most:]


def relevant(text, most=40):
    """At most @most lines of @text that tell why it failed."""
    chosen = select(lines_of(text.rstrip()))
    if not chosen:
        return tail(text, most)
    if len(chosen) > most:
        more = len(chosen) - most + 1
        return chosen[:most - 1] + [f'... {more} more lines']
    return chosen
