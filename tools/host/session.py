# SPDX-License-Identifier: MIT
"""
Watch a running emulator: show the serial text, follow the script, notice a
panic, the time-out and the end.  What differs between emulators is in the
backend, an object with

  write(data)        send bytes to the serial line
  keys(text)         press keys
  screenshot(path)   write a PNG
  nmi(), hmp(line)   as QEMU has them
  ended()            None, or how the machine ended: 'poweroff', 'reset',
                     'triple', 'exit'; may be called after the process ended
  quit()             end the emulator now
  stuck()            lines which tell where the CPUs are
"""

import ctypes
import signal
import sys
import tempfile
import time

import screen
from host import script, verdict

POLL = 0.015
LOOK = 1.0  # at the screen, seconds
# A panic has said everything when this long nothing came (it waits 5 s for
# CPUs that do not answer); at the latest ...
PANIC_QUIET, PANIC_LONGEST = 8.0, 120.0
DONE_QUIET = 5.0


def die_with_parent():
    """For preexec_fn: no emulator outlives us."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Session:
    """One run."""

    def __init__(self, args, process, serial, backend):
        self.args = args
        self.process = process
        self.serial = open(serial, 'rb') if serial else None
        self.backend = backend
        self.text = b''
        self.start = time.monotonic()
        self.fresh = self.start
        self.panicked = None
        self.steps = list(args.steps)
        self.step_since = self.start
        self.step_timeout = None
        self.matched = 0
        self.looked = 0
        self.refused = []
        self.pictured = args.screenshot is None
        self.over = None
        self.expected_end = None

    # -- the text ---------------------------------------------------------

    def pump(self):
        """Take and show what has come."""
        data = self.serial.read() if self.serial else b''
        if not data:
            return
        self.text += data
        self.fresh = time.monotonic()
        if not self.args.quiet and not self.args.interactive:
            shown = data.replace(b'\r\n', b'\n')
            try:
                sys.stdout.buffer.write(shown)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                self.args.quiet = True
        if self.panicked is None and verdict.has_panic(self.text):
            self.panicked = self.fresh

    def quiet(self):
        """Seconds since the last output."""
        return time.monotonic() - self.fresh

    # -- the script -------------------------------------------------------

    def advance(self, final=False):
        """Do as many steps of the script as can be done now."""
        for text in self.refused:
            if text in self.text[self.refuse_from:]:
                self.over = (verdict.FAILED, f'script: {text!r} came')
                return
        while self.steps and self.over is None:
            number, command, argument = self.steps[0]
            if final and command not in ('expect', 'refuse', 'end', 'quit'):
                return
            if not getattr(self, 'do_' + command)(argument):
                self.late(number, command, argument)
                return
            self.steps.pop(0)
            self.step_since = time.monotonic()

    def late(self, number, command, argument):
        """Give up a step that takes longer than its time-out."""
        if self.step_timeout is None or command not in ('expect', 'see',
                                                        'end'):
            return
        if time.monotonic() - self.step_since > self.step_timeout:
            self.over = (verdict.FAILED, f'script line {number}: {command} '
                         f'{argument}: not within {self.step_timeout:g} s')

    def do_expect(self, argument):
        wanted = script.unescape(argument).encode()
        at = self.text.find(wanted, self.matched)
        if at < 0:
            return False
        self.matched = at + len(wanted)
        return True

    def do_see(self, argument):
        if time.monotonic() - self.looked < LOOK:
            return False
        with tempfile.NamedTemporaryFile(suffix='.png') as picture:
            self.backend.screenshot(picture.name)
            seen = screen.shows(picture.name, argument)
        self.looked = time.monotonic()
        return seen

    def do_refuse(self, argument):
        self.refuse_from = len(self.text)
        self.refused.append(script.unescape(argument).encode())
        return True

    def do_send(self, argument):
        self.backend.write(script.unescape(argument).encode() + b'\r')
        return True

    def do_type(self, argument):
        self.backend.write(script.unescape(argument).encode())
        return True

    def do_key(self, argument):
        self.backend.keys(argument)
        return True

    def do_wait(self, argument):
        return time.monotonic() - self.step_since >= float(argument)

    def do_timeout(self, argument):
        self.step_timeout = float(argument)
        return True

    def do_screenshot(self, argument):
        self.backend.screenshot(argument)
        return True

    def do_nmi(self, _):
        self.backend.nmi()
        return True

    def do_hmp(self, argument):
        print(self.backend.hmp(argument).rstrip())
        return True

    def do_end(self, argument):
        self.expected_end = argument
        if argument == 'panic':
            if self.panicked and self.quiet() > PANIC_QUIET:
                self.over = (verdict.PASSED, None)
                return True
            return False
        return self.process.poll() is not None

    def do_quit(self, _):
        self.over = (verdict.PASSED, None)
        return True

    # -- pictures ---------------------------------------------------------

    def picture(self):
        """Take the screenshot that was asked for, once."""
        if not self.pictured:
            self.pictured = True
            self.backend.screenshot(self.args.screenshot)

    def look_at_screen(self):
        """Is it time for the screenshot?  It ends the run."""
        when = self.args.screenshot_at
        if self.pictured:
            return
        if when == 'exit':
            settled = verdict.from_text(self.text) is not None
            if self.backend.ended() or (settled and self.quiet() > 2):
                self.picture()
                self.over = self.judge()
            return
        try:
            due = time.monotonic() - self.start >= float(when)
        except ValueError:
            # The screen may lag behind the serial line a little.
            due = when.encode() in self.text and self.quiet() > 0.5
        if due:
            self.picture()
            if not self.steps:
                self.over = (verdict.PASSED, None)

    # -- the end ----------------------------------------------------------

    def judge(self):
        """The verdict of a machine that has ended or been stopped."""
        said = verdict.from_text(self.text)
        ended = self.backend.ended()
        code = verdict.DEBUG_EXIT.get(self.process.poll())
        if ended == 'triple':
            return verdict.PANIC, 'triple fault'
        if self.expected_end:
            return self.judge_end(ended, code)
        if code is not None:
            return max(code, verdict.PANIC if said == verdict.PANIC else 0,
                       key=[0, 1, 2].index), None
        if said is not None:
            return said, None
        if self.args.interactive:
            return verdict.PASSED, ('the guest reset the machine'
                                    if ended == 'reset' else None)
        if ended == 'reset':
            return verdict.PANIC, 'the guest reset the machine, no verdict'
        if ended == 'poweroff' and self.args.no_serial \
                and self.args.screenshot:
            # Nothing but the picture can tell; tools/screen.py judges it.
            return verdict.PASSED, None
        if ended == 'poweroff':
            return verdict.ERROR, 'the guest powered off, no verdict'
        return verdict.ERROR, f'the emulator ended ({self.process.poll()}), ' \
            'no verdict'

    def judge_end(self, ended, code):
        """The verdict if the script said how it must end."""
        wanted = self.expected_end
        if wanted == 'exit' and code is not None:
            return code, None
        if wanted == 'any' or wanted == ended:
            return verdict.PASSED, None
        return verdict.FAILED, f'script: end {wanted}: ended by ' \
            f'{"exit" if code is not None else ended}'

    def finish(self):
        """The process has ended by itself."""
        self.pump()
        self.advance(final=True)
        if self.over:
            return self.over
        code, message = self.judge()
        if self.steps and code in (verdict.PASSED, verdict.ERROR):
            number, command, argument = self.steps[0]
            return verdict.FAILED, f'script line {number}: {command} ' \
                f'{argument}: the machine ended before'
        return code, message

    def settled(self):
        """A machine that will say no more: its verdict, or None."""
        now = time.monotonic()
        if self.args.interactive or self.args.gdb:
            return None
        if self.panicked and not self.steps and (
                self.quiet() > PANIC_QUIET
                or now - self.panicked > PANIC_LONGEST):
            return verdict.PANIC, None
        leaves = 'exit' in self.args.append.split()
        if not leaves and not self.steps and self.quiet() > DONE_QUIET:
            said = verdict.from_text(self.text)
            if said is not None:
                return said, None
        return None

    def timed_out(self):
        """The verdict at the time limit."""
        if not self.pictured:
            self.picture()
        for line in self.backend.stuck():
            print(f'run: {line}', file=sys.stderr)
        message = f'time-out after {self.args.timeout:g} s'
        if self.steps:
            number, command, argument = self.steps[0]
            message += f', at script line {number}: {command} {argument}'
        return verdict.TIMEOUT, message

    def watch(self):
        """Until the end; returns (exit code, message)."""
        try:
            while True:
                alive = self.process.poll() is None
                self.pump()
                if not alive:
                    return self.finish()
                self.advance()
                if self.over is None:
                    self.look_at_screen()
                self.over = self.over or self.settled()
                if self.over:
                    return self.over
                limit = self.args.timeout
                if limit and time.monotonic() - self.start > limit:
                    return self.timed_out()
                time.sleep(POLL)
        finally:
            self.backend.quit()
            self.pump()
            if self.serial:
                self.serial.close()
