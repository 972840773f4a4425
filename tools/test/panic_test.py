#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Bring the kernel down in every way that the command "crash" knows, and look at
what it shows.

Each run boots a kernel by PVH, types one command in the monitor, and demands:
the emulator ends by isa-debug-exit with the status of a panic; one report, at
the beginning of a line, with the reason; registers; a trace of each CPU, none
of which fails to answer; the function that crashed among them.

exit status: 0 all were as they should be, 1 some were not.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PANIC = 2  # status of tools/run
ESCAPE = re.compile(r'\x1b\[[0-9;?=]*[A-Za-z]|\r')
REGISTERS = re.compile(r'^rip [0-9a-f]{16} rsp [0-9a-f]{16} rflags', re.M)
SECOND = 'PANIC: panic inside a panic'

# What to type; what the reason is; a function that the trace must name.
# Without a function there is no room for a trace.
WAYS = {
    'panic hello world': ('hello world', 'crash_panic_command'),
    'panic': ('asked for', 'crash_panic_command'),
    'crash nullptr': ('page fault reading 0x10: not mapped', 'crash_nullptr'),
    'crash stack': ('stack overflow: .* guard page', 'crash_overflow'),
    'crash assert': ('assertion failed: cpu_nr_possible == 0',
                     'crash_assert'),
    'crash gp': ('general protection fault, error code 0', 'crash_gp'),
    'crash nmi': ('all other CPUs spin with interrupts disabled',
                  'crash_spin_or_panic'),
    'crash div': ('divide error', 'crash_div'),
    'crash ud': ('invalid opcode', 'crash_ud'),
    'crash lock': ('inside a console, its lock is held',
                   'crash_console_write'),
    'crash panic-all': ('one of many, on cpu', 'crash_panic_here'),
    'crash other': ('one of many, on cpu', 'crash_panic_here'),
    'crash timer': ("inside a timer's function", 'crash_timer_fn'),
    'crash recursive': ('inside a console, its lock is held', None),
}


def boot(args, command, cpus, accel, scratch):
    """Status of tools/run and the serial text of one crash."""
    script = scratch / 'script'
    serial = scratch / 'serial'
    script.write_text(f'expect portolan>\nsend {command}\nend exit\n')
    done = subprocess.run(
        [ROOT / 'tools/run', '--kernel', args.kernel, '--quiet',
         '--smp', str(cpus), '--accel', accel, '--mem', args.mem,
         '--cpu', args.cpu, '--append', 'panic=exit ' + args.append,
         '--script', script, '--serial', serial,
         '--timeout', str(args.timeout)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    text = serial.read_text(errors='replace') if serial.exists() else ''
    return done.returncode, ESCAPE.sub('', text) + done.stderr


def problems(command, cpus, status, text):
    """What is wrong with the report of a crash."""
    reason, function = WAYS[command]
    if status != PANIC:
        yield f'tools/run ended with {status}, not {PANIC}'
    reports = re.findall('^PANIC: .*$', text, re.M)
    if function is None:
        if reports[1:] != [SECOND]:
            yield f'not two reports, the second about the first: {reports}'
        return
    if len(reports) != 1 or not re.match('PANIC: ' + reason, reports[0]):
        yield f'not one report of "{reason}": {reports}'
        return

    text = text[text.index(reports[0]):]
    if not REGISTERS.search(text):
        yield 'no registers'
    if 'does not answer' in text:
        yield 'a CPU does not answer'
    traces = {int(n) for n in re.findall(r'^cpu (\d+): #0 0x', text, re.M)}
    if traces != set(range(cpus)):
        yield f'traces of the CPUs {sorted(traces)} only'
    if not re.search(rf'^cpu \d+: #\d+ 0x[0-9a-f]+ {function}\b', text, re.M):
        yield f'{function} is in no trace'
    if 'last log lines:' not in text or 'panicked: ' not in text:
        yield 'the report is cut'


def main():
    """Run what was asked for, judge each run."""
    parser = argparse.ArgumentParser(
        description=__doc__.strip().splitlines()[0])
    parser.add_argument('--kernel', default=ROOT / 'build/portolan.elf')
    parser.add_argument('--smp', default='1,2,4', help='numbers of CPUs')
    parser.add_argument('--accel', default='single,multi')
    parser.add_argument('--ways', default='', help='words of the commands')
    parser.add_argument('--mem', default='128M')
    parser.add_argument('--cpu', default='max')
    parser.add_argument('--append', default='')
    parser.add_argument('--timeout', type=float, default=300)
    args = parser.parse_args()

    nr_bad = nr_runs = 0
    commands = [way for way in WAYS
                if not args.ways or way.split()[-1] in args.ways.split(',')]
    for accel in args.accel.split(','):
        for cpus in map(int, args.smp.split(',')):
            for command in commands:
                with tempfile.TemporaryDirectory() as folder:
                    status, text = boot(args, command, cpus, accel,
                                        pathlib.Path(folder))
                found = list(problems(command, cpus, status, text))
                nr_runs += 1
                nr_bad += bool(found)
                for problem in found:
                    print(f'{command}, {cpus} CPUs, {accel}: {problem}')
                if found:
                    print(re.sub('^', '    | ', text[-4000:], flags=re.M))
    print(f'{nr_runs - nr_bad} passed, {nr_bad} failed')
    return nr_bad != 0


if __name__ == '__main__':
    sys.exit(main())
