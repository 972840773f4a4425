#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Judge how long interrupts and preemption were off in runs with "latency".

Reads serial logs of kernels with DEBUG=1 or LATENCY=1 that were booted with
the option "latency" and --icount, and prints the longest stretches of all of
them with the places of both ends.  A run passes only if it has the list, the
list counts instructions, and no stretch is longer than allowed.  Those that a
test excused and those in which another CPU may have run (doc/latency.md) are
printed with --all and not judged.

exit status: 0 passed, 1 failed, 4 usage.
"""

import argparse
import dataclasses
import re
import sys

KINDS = ('irqs_off', 'preempt_off')
UNIT = re.compile(r'# latency: (.*)$')
LINE = re.compile(r'# latency (\w+) (\d+) cpu (\d+): (.+?) to (.+?)'
                  r'(?:, (doubtful|excused: .*))?$')
MAX = re.compile(r'BENCH latency\.(\w+)\.max (\d+) insns ')


@dataclasses.dataclass
class Stretch:
    """One line of a list."""
    kind: str
    ticks: int
    where: str
    remark: str
    log: str


def read(log, text, problems):
    """The stretches of one log."""
    found, units, seen = [], [], {}
    for line in text.splitlines():
        line = line.rstrip('\r')
        if UNIT.match(line):
            units.append(UNIT.match(line).group(1))
        elif LINE.match(line):
            kind, ticks, _, start, end, remark = LINE.match(line).groups()
            found.append(Stretch(kind, int(ticks), f'{start} to {end}',
                                 remark or '', log))
        elif MAX.match(line):
            kind, ticks = MAX.match(line).groups()
            seen[kind] = int(ticks)
    if not units:
        problems.append(f'{log}: no list of stretches')
    for unit in units:
        if not unit.startswith('instructions'):
            problems.append(f'{log}: counts {unit}, not instructions')
    for kind in KINDS:
        longest = max((s.ticks for s in found
                       if s.kind == kind and not s.remark), default=0)
        if seen.get(kind, -1) != longest:
            problems.append(f'{log}: the longest of {kind} is {longest}, '
                            f'but it says {seen.get(kind, "nothing")}')
    return found


def show(stretches, nr):
    """Print the longest, each place once."""
    places = set()
    for stretch in sorted(stretches, key=lambda s: -s.ticks):
        place = (stretch.kind, stretch.where, stretch.remark)
        if place in places or len(places) == nr:
            continue
        places.add(place)
        print(f'{stretch.ticks:8} {stretch.kind:11} {stretch.where}'
              + (f' ({stretch.remark})' if stretch.remark else ''))


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/latency.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('logs', nargs='+', metavar='LOG')
    add('--max', type=int, default=2000, metavar='N',
        help='instructions that are allowed (2000)')
    add('--top', type=int, default=10, metavar='N',
        help='how many stretches to print (10)')
    add('--all', action='store_true',
        help='print what is not judged as well')
    args = parser.parse_args()

    problems, stretches = [], []
    for log in args.logs:
        with open(log, encoding='utf-8', errors='replace') as file:
            stretches += read(log, file.read(), problems)
    judged = [s for s in stretches if not s.remark]
    for stretch in judged:
        if stretch.ticks > args.max:
            problems.append(f'{stretch.log}: {stretch.kind} for '
                            f'{stretch.ticks} instructions, {stretch.where}')
    show(judged, args.top)
    if args.all:
        print('not judged:')
        show([s for s in stretches if s.remark], 2 * args.top)
    for problem in problems:
        print(f'latency: {problem}')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
