# SPDX-License-Identifier: MIT
"""
Several boot modules in one file, for loaders that take only one.

The format is cpio "newc" (magic 070701, all numbers eight hexadecimal
digits): for each module a header of 110 bytes, its name, its bytes; last an
entry named TRAILER!!!.  Names are followed by as many zero bytes (counted in
namesize, as the format allows) as bring the bytes of the module to a multiple
of 4096 from the start of the archive, so that a module is page aligned if the
archive is.
"""

import pathlib

MAGIC = b'070701'
PAGE = 4096
HEADER = 110


def _header(ino, size, namesize):
    fields = [ino, 0o100644, 0, 0, 1, 0, size, 0, 0, 0, 0, namesize, 0]
    return MAGIC + b''.join(b'%08x' % field for field in fields)


def _entry(at, ino, name, data):
    name = name.encode() + b'\0'
    end = at + HEADER + len(name)
    name += b'\0' * (-end % PAGE)
    out = _header(ino, len(data), len(name)) + name + data
    return out + b'\0' * (-len(out) % 4)


def pack(modules):
    """Return the archive of @modules, a list of (name, path)."""
    out = bytearray()
    for ino, (name, path) in enumerate(modules, 1):
        out += _entry(len(out), ino, name, pathlib.Path(path).read_bytes())
    out += _entry(len(out), 0, 'TRAILER!!!', b'')
    return bytes(out)
