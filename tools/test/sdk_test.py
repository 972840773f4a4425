# SPDX-License-Identifier: MIT
"""
The SDK makes programs as they should be: tools/check makes it before.

Skipped when there is no SDK (make sdk).
"""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CC = ROOT / 'build/sdk/bin/portolan-cc'
SAMPLES = sorted((ROOT / 'test/user/qnx').glob('*.c'))
# Functions that may have the instruction; no others talk to the kernel.
STUBS = re.compile(r'portolan_\w+|MsgSend|MsgSendnc|MsgReceive|MsgReply')


def run(*words, **options):
    """Run a command; (status, all that it says)."""
    done = subprocess.run([str(word) for word in words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    return done.returncode, done.stdout


@unittest.skipUnless(CC.exists(), 'no SDK')
class SdkTest(unittest.TestCase):
    """Programs, made in a folder of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def make(self, *words, compiler='gcc', status=0):
        done = subprocess.run(
            [str(CC), *(str(word) for word in words)], cwd=self.folder,
            env={'PATH': '/usr/bin:/bin', 'PORTOLAN_CC': compiler}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def source(self, text, name='a.c'):
        (self.folder / name).write_text(text)

    def assert_good_program(self, path):
        status, said = run('readelf', '-hlW', path)
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r'Type:\s+DYN')
        self.assertNotIn('INTERP', said)
        self.assertNotIn('RWE', said)
        self.assertEqual(run('nm', '-u', path)[1].replace(' ', '').replace(
            'wpthread_cancel\n', ''), '')
        function = None
        for line in run('objdump', '-d', '--no-show-raw-insn',
                        path)[1].splitlines():
            begin = re.fullmatch(r'[0-9a-f]+ <(.*)>:', line)
            if begin:
                function = begin.group(1)
            if re.search(r'\t(syscall|sysenter|int +)', line):
                self.assertRegex(function, STUBS)

    def test_samples_compile_unchanged(self):
        self.assertGreaterEqual(len(SAMPLES), 2)
        for compiler in ('gcc', 'clang'):
            for sample in SAMPLES:
                said = self.make('-Wall', '-Wextra', '-Werror', '-O2', sample,
                                 '-o', 'a', compiler=compiler)
                self.assertEqual(said, '')
                self.assert_good_program(self.folder / 'a')

    def test_programs_of_the_project(self):
        programs = [path for path in (ROOT / 'build/user').rglob('*')
                    if path.is_file()]
        self.assertGreater(len(programs), 3)
        for path in programs:
            self.assert_good_program(path)

    def test_headers_alone(self):
        folder = ROOT / 'build/sdk/include'
        for path in sorted((*folder.glob('portolan/*.h'),
                            *(ROOT / 'user/include/sys').glob('*.h'))):
            name = f'{path.parent.name}/{path.name}'
            self.source(f'#include <{name}>\n#include <{name}>\n')
            for compiler in ('gcc', 'clang'):
                self.make('-std=c11', '-Wall', '-Wextra', '-Werror', '-c',
                          'a.c', compiler=compiler)

    def test_the_compiler_s_own_headers(self):
        self.source('#include <stdatomic.h>\n#include <emmintrin.h>\n'
                    '#include <stdarg.h>\nint main(void) { return 0; }\n')
        for compiler in ('gcc', 'clang'):
            self.make('a.c', compiler=compiler)

    def test_steps(self):
        self.source('#include "b.h"\nint main(void) { return b(); }\n')
        self.source('int b(void);\n', 'b.h')
        self.source('int b(void) { return B; }\n', 'b.c')
        self.make('-c', 'a.c')
        self.make('-c', '-DB=3', '-o', 'c.o', '-MMD', 'b.c')
        self.make('-static', '-pthread', 'a.o', 'c.o', '-lm', '-lpthread',
                  '-o', 'program')
        self.assert_good_program(self.folder / 'program')
        self.assertIn('main', self.make('-E', 'a.c'))
        self.make('-x', 'c', 'a.c', 'b.c', '-D', 'B=1')

    def test_shared_is_refused(self):
        self.source('int x;\n')
        self.assertIn('static programs only',
                      self.make('-shared', 'a.c', status=1))

    def test_undefined_is_an_error(self):
        self.source('int f(void); int main(void) { return f(); }\n')
        self.assertIn('undefined reference', self.make('a.c', status=1))

    def test_errno_values(self):
        self.source('#include <errno.h>\n'
                    '_Static_assert(EOK == 0 && ESRVRFAULT == 312 &&\n'
                    '    ERESTART == 85 && ENOSYS == 38, "");\n')
        self.make('-c', 'a.c')


if __name__ == '__main__':
    unittest.main()
