#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Judge the serial log of a test run (KTAP version 1).

A run passes only if the log has the plan, each number of it exactly once, no
"not ok", no panic, no sanitizer report and a "# done" line that agrees with
what was seen; and, if --status is given, if tools/run ended with 0.  Silence is
failure.

exit status: 0 passed, 1 failed, 4 usage.
"""

import argparse
import re
import sys

from host import evidence, term

PLAN = re.compile(r'1\.\.(\d+)$')
RESULT = re.compile(r'(not ok|ok) (\d+) (\S+)(?: # (SKIP)\b ?(.*))?$')
RESULT_LIKE = re.compile(r'(not ok|ok)\b')
DONE = re.compile(r'# done: (\d+) passed, (\d+) failed, (\d+) skipped$')
STATUS = {1: 'tests failed', 2: 'panic', 3: 'time-out', 4: 'emulator error'}


class Judge:
    """Reads lines; problems and failing tests pile up."""

    def __init__(self):
        self.problems = []
        self.failures = []
        self.skips = []
        self.names = {}
        self.seen = {}
        self.plan = None
        self.version = 0
        self.done = None
        self.passed = 0
        self.notes = []

    def problem(self, text):
        """The run is bad for the reason @text."""
        self.problems.append(text)

    def line(self, number, text):
        """One line of the log."""
        if text == 'KTAP version 1':
            self.version += 1
        elif evidence.REPORT.match(text):
            self.problem(f'line {number}: {text}')
        elif DONE.match(text):
            self.take_done(DONE.match(text))
        elif PLAN.match(text):
            self.take_plan(number, int(PLAN.match(text).group(1)))
        elif RESULT.match(text):
            self.take_result(number, RESULT.match(text))
        elif RESULT_LIKE.match(text) and self.version:
            self.problem(f'line {number}: malformed: {text}')
        elif text.startswith('# '):
            self.notes.append(text[2:])

    def take_plan(self, number, count):
        """1..N"""
        if not self.version:
            self.problem(f'line {number}: plan before the KTAP line')
        if self.plan is not None:
            self.problem(f'line {number}: a second plan')
        self.plan = count

    def take_done(self, match):
        """# done: ..."""
        if self.done is not None:
            self.problem('a second "# done" line')
        self.done = tuple(int(group) for group in match.groups())

    def take_result(self, number, match):
        """ok K name / not ok K name"""
        word, k, name, skip, reason = match.groups()
        k = int(k)
        if self.plan is None:
            self.problem(f'line {number}: result before the plan')
        if self.done is not None:
            self.problem(f'line {number}: result after "# done"')
        if k in self.seen:
            self.problem(f'line {number}: number {k} twice')
        if name in self.names:
            self.problem(f'line {number}: {name} twice')
        self.seen[k] = self.names[name] = word
        if word == 'not ok':
            self.failures.append((name, self.notes))
        elif skip:
            self.skips.append((name, reason))
        else:
            self.passed += 1
        self.notes = []

    def conclude(self, least):
        """After the last line."""
        if self.version != 1:
            self.problem('no "KTAP version 1" line' if not self.version
                         else 'several KTAP runs in one log')
        if self.plan is None:
            self.problem('no plan')
            return
        if self.plan < least:
            self.problem(f'{self.plan} tests planned, at least {least} wanted')
        missing = [k for k in range(1, self.plan + 1) if k not in self.seen]
        if missing:
            shown = ', '.join(map(str, missing[:8]))
            more = ', ...' if len(missing) > 8 else ''
            self.problem(f'{len(missing)} of {self.plan} results missing: '
                         + shown + more)
        beyond = [k for k in self.seen if not 1 <= k <= self.plan]
        if beyond:
            self.problem(f'numbers outside the plan: {beyond[:8]}')
        counted = (self.passed, len(self.failures), len(self.skips))
        if self.done is None:
            self.problem('no "# done" line')
        elif self.done != counted:
            self.problem(f'"# done" says {self.done}, seen {counted}')


def judge(data, least=1, status=None):
    """Judge the bytes of a log; returns the finished Judge."""
    verdict = Judge()
    text = data.decode('utf-8', 'replace')
    for number, line in enumerate(evidence.lines_of(text), 1):
        verdict.line(number, line)
    verdict.conclude(least)
    if status:
        verdict.problem(f'exit status {status}: '
                        + STATUS.get(status, 'unknown'))
    return verdict


def report(verdict, args):
    """Print the summary; True if the run is good."""
    good = not verdict.problems and not verdict.failures
    if args.skips:
        # First, for the end of a log is what is shown of it.
        for name, reason in verdict.skips:
            print(f'skip {name}: {reason}')
    for name, notes in verdict.failures:
        print(term.paint(f'not ok {name}', 'red'))
        for note in notes:
            print(f'    {note}')
        if args.repeat_command:
            print('    repeat: ' + args.repeat_command.replace('{}', name))
    for problem in verdict.problems:
        print(term.paint(f'ktap: {problem}', 'red'))
    word = term.paint('pass', 'green') if good else term.paint('FAIL', 'red')
    print(f'ktap: {word}: {verdict.passed} passed, {len(verdict.failures)} '
          f'failed, {len(verdict.skips)} skipped')
    return good


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/ktap.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('log', help='serial log, - for standard input')
    add('--status', type=int, metavar='N', help='exit status of tools/run')
    add('--least', type=int, default=1, metavar='N',
        help='fewer planned tests are a failure (default 1)')
    add('--skips', action='store_true', help='list skipped tests')
    add('--repeat-command', metavar='TEMPLATE',
        help='printed for each failing test, {} is its name')
    args = parser.parse_args()
    try:
        if args.log == '-':
            data = sys.stdin.buffer.read()
        else:
            with open(args.log, 'rb') as log:
                data = log.read()
    except OSError as problem:
        print(f'ktap: {problem}', file=sys.stderr)
        return 1
    return 0 if report(judge(data, args.least, args.status), args) else 1


if __name__ == '__main__':
    sys.exit(main())
