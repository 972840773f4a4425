# SPDX-License-Identifier: MIT
"""
Dialogues with the machine: expect a text, send one, press keys.

One command a line, # begins a comment line:
  expect TEXT       wait until TEXT comes on the serial line (after the last
                    match)
  see TEXT          wait until TEXT is on the screen (found by its shape: it
                    should be long, and have letters twice)
  refuse TEXT       from here on the run fails if TEXT comes
  send TEXT         send TEXT and a carriage return to the serial line
  type TEXT         send TEXT alone; \\r \\n \\t \\e \\xHH \\\\ are understood
  key TEXT          press the keys of TEXT on the emulated keyboard;
                    <ret> <up> <tab> <backspace> <ctrl-c> <lt> are keys
  wait SECONDS      let the machine run
  screenshot FILE   write the screen as PNG
  nmi               inject an NMI
  hmp COMMAND       command of QEMU's human monitor
  timeout SECONDS   longest wait of each later expect (default: the run's)
  end WHAT          the machine must end now by poweroff, reset, exit or any,
                    or stay in a panic (end panic: the emulator is ended)
  quit              end the emulator; the run has passed
"""

import re

COMMANDS = ('expect', 'see', 'refuse', 'send', 'type', 'key', 'wait', 'screenshot',
            'nmi', 'hmp', 'timeout', 'end', 'quit')
ENDS = ('poweroff', 'reset', 'exit', 'any', 'panic')
ESCAPES = {'r': '\r', 'n': '\n', 't': '\t', 'e': '\x1b', '\\': '\\'}


class ScriptError(Exception):
    """A line of a script that is no command."""


def unescape(text):
    """Resolve the escapes of the type and send commands."""
    def one(match):
        code = match.group(1)
        if code[0] == 'x':
            return chr(int(code[1:], 16))
        return ESCAPES[code]
    return re.sub(r'\\(x[0-9a-fA-F]{2}|[rnte\\])', one, text)


def parse(text, name='script'):
    """The steps of a script: a list of (line number, command, argument)."""
    steps = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith('#'):
            continue
        command, _, argument = line.partition(' ')
        argument = argument.strip()
        if command not in COMMANDS:
            raise ScriptError(f'{name}:{number}: unknown command {command!r}')
        if command == 'end' and argument not in ENDS:
            raise ScriptError(f'{name}:{number}: end {argument!r}: one of '
                              + ', '.join(ENDS))
        if command in ('wait', 'timeout'):
            try:
                float(argument)
            except ValueError:
                raise ScriptError(
                    f'{name}:{number}: {argument!r} is no number') from None
        steps.append((number, command, argument))
    return steps
