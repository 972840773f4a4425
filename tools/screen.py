#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Check the pixels of a screenshot (PNG).

Text is found without knowing the font: a screen is cut into cells, and a text
matches where equal characters have equal cells, different ones different
cells, and blanks are empty.  Texts should therefore have several letters, some
of them twice.

exit status: 0 all was found, 1 something was not, 4 usage.
"""

import argparse
import collections
import struct
import sys
import zlib

CELLS = [(8, 16), (9, 16), (8, 8), (9, 14), (8, 14), (16, 32), (10, 20),
         (12, 24), (10, 18), (6, 12)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def paeth(a, b, c):
    """The predictor of PNG's filter type 4."""
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


def unfilter(kind, line, above, step):
    """Undo a filter of PNG on a line, in place."""
    size = len(line)
    if kind == 1:
        for i in range(step, size):
            line[i] = (line[i] + line[i - step]) & 255
    elif kind == 2:
        for i in range(size):
            line[i] = (line[i] + above[i]) & 255
    elif kind == 3:
        for i in range(size):
            left = line[i - step] if i >= step else 0
            line[i] = (line[i] + (left + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(size):
            left = line[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            line[i] = (line[i] + paeth(left, above[i], corner)) & 255
    elif kind != 0:
        raise ValueError(f'filter {kind}')


class Screen:
    """The pixels of a PNG file, 8 bits a channel, not interlaced."""

    def __init__(self, data):
        if data[:8] != b'\x89PNG\r\n\x1a\n':
            raise ValueError('no PNG file')
        at, packed = 8, b''
        while at + 8 <= len(data):
            size, kind = struct.unpack_from('>I4s', data, at)
            body = data[at + 8:at + 8 + size]
            if kind == b'IHDR':
                (self.width, self.height, depth, colour, _, _,
                 interlace) = struct.unpack('>IIBBBBB', body)
                if depth != 8 or interlace or colour not in CHANNELS:
                    raise ValueError('a kind of PNG not known here')
                self.step = CHANNELS[colour]
            elif kind == b'IDAT':
                packed += body
            at += 12 + size
        self.rows = self.unpack(zlib.decompress(packed))

    def unpack(self, raw):
        """The rows, as bytes."""
        rows = []
        size = self.width * self.step
        above = bytearray(size)
        for y in range(self.height):
            at = y * (size + 1)
            line = bytearray(raw[at + 1:at + 1 + size])
            if len(line) != size:
                raise ValueError('truncated')
            # Empty lines need no work, and most are.
            if any(line) or raw[at] in (2, 3, 4) and any(above):
                unfilter(raw[at], line, above, self.step)
            rows.append(bytes(line))
            above = line
        return rows

    def background(self):
        """The commonest pixel."""
        count = collections.Counter()
        for row in self.rows[::5]:
            for x in range(0, len(row), self.step * 3):
                count[row[x:x + self.step]] += 1
        return count.most_common(1)[0][0]

    def bits(self):
        """For each row, bytes that are 1 where it is not background."""
        blank = self.background()
        empty = blank * self.width
        zero = bytes(self.width)
        out = []
        for row in self.rows:
            if row == empty:
                out.append(zero)
            else:
                out.append(bytes(
                    row[x:x + self.step] != blank
                    for x in range(0, len(row), self.step)))
        return out

    def lit(self):
        """The share of pixels that are not background, in percent."""
        bits = self.bits()
        return 100 * sum(map(sum, bits)) / (self.width * self.height)


def cut(bits, width, height, origin=(0, 0)):
    """Lines of cell numbers, 0 is the empty cell."""
    left, top = origin
    known = {bytes(width * height): 0}
    lines = []
    for y in range(top, len(bits) - height + 1, height):
        band = bits[y:y + height]
        line = []
        for x in range(left, len(bits[0]) - width + 1, width):
            cell = b''.join(row[x:x + width] for row in band)
            line.append(known.setdefault(cell, len(known)))
        lines.append(line)
    return lines


def matches(cells, text):
    """True if the numbers in @cells can be the characters of @text."""
    forth, back = {' ': 0}, {0: ' '}
    for cell, char in zip(cells, text):
        if forth.setdefault(char, cell) != cell \
                or back.setdefault(cell, char) != char:
            return False
    return True


def find(lines, text):
    """(line, column) of @text, None if it is not there."""
    for y, line in enumerate(lines):
        if not any(line):
            continue
        for x in range(len(line) - len(text) + 1):
            if matches(line[x:x + len(text)], text):
                return y, x
    return None


def locate(screen, texts, cells=None, origin=(0, 0)):
    """
    Find all @texts with one size of cells: (size, places); of the sizes to
    try, the one with which most are found.
    """
    bits = screen.bits()
    best = None
    for size in [cells] if cells else CELLS:
        lines = cut(bits, *size, origin)
        places = [find(lines, text) for text in texts]
        score = sum(place is not None for place in places)
        if best is None or score > best[0]:
            best = (score, size, places)
        if score == len(texts):
            break
    return best[1], best[2]


def shows(path, text):
    """True if a picture can be read and has @text."""
    try:
        with open(path, 'rb') as file:
            screen = Screen(file.read())
    except (OSError, ValueError, struct.error, zlib.error):
        return False
    return locate(screen, [text])[1] != [None]


def pair(text):
    """WxH or X,Y as two numbers."""
    first, second = text.replace('x', ',').split(',')
    return int(first), int(second)


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/screen.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('picture', metavar='FILE.png')
    add('--expect', action='append', default=[], metavar='TEXT',
        help='must be on the screen; may be repeated')
    add('--lit', default='0.05:60', metavar='MIN:MAX',
        help='percent of pixels that are not background (default %(default)s)')
    add('--cell', type=pair, metavar='WxH', help='default: tries some')
    add('--origin', type=pair, default=(0, 0), metavar='X,Y')
    add('--size', type=pair, metavar='WxH', help='size the picture must have')
    args = parser.parse_args()
    try:
        with open(args.picture, 'rb') as file:
            screen = Screen(file.read())
    except (OSError, ValueError, struct.error, zlib.error) as problem:
        print(f'screen: {args.picture}: {problem}')
        return 1
    bad = 0
    low, high = map(float, args.lit.split(':'))
    lit = screen.lit()
    if not low <= lit <= high:
        print(f'screen: {lit:.2f} % of the pixels are lit, not within '
              f'{args.lit}')
        bad += 1
    if args.size and args.size != (screen.width, screen.height):
        print(f'screen: {screen.width}x{screen.height}')
        bad += 1
    if args.expect:
        size, places = locate(screen, args.expect, args.cell, args.origin)
        for text, place in zip(args.expect, places):
            if place is None:
                print(f'screen: {text!r} is not on it')
                bad += 1
            else:
                print(f'screen: {text!r} in line {place[0]}, column '
                      f'{place[1]}, cells {size[0]}x{size[1]}')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
