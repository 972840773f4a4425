# SPDX-License-Identifier: MIT
"""What a run of the kernel means: exit codes and the text that decides."""

import re

PASSED = 0
FAILED = 1
PANIC = 2
TIMEOUT = 3
ERROR = 4

NAMES = {
    PASSED: 'passed',
    FAILED: 'tests failed',
    PANIC: 'panic',
    TIMEOUT: 'time-out',
    ERROR: 'error',
}

# QEMU's exit status for a value written to isa-debug-exit is value * 2 + 1.
DEBUG_EXIT = {33: PASSED, 35: FAILED, 37: PANIC}

PANIC_RE = re.compile(rb'^PANIC: .*', re.M)
DONE_RE = re.compile(
    rb'^# done: (\d+) passed, (\d+) failed, (\d+) skipped', re.M)


def has_panic(text):
    """True if a line of the serial log @text (bytes) begins a panic."""
    return PANIC_RE.search(text) is not None


def from_text(text):
    """The verdict that the serial log @text contains, None if it has none."""
    if has_panic(text):
        return PANIC
    done = DONE_RE.findall(text)
    if not done:
        return None
    return FAILED if any(int(failed) for _, failed, _ in done) else PASSED
