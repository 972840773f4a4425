# SPDX-License-Identifier: MIT
"""What tools/run and tools/mkimage work out without an emulator."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOOLS))

from host import archive, cmdline, image, qmp, script, verdict


class CommandLineTest(unittest.TestCase):
    """Words, and their encoding."""

    def test_split(self):
        self.assertEqual(cmdline.split(' a  b=c '), ['a', 'b=c'])
        self.assertEqual(cmdline.split('a "b  c" d'), ['a', 'b  c', 'd'])
        self.assertEqual(cmdline.split(r"a\b $x;'y \"z"),
                         [r'a\b', "$x;'y", '"z'])
        self.assertEqual(cmdline.split('5" wide'), ['5"', 'wide'])
        self.assertEqual(cmdline.split('""'), [''])

    def test_encode(self):
        self.assertEqual(cmdline.encode(['a b', 'c"d', "e'f\\"]),
                         '"a b" c\\"d e\\\'f\\\\')

    def test_encoding_is_decoded_by_split(self):
        words = ['plain', 'with space', '"', '\\', 'a\\"b']
        self.assertEqual(cmdline.split(cmdline.encode(words)), words)

    def test_init(self):
        self.assertEqual(cmdline.with_init(['a'], 'p', ['x', 'y']),
                         ['a', 'init=p', '--', 'x', 'y'])
        self.assertEqual(cmdline.with_init(['a', '--', 'b'], 'p', []),
                         ['a', 'init=p', '--', 'b'])


class ImageTest(unittest.TestCase):
    """The command line inside an image."""

    def make(self, folder, words):
        iso = pathlib.Path(folder) / 'a.iso'
        iso.write_bytes(b'\0' * 4096 + image.configuration(
            '/boot/portolan.elf', words, ['a b']) + b'\xff' * 4096)
        return iso

    def test_append(self):
        with tempfile.TemporaryDirectory() as folder:
            iso = self.make(folder, ['x', '--', 'arg'])
            before = iso.read_bytes()
            copy = image.with_append(iso, 'y $z', pathlib.Path(folder))
            after = copy.read_bytes()
            self.assertEqual(len(before), len(after))
            self.assertEqual(iso.read_bytes(), before)
            self.assertIn(b"portolan.elf x y '$z' -- arg  ", after)
            self.assertEqual(image.with_append(iso, ' ', None), iso)

    def test_append_too_long(self):
        with tempfile.TemporaryDirectory() as folder:
            iso = self.make(folder, [])
            with self.assertRaises(ValueError):
                image.with_append(iso, 'x' * image.ROOM, pathlib.Path(folder))

    def test_foreign_image(self):
        with tempfile.NamedTemporaryFile() as foreign:
            with self.assertRaises(ValueError):
                image.with_append(foreign.name, 'y', None)


class ArchiveTest(unittest.TestCase):
    """What cpio makes of a pack of modules."""

    def test_cpio_format_and_alignment(self):
        with tempfile.TemporaryDirectory() as folder:
            modules = []
            for name, size in [('init', 5), ('a' * 100, 4096), ('e', 0)]:
                path = pathlib.Path(folder) / name
                path.write_bytes(name[:1].encode() * size)
                modules.append((name, path))
            packed = archive.pack(modules)
        at = 0
        for name, path in modules + [('TRAILER!!!', None)]:
            self.assertEqual(packed[at:at + 6], archive.MAGIC)
            fields = [int(packed[at + 6 + 8 * i:at + 14 + 8 * i], 16)
                      for i in range(13)]
            size, namesize = fields[6], fields[11]
            start = at + archive.HEADER
            self.assertEqual(packed[start:start + namesize].rstrip(b'\0'),
                             name.encode())
            data = start + namesize
            if path is not None:
                self.assertEqual(data % archive.PAGE, 0)
            at = data + size + -size % 4


class ScriptTest(unittest.TestCase):
    """The language of dialogues."""

    def test_parse(self):
        self.assertEqual(script.parse('# no\n\nsend a b \n'),
                         [(3, 'send', 'a b')])
        for wrong in ['sned a', 'end sometime', 'wait long']:
            with self.assertRaises(script.ScriptError):
                script.parse(wrong)

    def test_unescape(self):
        self.assertEqual(script.unescape(r'\x01x\\n\r'), '\x01x\\n\r')

    def test_keys(self):
        self.assertEqual(qmp.key_combos('aB<ret><ctrl-c>|<lt>'),
                         [['a'], ['shift', 'b'], ['ret'], ['ctrl', 'c'],
                          ['shift', 'backslash'], ['shift', 'comma']])


class VerdictTest(unittest.TestCase):
    """The text decides where exit codes do not exist."""

    def test_from_text(self):
        done = b'# done: 2 passed, %d failed, 0 skipped\r\n'
        self.assertIsNone(verdict.from_text(b'hello\n'))
        self.assertEqual(verdict.from_text(b'x\n' + done % 0), verdict.PASSED)
        self.assertEqual(verdict.from_text(done % 1), verdict.FAILED)
        self.assertEqual(verdict.from_text(done % 0 + b'PANIC: x\n'),
                         verdict.PANIC)
        self.assertIsNone(verdict.from_text(b'[ 0.1] a PANIC: x\n'))


class UsageTest(unittest.TestCase):
    """Usage errors have a status of their own."""

    def status(self, *command):
        return subprocess.run([str(TOOLS / command[0]), *command[1:]],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              check=False).returncode

    def test_usage(self):
        self.assertEqual(self.status('run'), 4)
        self.assertEqual(self.status('run', '--iso', '/nonexistent'), 4)
        self.assertEqual(self.status('run', '--kernel', __file__,
                                     '--smp', 'many'), 4)
        self.assertEqual(self.status('run', '--kernel', __file__,
                                     '--qemu', '/nonexistent'), 4)
        self.assertEqual(self.status('mkimage', '-o', 'x.iso', '--kernel',
                                     '/nonexistent'), 4)
        self.assertEqual(self.status('run', '--help'), 0)
        self.assertEqual(self.status('mkimage', '--help'), 0)

    def test_emulator_ends_before_it_answers(self):
        for code, expected in ((33, 0), (35, 1), (37, 2), (1, 4)):
            with self.subTest(code=code):
                with tempfile.TemporaryDirectory() as folder:
                    fake = pathlib.Path(folder) / 'emulator'
                    fake.write_text(f'#!/bin/sh\nexit {code}\n',
                                    encoding='ascii')
                    fake.chmod(0o755)
                    self.assertEqual(
                        self.status('run', '--kernel', __file__, '--quiet',
                                    '--qemu', str(fake)), expected)


if __name__ == '__main__':
    unittest.main()
