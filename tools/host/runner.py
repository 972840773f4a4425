# SPDX-License-Identifier: MIT
"""
Run named steps, some at once, and tell how they went.

A step is a list of commands that must each end with the status expected of
it.  A step begins when those it needs have passed; needing one that did not is
a failure of its own.
"""

import dataclasses
import fnmatch
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

from host import evidence, term

SKIPPED = 77

# Lines shown of a failed step's log as it happens, and at the end.
SHOWN = 15
SHOWN_AT_END = 40


@dataclasses.dataclass
class Step:
    """
    @commands  lists of words, or functions that return such a list when the
               step begins; the word "!N" in front means: must end with N
    @slots     how many of the processors it uses
    @needs     names of steps
    @quick     part of CHECK=quick
    @explain   command, as above, that says more after another has failed
    @serial    file with the text of a kernel, which may tell the cause
    @skip      function that returns why it cannot run here, or None
    """
    name: str
    commands: list
    timeout: float = 300
    slots: int = 1
    needs: tuple = ()
    quick: bool = False
    skip: object = None
    explain: object = None
    serial: str = ''
    state: str = 'waits'
    reason: str = ''
    seconds: float = 0
    lines: list = dataclasses.field(default_factory=list)

    def slug(self):
        """The name as a file name."""
        return re.sub(r'[^A-Za-z0-9.]+', '-', self.name).strip('-')


def read(path):
    """The text of a file, empty if there is none."""
    try:
        return path.read_text(errors='replace')
    except OSError:
        return ''


def select(steps, quick, patterns):
    """Those asked for, and what they need."""
    by_name = {step.name: step for step in steps}
    chosen = set()

    def take(step):
        if step.name not in chosen:
            chosen.add(step.name)
            for name in step.needs:
                take(by_name[name])

    for step in steps:
        if patterns and not any(fnmatch.fnmatchcase(step.name, p)
                                for p in patterns):
            continue
        if quick and not step.quick:
            continue
        take(step)
    return [step for step in steps if step.name in chosen]


class Runner:
    """Runs steps; run() returns True if none failed."""

    def __init__(self, steps, root, logs, slots):
        self.steps = steps
        self.root = root
        self.logs = pathlib.Path(logs)
        self.slots = slots
        self.free = slots
        self.lock = threading.Condition()
        self.done = 0
        self.processes = set()
        self.interrupted = False
        self.by_name = {step.name: step for step in steps}

    def run(self):
        """All steps; the last line printed is the summary."""
        self.logs.mkdir(parents=True, exist_ok=True)
        threads = []
        try:
            while True:
                step = self.next_step()
                if step is None:
                    break
                thread = threading.Thread(target=self.one, args=(step,),
                                          daemon=True)
                threads.append(thread)
                thread.start()
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self.interrupted = True
            self.kill_all()
        return self.summary()

    def next_step(self):
        """Wait until a step can begin, reserve its slots; None at the end."""
        with self.lock:
            while True:
                waiting = [s for s in self.steps if s.state == 'waits']
                if not waiting:
                    return None
                for step in waiting:
                    if self.ready(step):
                        step.state = 'runs'
                        self.free -= min(step.slots, self.slots)
                        return step
                self.lock.wait(1)

    def ready(self, step):
        """Can @step begin?"""
        states = [self.by_name[name].state for name in step.needs]
        if any(state in ('waits', 'runs') for state in states):
            return False
        return self.free >= min(step.slots, self.slots)

    def one(self, step):
        """A step in its thread."""
        started = time.monotonic()
        try:
            step.state, step.reason = self.execute(step)
        except Exception as problem:  # a broken step is a failed step
            step.state, step.reason = 'fail', repr(problem)
        step.seconds = time.monotonic() - started
        with self.lock:
            self.free += min(step.slots, self.slots)
            self.done += 1
            self.show(step)
            self.lock.notify_all()

    def execute(self, step):
        """Run the commands of a step; (state, reason)."""
        for name in step.needs:
            state = self.by_name[name].state
            if state != 'pass':
                return ('skip' if state == 'skip' else 'fail',
                        f'needs "{name}"')
        reason = step.skip() if step.skip else None
        if reason:
            return 'skip', reason
        if step.serial:
            # That of an earlier run would tell another story.
            (self.root / step.serial).unlink(missing_ok=True)
        deadline = time.monotonic() + step.timeout
        with open(self.logs / f'{step.slug()}.log', 'wb') as log:
            for command in step.commands:
                words = list(command() if callable(command) else command)
                wanted = 0
                if words[0].startswith('!'):
                    wanted = int(words.pop(0)[1:])
                step.lines.append(
                    shlex.join(words) if wanted == 0
                    else f'{shlex.join(words)}; test $? = {wanted}')
                log.write(f'$ {step.lines[-1]}\n'.encode())
                log.flush()
                status = self.spawn(words, log, deadline)
                if status is None:
                    return 'fail', f'time-out after {step.timeout:g} s'
                if status == SKIPPED and wanted == 0:
                    return 'skip', self.last_line(step)
                if status != wanted:
                    self.explain(step, command, log)
                    return 'fail', f'status {status}, expected {wanted}'
        return 'pass', ''

    def explain(self, step, failed, log):
        """Have the log say more about a command that failed."""
        if step.explain and step.explain is not failed:
            words = step.explain() if callable(step.explain) else step.explain
            self.spawn(list(words), log, time.monotonic() + 10)

    def last_line(self, step):
        """The last line of a step's log."""
        text = (self.logs / f'{step.slug()}.log').read_text(errors='replace')
        return text.strip().splitlines()[-1]

    def spawn(self, words, log, deadline):
        """Run a command in a session of its own; None on time-out."""
        process = subprocess.Popen(
            words, cwd=self.root, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.add(process)
        try:
            return process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.kill(process)
            return None
        finally:
            self.processes.discard(process)

    def kill(self, process):
        """End a command and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(3)
                return
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue

    def kill_all(self):
        """After an interrupt from the keyboard."""
        for process in list(self.processes):
            self.kill(process)

    def show(self, step):
        """The progress line of a step, and why it failed."""
        colour = {'pass': 'green', 'fail': 'red', 'skip': 'yellow'}
        word = {'pass': 'ok  ', 'fail': 'FAIL', 'skip': 'skip'}[step.state]
        total = len(self.steps)
        why = f': {step.reason}' if step.reason else ''
        print(f'[{self.done:3}/{total}] '
              f'{term.paint(word, colour[step.state])} '
              f'{step.seconds:5.1f}s {step.name}{why}', flush=True)
        if step.state == 'fail' and step.lines:
            log = self.logs / f'{step.slug()}.log'
            self.quote(evidence.tail(read(log), SHOWN))
            print(f'      log: {log}\n      repeat: '
                  + ' && '.join(step.lines), flush=True)

    def quote(self, lines):
        """Lines of a log among those of the run."""
        for line in lines:
            print(f'      | {line}')

    def tell(self, step):
        """Why a step failed, again: the end of a run is what is read."""
        print(f'failed: {step.name}: {step.reason}')
        if not step.lines:
            return
        log = self.logs / f'{step.slug()}.log'
        if step.serial:
            serial = self.root / step.serial
            self.quote(evidence.relevant(read(serial), SHOWN_AT_END))
            print(f'      serial: {serial}')
            self.quote(evidence.tail(read(log), SHOWN))
        else:
            self.quote(evidence.relevant(read(log), SHOWN_AT_END))
        print(f'      log: {log}')

    def summary(self):
        """The last line; True if nothing failed."""
        count = {state: sum(step.state == state for step in self.steps)
                 for state in ('pass', 'fail', 'skip', 'waits', 'runs')}
        failed = count['fail'] + count['waits'] + count['runs']
        for step in self.steps:
            if step.state == 'fail':
                self.tell(step)
        line = f'{count["pass"]} passed, {failed} failed'
        if count['skip']:
            line += f', {count["skip"]} skipped'
        if self.interrupted:
            print('interrupted')
        print(line, flush=True)
        sys.stdout.flush()
        return failed == 0 and count['pass'] > 0
