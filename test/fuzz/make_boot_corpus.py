#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the seeds of the multiboot2, pvh and acpi fuzz targets.

Usage: make_boot_corpus.py [DIRECTORY]      (default: corpus, beside this file)

The seeds follow what GRUB, SeaBIOS, OVMF and microvm hand over.
"""
import pathlib
import struct
import sys

BASE = 0x1000


def tag(kind, payload):
    size = 8 + len(payload)
    return struct.pack('<II', kind, size) + payload + bytes(-size % 8)


def mbi(*tags):
    body = b''.join(tags) + tag(0, b'')
    return struct.pack('<II', 8 + len(body), 0) + body


def mem_map(entries):
    return b''.join(struct.pack('<QQII', base, size, kind, 0)
                    for base, size, kind in entries)


def checksum(data, at, size):
    data = bytearray(data)
    data[at] = 0
    data[at] = -sum(data[:size]) & 0xff
    return bytes(data)


def rsdp(revision, rsdt, xsdt):
    data = struct.pack('<8sB6sBIIQI', b'RSD PTR ', 0, b'BOCHS ', revision,
                       rsdt, 36, xsdt, 0)
    return checksum(checksum(data, 8, 20), 32, 36)


def table(signature, revision, body):
    data = struct.pack('<4sIBB6s8sIII', signature, 36 + len(body), revision,
                       0, b'BOCHS ', b'BXPC    ', 1, 0x43505842, 1) + body
    return checksum(data, 9, len(data))


BIOS_MAP = [(0, 0x9fc00, 1), (0x9fc00, 0x400, 2), (0xf0000, 0x10000, 2),
            (0x100000, 0xfee0000, 1), (0xffe0000, 0x20000, 2),
            (0xb0000000, 0x10000000, 2), (0xfd00000000, 0x300000000, 2)]
UEFI_MAP = [(0, 0xa0000, 1), (0x100000, 0x700000, 1), (0x800000, 0x8000, 4),
            (0x808000, 0x3000, 1), (0xe63f000, 0x180000, 20),
            (0xe8ef000, 0x12000, 3)]


def multiboot2_bios():
    rgb = struct.pack('<QIIIBBH6B', 0xfd000000, 4096, 1024, 768, 32, 1, 0,
                      16, 8, 8, 8, 0, 8)
    return mbi(tag(21, struct.pack('<I', 0x100000)), tag(1, b'test exit\0'),
               tag(2, b'GRUB 2.06-13+deb12u2\0'),
               tag(3, struct.pack('<II', 0x115000, 0x116000) + b'init -v\0'),
               tag(4, struct.pack('<II', 639, 261120)), tag(5, bytes(12)),
               tag(6, struct.pack('<II', 24, 0) + mem_map(BIOS_MAP)),
               tag(8, rgb), tag(9, bytes(52)), tag(10, bytes(20)),
               tag(14, rsdp(0, 0xffe2000, 0)[:20]))


def multiboot2_uefi(with_map):
    efi = struct.pack('<II', 48, 1)
    for kind, base, pages in [(7, 0, 160), (2, 0x100000, 64), (4, 0x200000, 9),
                              (6, 0x300000, 3), (9, 0x400000, 1), (10, 0x500000, 1)]:
        efi += struct.pack('<IIQQQQQ', kind, 0, base, 0, pages, 15, 0)
    tags = [tag(1, b'\0'), tag(12, struct.pack('<Q', 0xf9ee018)),
            tag(15, rsdp(2, 0xfb7e014, 0xfb7e0e8)), tag(17, efi)]
    if with_map:
        tags.append(tag(6, struct.pack('<II', 24, 0) + mem_map(UEFI_MAP)))
    return mbi(*tags)


def pvh(version):
    cmdline = b'loglevel=7 test=acpi.*\0'
    entries = mem_map([(0x100000, 0xff00000, 1), (0, 0, 0), (0, 0x9fc00, 1)])
    names = b'initrd two\0'
    at = BASE + 56
    parts = {}
    for name, part in (('cmdline', cmdline), ('map', entries),
                       ('names', names), ('rsdp', rsdp(2, 0x1234, 0x5678)),
                       ('modules', bytes(64))):
        parts[name] = at
        at += len(part)
    modules = struct.pack('<QQQQQQQQ', 0x4000000, 0x1000, parts['names'], 0,
                          0x4100000, 0x2000, 0, 0)
    start = struct.pack('<IIIIQQQQII', 0x336ec578, version, 0, 2,
                        parts['modules'], parts['cmdline'], parts['rsdp'],
                        parts['map'], 3, 0)
    return start + cmdline + entries + names + rsdp(2, 0x1234, 0x5678) + modules


def madt():
    body = struct.pack('<II', 0xfee00000, 1)
    for i in range(3):
        body += struct.pack('<BBBBI', 0, 8, i, i, 1)
    body += struct.pack('<BBHIII', 9, 16, 0, 256, 1, 256)
    body += struct.pack('<BBBBII', 1, 12, 0, 0, 0xfec00000, 0)
    body += struct.pack('<BBBBIH', 2, 10, 0, 0, 2, 0)
    body += struct.pack('<BBHI', 3, 8, 5, 23)
    body += struct.pack('<BBBHB', 4, 6, 255, 0, 1)
    body += struct.pack('<BBHQ', 5, 12, 0, 0xfee00000)
    body += struct.pack('<BBHIBBBB', 10, 12, 0, 0xffffffff, 1, 0, 0, 0)
    return table(b'APIC', 3, body)


def fadt(revision, size, dsdt):
    data = bytearray(276)
    struct.pack_into('<I', data, 40, dsdt)
    struct.pack_into('<H', data, 46, 9)
    struct.pack_into('<I', data, 64, 0x604)
    struct.pack_into('<I', data, 76, 0x608)
    data[89], data[91] = 2, 4
    struct.pack_into('<HxI', data, 109, 2, 0x84a5)
    struct.pack_into('<BBBBQB', data, 116, 1, 8, 0, 0, 0xcf9, 15)
    struct.pack_into('<BBBBQ', data, 208, 1, 32, 0, 0, 0x608)
    return table(b'FACP', revision, bytes(data[36:size]))


def srat():
    body = struct.pack('<IQ', 1, 0)
    body += struct.pack('<BBBBIB3sI', 0, 16, 1, 0, 1, 0, b'\0\0\0', 0)
    body += struct.pack('<BBHIIIII', 2, 24, 0, 1, 256, 1, 0, 0)
    for base, size in ((0, 0xa0000), (0x100000, 0x1ff00000), (0, 0)):
        body += struct.pack('<BBIHQQIIQ', 1, 40, 0, 0, base, size, 0, 1, 0)
    return table(b'SRAT', 3, body)


def dsdt():
    s5 = b'\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00'
    return table(b'DSDT', 1, b'\x10\x05\\_S5_' + s5 + bytes(8))


def acpi(revision, fadt_size, extra=()):
    """Tables behind the root pointer, one byte apart: not aligned."""
    at = 36
    data = bytearray()
    listed = []

    def put(part, is_listed=True):
        nonlocal at
        where = BASE + at
        data.extend(part + b'\0')
        at += len(part) + 1
        if is_listed:
            listed.append(where)
        return where

    where = put(dsdt(), False)
    put(fadt(revision, fadt_size, where))
    put(madt())
    put(table(b'HPET', 1, struct.pack('<IBBBBQBHB', 0x8086a201, 0, 64, 0, 0,
                                      0xfed00000, 0, 100, 0)))
    put(srat())
    put(table(b'SLIT', 1, struct.pack('<Q4B', 2, 10, 20, 20, 10)))
    put(table(b'MCFG', 1, struct.pack('<QQHBBI', 0, 0xb0000000, 0, 0, 255, 0)))
    listed.extend(extra)
    if revision < 2:
        body = b''.join(struct.pack('<I', phys) for phys in listed)
        return rsdp(0, put(table(b'RSDT', 1, body)), 0) + bytes(data)
    listed.append(BASE + at)
    body = b''.join(struct.pack('<Q', phys) for phys in listed)
    return rsdp(2, 0, put(table(b'XSDT', 1, body))) + bytes(data)


SEEDS = {
    'multiboot2/bios': multiboot2_bios(),
    'multiboot2/uefi': multiboot2_uefi(True),
    'multiboot2/efi_map_only': multiboot2_uefi(False),
    'pvh/version0': pvh(0),
    'pvh/version1': pvh(1),
    'acpi/revision1': acpi(1, 116),
    'acpi/revision3': acpi(3, 244),
    'acpi/revision6_cyclic': acpi(6, 276, (0, BASE + 36, 2**64 - 8)),
}


def main():
    here = pathlib.Path(__file__).resolve().parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / 'corpus'
    for name, data in SEEDS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == '__main__':
    main()
