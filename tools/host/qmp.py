# SPDX-License-Identifier: MIT
"""
QEMU's machine protocol.  We listen, QEMU connects: no race at the start.
"""

import collections
import json
import socket

# What has a name of its own on the emulated (US) keyboard.
KEYS = {
    ' ': 'spc', '\n': 'ret', '\t': 'tab', '-': 'minus', '=': 'equal',
    '[': 'bracket_left', ']': 'bracket_right', ';': 'semicolon',
    "'": 'apostrophe', '`': 'grave_accent', '\\': 'backslash', ',': 'comma',
    '.': 'dot', '/': 'slash',
}
SHIFTED = dict(zip('!@#$%^&*()_+{}|:"<>?~',
                   '1234567890-=[]\\;\',./`'))
NAMED = {'enter': 'ret', 'space': 'spc', 'bs': 'backspace', 'lt': '<'}


def key_combo(char):
    """The key codes to hold down for one character."""
    if char in SHIFTED:
        return ['shift'] + key_combo(SHIFTED[char])
    if char.isupper():
        return ['shift', char.lower()]
    return [KEYS.get(char, char)]


def key_combos(text):
    """
    The list of key combinations that type @text.  <name> is a key by QEMU's
    name (<ret>, <up>, <backspace>), <ctrl-c> holds several; <lt> is '<'.
    """
    combos = []
    i = 0
    while i < len(text):
        end = text.find('>', i)
        if text[i] == '<' and end > i + 1:
            name = text[i + 1:end]
            if name == 'lt':
                combos.append(key_combo('<'))
            else:
                combos.append([NAMED.get(k, k) for k in name.split('-')])
            i = end + 1
        else:
            combos.append(key_combo(text[i]))
            i += 1
    return combos


# Seconds for an answer.  With hundreds of processors on a busy host QEMU itself
# gets its turn rarely.
PATIENCE = 120


class Qmp:
    """One connection; commands wait for their answer, events are kept."""

    def __init__(self, path):
        self.path = path
        self.events = collections.deque()
        self.connection = None
        self.buffer = b''
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)

    def accept(self, timeout):
        """Wait for QEMU; False if it does not come within @timeout."""
        self.listener.settimeout(timeout)
        try:
            self.connection, _ = self.listener.accept()
        except OSError:
            return False
        try:
            self._read(PATIENCE)
            self.command('qmp_capabilities')
        except (OSError, ValueError, RuntimeError):
            return False
        return True

    def _read(self, timeout):
        """The next message; TimeoutError if none comes within @timeout."""
        self.connection.settimeout(timeout)
        while b'\n' not in self.buffer:
            data = self.connection.recv(65536)
            if not data:
                raise OSError('connection closed')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def command(self, name, **arguments):
        """Run a command, return its result; RuntimeError if it fails."""
        request = {'execute': name}
        if arguments:
            request['arguments'] = arguments
        self.connection.sendall(json.dumps(request).encode() + b'\n')
        while True:
            answer = self._read(PATIENCE)
            if 'event' in answer:
                self.events.append(answer)
            elif 'error' in answer:
                raise RuntimeError(answer['error'].get('desc', 'failed'))
            elif 'return' in answer:
                return answer['return']

    def hmp(self, line):
        """Run a command of the human monitor, return its text."""
        return self.command('human-monitor-command', **{'command-line': line})

    def poll(self):
        """Collect events that have arrived; True while QEMU is connected."""
        if self.connection is None:
            return False
        try:
            while True:
                answer = self._read(0.001)
                if 'event' in answer:
                    self.events.append(answer)
        except TimeoutError:
            return True
        except (OSError, ValueError):
            return False

    def end_reason(self):
        """Why the machine ended: guest-shutdown, guest-reset, ..., or None."""
        for event in self.events:
            if event['event'] == 'SHUTDOWN':
                return event.get('data', {}).get('reason', 'unknown')
        return None

    def close(self):
        """Let go of the sockets."""
        if self.connection is not None:
            self.connection.close()
        self.listener.close()
