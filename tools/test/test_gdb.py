# SPDX-License-Identifier: MIT
"""The gdb helpers, on a host program with the same structures."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = '''
#include <stdint.h>
struct list { struct list *prev, *next; };
struct thing { int number; struct list node; };
struct list head = { &head, &head };
struct thing a = { 7, { 0, 0 } }, b = { 9, { 0, 0 } };
struct record { uint64_t sequence, time; char text[32]; };
struct { struct record records[4]; } log_ring = {
    .records = { { 5, 2000003000, "second" }, { 4, 1000001000, "first" } },
};
void add(struct thing *t);
void add(struct thing *t)
{
    t->node.prev = head.prev;
    t->node.next = &head;
    head.prev->next = &t->node;
    head.prev = &t->node;
}
int main(void)
{
    add(&a);
    add(&b);
    return 0;
}
'''


@unittest.skipUnless(shutil.which('gdb'), 'no gdb')
class GdbTest(unittest.TestCase):
    """Commands and what they print."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.scratch.name)
        (folder / 'p.c').write_text(PROGRAM)
        self.program = folder / 'p'
        subprocess.run(['gcc', '-g', '-O0', '-no-pie', '-o', self.program,
                        folder / 'p.c'], check=True)

    def tearDown(self):
        self.scratch.cleanup()

    def gdb(self, *commands):
        """The last part of what gdb prints for @commands."""
        line = ['gdb', '-nx', '-batch', '-ex', 'set confirm off', '-ex',
                f'source {ROOT}/tools/gdb/portolan.py', '-ex',
                f'break {self.program.name}.c:24', '-ex', 'run']
        for command in commands:
            line += ['-ex', command]
        done = subprocess.run(line + [str(self.program)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              check=False)
        if 'ptrace' in done.stderr:
            self.skipTest('no ptrace here')
        return done.stdout + done.stderr

    def test_list(self):
        said = self.gdb('portolan list head thing node @->number')
        self.assertRegex(said, r'0x\w+ 7\n0x\w+ 9\n2 elements')

    def test_list_broken(self):
        said = self.gdb('set variable b.node.next = 0',
                        'portolan list head thing node @->number')
        self.assertIn('null pointer', said)

    def test_log(self):
        said = self.gdb('portolan log')
        self.assertIn('[    1.000001] first\n[    2.000003] second', said)

    def test_cpus(self):
        self.assertIn('* cpu 0: 0x', self.gdb('portolan cpus'))


if __name__ == '__main__':
    unittest.main()
