# SPDX-License-Identifier: MIT
"""tools/syscalls.py makes what the table says, and finds what is wrong."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/syscalls.py'
TABLE = '''\
# A comment.
0 ready null none ()
    Do nothing.
3 ready copy size (right to, in data[bytes],
    size bytes, inout? options:msg_options)
    Copy.
20 planned ask right (flags:RIGHT flags, out info:iov[count], u32 count)
    Ask.
21 ready leave never (int status)
    Leave.
'''
WARN = ['-std=gnu11', '-Wall', '-Wextra', '-Wmissing-prototypes', '-Werror',
        '-O2', '-c', '-o', '/dev/null']
# What the table of the kernel needs of contracts.
USER_H = '''\
#define USER_NR_FAST_CALLS 16
typedef long (*user_call_fn_t)(unsigned long, unsigned long, unsigned long,
                               unsigned long, unsigned long, unsigned long);
'''


class SyscallsTest(unittest.TestCase):
    """A table of a few calls, in a tree of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / 'ipc').mkdir()
        shutil.copytree(ROOT / 'include/portolan', self.root / 'portolan')
        shutil.copy(ROOT / 'ipc/call.h', self.root / 'ipc')
        (self.root / 'arch').mkdir()
        (self.root / 'arch/user.h').write_text(USER_H)
        self.table(TABLE)

    def table(self, text):
        (self.root / 'ipc/syscalls.tbl').write_text(text)

    def run_with(self, *words):
        done = subprocess.run([str(TOOL), '--root', str(self.root), *words],
                              text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def generate(self):
        self.assertEqual(self.run_with('--gen', str(self.root)), (0, ''))

    def made(self, name):
        return ' '.join((self.root / name).read_text().split())

    def compile(self, name):
        for compiler in ('gcc', 'clang'):
            done = subprocess.run(
                [compiler, *WARN, '-I', str(self.root), str(self.root / name)],
                text=True, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

    def refuses(self, line, word):
        self.table(TABLE + line)
        status, said = self.run_with('--gen', str(self.root))
        self.assertEqual(status, 1)
        self.assertIn(word, said)
        self.assertIn('line 11', said)

    def test_numbers(self):
        self.generate()
        text = self.made('portolan/call_nr.h')
        self.assertIn('#define PORTOLAN_CALL_COPY 3 ', text)
        self.assertIn('#define PORTOLAN_NR_CALLS 22 ', text)

    def test_prototypes_for_programs(self):
        self.generate()
        text = self.made('portolan/calls.h')
        self.assertIn('long portolan_copy(int to, const void *data, '
                      'size_t bytes, struct portolan_msg_options *options);',
                      text)
        self.assertIn('struct portolan_iov *info, uint32_t count);', text)
        self.assertIn('noreturn)) void portolan_leave(int status);', text)
        self.assertIn('long portolan_null(void);', text)

    def test_planned_calls_have_no_function(self):
        self.generate()
        header = self.made('ipc/calls.h')
        self.assertIn('long call_copy(uint32_t to, uintptr_t data, '
                      'size_t bytes, uintptr_t options);', header)
        self.assertNotIn('call_ask', header)
        table = self.made('ipc/calls.c')
        self.assertIn('[20] = call_none, [PORTOLAN_CALL_LEAVE] = '
                      'CALL(call_leave),', table)
        self.assertIn('{ "data", CALL_ARG_IN, 2 }', table)

    def test_compiles(self):
        self.generate()
        for name in ('ipc/calls.c', 'user/calls.S'):
            self.compile(name)
        (self.root / 'use.c').write_text('#include <portolan/calls.h>\n'
                                         '#include <ipc/calls.h>\n')
        self.compile('use.c')

    def test_stubs_move_the_fourth_argument(self):
        self.generate()
        stub = self.root / 'calls.o'
        subprocess.run(['gcc', '-c', '-I', str(self.root), '-o', str(stub),
                        str(self.root / 'user/calls.S')], check=True)
        code = subprocess.run(['objdump', '-d', str(stub)], check=True,
                              text=True, capture_output=True).stdout
        self.assertEqual(code.count('syscall'), 4)
        self.assertEqual(code.count('%rcx,%r10'), 1)

    def test_pages_are_made_once(self):
        self.assertEqual(self.run_with('--doc'), (0, ''))
        self.assertEqual(self.run_with('--check'), (0, ''))
        page = self.root / 'doc/man/copy.2.md'
        page.write_text('long portolan_copy(int)')
        self.run_with('--doc')
        self.assertEqual(page.read_text(), 'long portolan_copy(int)')

    def test_old_pages_are_found(self):
        self.run_with('--doc')
        self.table(TABLE.replace('planned', 'ready'))
        self.assertIn('doc/syscalls.md is old', self.run_with('--check')[1])
        self.table(TABLE + '22 ready more none ()\n    More.\n')
        self.assertIn('more has no page', self.run_with('--check')[1])
        self.table(TABLE.replace(' leave ', ' go '))
        self.assertIn('leave.2.md: there is no such call',
                      self.run_with('--check')[1])

    def test_numbers_rise(self):
        self.refuses('21 ready more none () More.\n', 'numbers must rise')

    def test_names_are_unique(self):
        self.refuses('22 ready copy none () More.\n', 'copy is there twice')

    def test_memory_has_a_size(self):
        self.refuses('22 ready more none (in x) More.\n', 'how much memory')
        self.refuses('22 ready more none (in x[y]) More.\n', '[y] is no arg')

    def test_words_are_known(self):
        self.refuses('22 maybe more none () More.\n', 'maybe is no state')
        self.refuses('22 ready more thing () More.\n', 'thing is nothing')
        self.refuses('22 ready more none (thing x) More.\n', 'is no argument')
        self.refuses('22 ready more none (flags x) More.\n', 'have a prefix')
        self.refuses('22 ready more none () More\n', 'does not end')
        self.refuses('22 ready more\n', 'not NUMBER STATE')

    def test_six_arguments_at_most(self):
        self.refuses('22 ready more none (int a, int b, int c, int d, int e, '
                     'int f, int g) More.\n', 'too many')


if __name__ == '__main__':
    unittest.main()
