# SPDX-License-Identifier: MIT
"""Colours, only where a person looks."""

import os
import sys

CODES = {'red': '31', 'green': '32', 'yellow': '33', 'bold': '1', 'dim': '2'}


def paint(text, colour, stream=None):
    """Return @text in @colour if @stream (standard output) is a terminal."""
    stream = stream or sys.stdout
    if not stream.isatty() or 'NO_COLOR' in os.environ:
        return text
    return f'\x1b[{CODES[colour]}m{text}\x1b[0m'
