#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Make the symbol and line table that the kernel carries.

  tools/symtab.py KERNEL.elf -o symtab.S      table of a linked kernel
  tools/symtab.py --empty -o symtab.S         valid, empty: for the first link

The kernel is linked twice.  The table is section .symtab_image, last in the
image and in a segment of its own, so that no address changes between the
links.  Everything is little endian; parts begin at multiples of 8 and are
padded with zeros.

  symtab_header    u32 magic 'PSYM' 0x4d595350, u32 nr_symbols, u32 nr_files,
                   u32 reserved, u64 base
  symtab_symbols   nr_symbols of {u32 offset from base, u32 name, u32 lines},
                   sorted by offset, no two equal
  symtab_files     nr_files of {u32 name}
  symtab_strings   names, each ended by a zero byte; offset 0 is ""
  symtab_lines     line programs
  symtab_end

A symbol reaches to the next one.  One with the empty name stands for a gap: no
symbol covers addresses from there on (the last one is such).  "lines" is an
offset into symtab_lines, 0xffffffff if there is none (data, assembly without
debug information).

A line program describes rows, each valid from its address to the next row's:

  row = ULEB128 address delta
        ULEB128 zigzag(line delta) * 2 + (1 if the file changes)
        ULEB128 file index, present only if the file changes

Deltas are from the row before; the first row's are from the function's
address and from line 0, and it always names its file.  An address delta of
zero anywhere but in the first row ends the program.  zigzag(n) is 2n for n >=
0 and -2n - 1 for n < 0.  Addresses before the first row have no line.
"""

import argparse
import bisect
import os
import posixpath
import struct
import sys
import zlib

MAGIC = 0x4d595350
NO_LINES = 0xffffffff
IMAGE = '.symtab_image'
KERNEL_HALF = 0xffffffff80000000

SHT_SYMTAB, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 2, 4, 0x800
STT_NOTYPE, STT_OBJECT, STT_FUNC = 0, 1, 2


class Section:
    """A section header of an ELF file."""

    def __init__(self, fields):
        (self.name_at, self.type, self.flags, self.address, self.offset,
         self.size, self.link, _, _, _) = fields
        self.name = ''


class Elf:
    """As much of a 64-bit little-endian ELF file as is needed."""

    def __init__(self, data):
        if data[:6] != b'\x7fELF\x02\x01':
            raise ValueError('no 64-bit little-endian ELF file')
        self.data = data
        at, = struct.unpack_from('<Q', data, 40)
        size, count, names = struct.unpack_from('<HHH', data, 58)
        self.sections = [
            Section(struct.unpack_from('<IIQQQQIIQQ', data, at + size * i))
            for i in range(count)]
        strings = self.content(self.sections[names])
        for section in self.sections:
            section.name = text_at(strings, section.name_at)

    def content(self, section):
        """The bytes of a section, unpacked."""
        raw = self.data[section.offset:section.offset + section.size]
        if section.flags & SHF_COMPRESSED:
            return zlib.decompress(raw[24:])
        return raw

    def named(self, name):
        """The bytes of the section called @name, empty if there is none."""
        for section in self.sections:
            if section.name == name:
                return self.content(section)
        return b''

    def symbols(self):
        """(address, size, type, is global, section index, name) of each."""
        for section in self.sections:
            if section.type != SHT_SYMTAB:
                continue
            strings = self.content(self.sections[section.link])
            for entry in struct.iter_unpack('<IBBHQQ', self.content(section)):
                name, info, _, index, value, size = entry
                yield (value, size, info & 15, info >> 4 != 0, index,
                       text_at(strings, name))


def text_at(strings, at):
    """The zero-ended string at offset @at."""
    return strings[at:strings.index(b'\0', at)].decode('utf-8', 'replace')


def uleb(value):
    """Encode a number that is not negative."""
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """A cursor over bytes."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def fixed(self, code):
        """One number of struct format @code."""
        value, = struct.unpack_from('<' + code, self.data, self.at)
        self.at += struct.calcsize('<' + code)
        return value

    def uleb(self):
        """ULEB128."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sleb(self):
        """SLEB128."""
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def text(self):
        """A zero-ended string."""
        end = self.data.index(b'\0', self.at)
        value = self.data[self.at:end].decode('utf-8', 'replace')
        self.at = end + 1
        return value


class LineTables:
    """Reads .debug_line of DWARF 2 to 5 into rows (address, file, line)."""

    def __init__(self, elf, root):
        self.data = elf.named('.debug_line')
        self.line_strings = elf.named('.debug_line_str')
        self.strings = elf.named('.debug_str')
        self.root = root
        self.names = {}
        self.rows = []

    def read(self):
        """All units; rows sorted, the file and line of a gap are None, 0."""
        at = 0
        while at + 4 < len(self.data):
            at = self.unit(at)
        # The end of a sequence gives way to a beginning at the same address.
        self.rows.sort(key=lambda row: (row[0], row[2] is not None))
        return [(address, name, line) for address, line, name in self.rows]

    def path(self, unit_directory, directory, name):
        """A file name relative to the root of the source."""
        key = (unit_directory, directory, name)
        if key not in self.names:
            path = posixpath.normpath(posixpath.join(
                unit_directory, directory, name))
            for prefix in (self.root, unit_directory):
                if prefix and path.startswith(prefix.rstrip('/') + '/'):
                    path = path[len(prefix.rstrip('/')) + 1:]
                    break
            self.names[key] = path
        return self.names[key]

    def entry(self, reader, formats, wide):
        """A directory or file entry of DWARF 5: (name, directory index)."""
        name, index = '', 0
        for content, form in formats:
            if form == 0x08:
                value = reader.text()
            elif form in (0x1f, 0x0e):
                at = reader.fixed('Q' if wide else 'I')
                value = text_at(self.line_strings if form == 0x1f
                                else self.strings, at)
            elif form == 0x0f:
                value = reader.uleb()
            elif form == 0x1e:
                value = reader.at = reader.at + 16
            elif form == 0x09:
                value = reader.uleb()
                reader.at += value
            elif form in (0x0b, 0x05, 0x06, 0x07):
                value = reader.fixed({0x0b: 'B', 0x05: 'H', 0x06: 'I',
                                      0x07: 'Q'}[form])
            else:
                raise ValueError(f'line table: unknown form {form:#x}')
            if content == 1:
                name = value
            elif content == 2:
                index = value
        return name, index

    def tables_5(self, reader, wide):
        """Directories and files of a DWARF 5 header."""
        lists = []
        for _ in range(2):
            formats = [(reader.uleb(), reader.uleb())
                       for _ in range(reader.fixed('B'))]
            lists.append([self.entry(reader, formats, wide)
                          for _ in range(reader.uleb())])
        directories = [name for name, _ in lists[0]]
        here = directories[0] if directories else ''
        return [self.path(here, directories[index], name)
                for name, index in lists[1]]

    def tables_4(self, reader):
        """Directories and files of a DWARF 2 to 4 header."""
        directories = ['']
        while reader.data[reader.at]:
            directories.append(reader.text())
        reader.at += 1
        files = ['']
        while reader.data[reader.at]:
            name, index = reader.text(), reader.uleb()
            reader.uleb()
            reader.uleb()
            files.append(self.path('', directories[index], name))
        return files

    def unit(self, at):
        """One unit's header and program; returns where the next begins."""
        reader = Reader(self.data, at)
        length = reader.fixed('I')
        wide = length == 0xffffffff
        if wide:
            length = reader.fixed('Q')
        end = reader.at + length
        version = reader.fixed('H')
        if version > 5:
            return end
        if version == 5:
            reader.at += 2
        header = reader.fixed('Q' if wide else 'I')
        program = reader.at + header
        scale = reader.fixed('B')
        if version >= 4:
            reader.at += 1
        reader.at += 1
        base, span = reader.fixed('b'), reader.fixed('B')
        lengths = [0] + [reader.fixed('B')
                         for _ in range(reader.fixed('B') - 1)]
        files = (self.tables_5(reader, wide) if version == 5
                 else self.tables_4(reader))
        self.program(Reader(self.data, program), end, files,
                     (scale, base, span, lengths))
        return end

    def program(self, reader, end, files, parameters):
        """Run a line number program."""
        scale, base, span, lengths = parameters
        opcodes = len(lengths)
        data = self.data
        emit = self.rows.append
        address, index, line = 0, 1, 1
        while reader.at < end:
            code = data[reader.at]
            reader.at += 1
            if code >= opcodes:
                code -= opcodes
                address += code // span * scale
                line += base + code % span
                emit((address, line, files[index]))
            elif code == 1:
                emit((address, line, files[index]))
            elif code == 2:
                address += reader.uleb() * scale
            elif code == 3:
                line += reader.sleb()
            elif code == 4:
                index = reader.uleb()
            elif code == 8:
                address += (255 - opcodes) // span * scale
            elif code == 9:
                address += reader.fixed('H')
            elif code == 0:
                size = reader.uleb()
                following = reader.at + size
                sub = data[reader.at]
                if sub == 1:
                    emit((address, 0, None))
                    address, index, line = 0, 1, 1
                elif sub == 2:
                    address, = struct.unpack_from('<Q', data, reader.at + 1)
                reader.at = following
            else:
                for _ in range(lengths[code]):
                    reader.uleb()


def wanted(elf):
    """
    [(address, size, name, is function)] sorted, one for each address; gaps
    have an empty name.
    """
    best = {}
    high = any(symbol[0] >= KERNEL_HALF for symbol in elf.symbols())
    ends = set()
    for address, size, kind, is_global, index, name in elf.symbols():
        if not 0 < index < len(elf.sections) or not name:
            continue
        section = elf.sections[index]
        code = bool(section.flags & SHF_EXECINSTR)
        if (not section.flags & SHF_ALLOC or section.name == IMAGE
                or high and address < KERNEL_HALF
                or name.startswith(('.L', '$', '__asan_', '__pfx_'))):
            continue
        if kind not in (STT_FUNC, STT_OBJECT) and not (
                kind == STT_NOTYPE and code):
            continue
        end = section.address + section.size
        if address >= end:
            continue
        ends.add(end)
        rank = (kind != STT_NOTYPE, is_global, size, name)
        if address not in best or rank > best[address][0]:
            best[address] = (rank, size, name, code)
    found = [(address, size, name, code)
             for address, (_, size, name, code) in best.items()]
    found += [(end, 0, '', False) for end in ends if end not in best]
    return sorted(found)


def line_program(start, rows, file_index):
    """Encode @rows, [(address, file, line)], of the function at @start."""
    out = bytearray()
    address, name, line = start, None, 0
    for row_address, row_name, row_line in rows:
        if (row_name, row_line) == (name, line):
            continue
        if out and row_address == address:
            raise ValueError('two rows at one address')
        delta = row_line - line
        zigzag = 2 * delta if delta >= 0 else -2 * delta - 1
        out += uleb(row_address - address)
        out += uleb(zigzag * 2 + (row_name != name))
        if row_name != name:
            out += uleb(file_index(row_name))
        address, name, line = row_address, row_name, row_line
    return bytes(out) + b'\0' if out else b''


class Table:
    """The parts of the table, grown symbol by symbol."""

    def __init__(self):
        self.strings = bytearray(b'\0')
        self.known = {'': 0}
        self.files = {}
        self.lines = bytearray()
        self.symbols = []
        self.base = 0

    def string(self, text):
        """Offset of @text among the strings."""
        if text not in self.known:
            self.known[text] = len(self.strings)
            self.strings += text.encode() + b'\0'
        return self.known[text]

    def file(self, name):
        """Index of file @name."""
        return self.files.setdefault(name, len(self.files))

    def fill(self, symbols, rows):
        """Take @symbols of wanted() and all @rows of the line tables."""
        addresses = [row[0] for row in rows]
        self.base = symbols[0][0] if symbols else 0
        for i, (address, size, name, code) in enumerate(symbols):
            if address - self.base > 0xffffffff:
                raise ValueError(f'{name}: too far from the first symbol')
            at = NO_LINES
            if code and i + 1 < len(symbols):
                end = symbols[i + 1][0]
                if size:
                    end = min(end, address + size)
                encoded = line_program(
                    address, inside(rows, addresses, address, end), self.file)
                if encoded:
                    at = len(self.lines)
                    self.lines += encoded
            self.symbols.append((address - self.base, self.string(name), at))

    def parts(self):
        """(label, bytes) in order."""
        names = b''.join(struct.pack('<I', self.string(name))
                         for name in self.files)
        symbols = b''.join(struct.pack('<III', *s) for s in self.symbols)
        header = struct.pack('<IIIIQ', MAGIC, len(self.symbols),
                             len(self.files), 0, self.base)
        return [('symtab_header', header), ('symtab_symbols', symbols),
                ('symtab_files', names),
                ('symtab_strings', bytes(self.strings)),
                ('symtab_lines', bytes(self.lines))]


def inside(rows, addresses, start, end):
    """The rows that matter between @start and @end, one for an address."""
    first = bisect.bisect_right(addresses, start) - 1
    last = bisect.bisect_left(addresses, end)
    chosen = []
    for address, name, line in rows[max(first, 0):last]:
        # Line 0 is the compiler's own code: as the line before.
        if name is None or line == 0:
            continue
        address = max(address, start)
        if chosen and chosen[-1][0] == address:
            chosen.pop()
        chosen.append((address, name, line))
    return chosen


def assembler(parts):
    """The text of symtab.S."""
    out = ['/* SPDX-License-Identifier: MIT */',
           '/* Made by tools/symtab.py; do not edit. */',
           f'    .section {IMAGE}, "a", @progbits']
    for label, data in parts:
        out += ['    .balign 8', f'    .globl {label}', f'{label}:']
        data += b'\0' * (-len(data) % 8)
        words = struct.unpack(f'<{len(data) // 8}Q', data)
        for i in range(0, len(words), 8):
            out.append('    .quad ' + ', '.join(map(hex, words[i:i + 8])))
    out += ['    .globl symtab_end', 'symtab_end:',
            '    .section .note.GNU-stack, "", @progbits', '']
    return '\n'.join(out)


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/symtab.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('elf', nargs='?', help='the linked kernel')
    add('-o', '--output', required=True, metavar='FILE.S')
    add('--empty', action='store_true')
    add('--root', default=os.getcwd(), metavar='DIR',
        help='root of the source, default the current folder')
    add('--stats', action='store_true', help='print the sizes of the parts')
    args = parser.parse_args()
    table = Table()
    if not args.empty:
        if args.elf is None:
            parser.error('an ELF file or --empty is needed')
        try:
            with open(args.elf, 'rb') as file:
                elf = Elf(file.read())
            table.fill(wanted(elf), LineTables(elf, args.root).read())
        except (OSError, ValueError, IndexError, struct.error) as problem:
            print(f'symtab: {args.elf}: {problem}', file=sys.stderr)
            return 1
    parts = table.parts()
    if args.stats:
        for label, data in parts:
            print(f'{label:16} {len(data):8}')
    with open(args.output, 'w', encoding='ascii') as file:
        file.write(assembler(parts))
    return 0


if __name__ == '__main__':
    sys.exit(main())
