#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the C array of a console font from its drawing.

usage: mkfont.py FONT.txt OUTPUT.c
       mkfont.py --sample FONT.txt TEXT OUTPUT.png   (to look at it)
"""
import struct
import sys
import zlib

WIDTH, HEIGHT = 8, 16
FIRST_LINE = 2      # of a picture that does not fill the cell
SHORT = 13          # lines of such a picture


def character(name):
    """The code of a character named in a "=" line."""
    return int(name, 16) if name.startswith('0x') else ord(name)


def glyph(picture, where):
    """The 16 bytes of a picture, leftmost pixel in the highest bit."""
    if len(picture) not in (SHORT, HEIGHT):
        sys.exit(f'{where}: {len(picture)} lines, need {SHORT} or {HEIGHT}')
    if any(len(row) > WIDTH or set(row) - set('.X') for row in picture):
        sys.exit(f'{where}: need at most {WIDTH} of "." and "X" a line')
    rows = [int(row.ljust(WIDTH, '.').replace('.', '0').replace('X', '1'), 2)
            for row in picture]
    top = FIRST_LINE if len(picture) == SHORT else 0
    return [0] * top + rows + [0] * (HEIGHT - top - len(rows))


def parse(path):
    """The glyphs of a drawing, by code."""
    blocks = []
    with open(path, encoding='ascii') as lines:
        for line in lines:
            words = line.split()
            if not words or line[0] == '#':
                continue
            if line[0] == '=':
                blocks.append((words[1:], []))
            else:
                blocks[-1][1].append(words)
    font = {}
    for names, rows in blocks:
        for row in rows:
            if len(row) != len(names):
                sys.exit(f'{path}: {" ".join(names)}: ragged line: {row}')
        for i, name in enumerate(names):
            code = character(name)
            if code in font:
                sys.exit(f'{path}: {name} is drawn twice')
            font[code] = glyph([row[i] for row in rows], f'{path}: {name}')
    missing = [chr(c) for c in range(0x20, 0x7f) if c not in font]
    if missing or 0 not in font:
        sys.exit(f'{path}: not drawn: {" ".join(missing)} or 0x00')
    return font


def write_c(font, path):
    """All 256 glyphs; those not drawn are that of code 0."""
    with open(path, 'w', encoding='ascii') as out:
        out.write('/* Generated from the drawing in tools/font. */\n'
                  '#include "arch/x86/font.h"\n\n'
                  'const uint8_t font_glyphs[FONT_NR_GLYPHS][FONT_HEIGHT] '
                  '= {\n')
        for code in range(256):
            rows = ', '.join(f'0x{b:02x}' for b in font.get(code, font[0]))
            out.write(f'    [0x{code:02x}] = {{ {rows} }},\n')
        out.write('};\n')


def write_png(font, text, path, scale=2):
    """A picture of lines of text, to judge the drawing."""
    lines = text.split('\n')
    width = max(map(len, lines)) * WIDTH * scale
    raw = bytearray()
    for line in lines:
        for y in range(HEIGHT):
            bits = ''.join(f'{font.get(ord(c), font[0])[y]:08b}'
                           for c in line).ljust(width // scale, '0')
            row = b''.join((b'\xc0' if b == '1' else b'\0') * scale
                           for b in bits)
            raw += (b'\0' + row) * scale
    height = len(lines) * HEIGHT * scale

    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data +
                struct.pack('>I', zlib.crc32(kind + data)))
    with open(path, 'wb') as out:
        out.write(b'\x89PNG\r\n\x1a\n' +
                  chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8,
                                             0, 0, 0, 0)) +
                  chunk(b'IDAT', zlib.compress(bytes(raw))) +
                  chunk(b'IEND', b''))


def main(args):
    if len(args) == 4 and args[0] == '--sample':
        write_png(parse(args[1]), args[2], args[3])
    elif len(args) == 2:
        write_c(parse(args[0]), args[1])
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
