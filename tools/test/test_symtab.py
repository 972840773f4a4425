# SPDX-License-Identifier: MIT
"""The symbol table: made by tools/symtab.py, read by kern/symtab.c."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'symtab.py'

OTHER = '''
int table_of_things[100] = { 1 };
int far_away(int x);
static inline int
twice(int x)
{
    return x * table_of_things[x & 7];
}
int
far_away(int x)
{
    int sum = 0;

    for (int i = 0; i < x; i++) {
        sum += twice(i);
    }
    return sum;
}
'''

# Prints what symtab_lookup() says of each address it reads.
MAIN = '''
#include <stdio.h>
#include <kern/symtab.h>
#include "src/other.h"
int
main(void)
{
    unsigned long addr;
    struct symtab_entry entry;

    while (scanf("%lx", &addr) == 1) {
        if (symtab_lookup(addr, &entry)) {
            printf("%s+%lx %s:%u\\n", entry.name, (unsigned long)entry.offset,
                   entry.file != NULL ? entry.file : "?", entry.line);
        } else {
            printf("none\\n");
        }
    }
    printf("%zu symbols\\n", symtab_nr_symbols());
    printf("%d\\n", symtab_find("far_away", &addr) && addr == (long)far_away);
    return 0;
}
'''


class SymtabTest(unittest.TestCase):
    """Two links of a host program that carries its own table."""

    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        (self.folder / 'src').mkdir()
        (self.folder / 'src' / 'other.c').write_text(OTHER)
        (self.folder / 'src' / 'other.h').write_text('int far_away(int x);\n')
        (self.folder / 'main.c').write_text(MAIN)

    def tearDown(self):
        self.scratch.cleanup()

    def run_in(self, *command, **options):
        return subprocess.run(command, cwd=self.folder, check=True, text=True,
                              errors='replace',
                              stdout=subprocess.PIPE, **options).stdout

    def symtab(self, *arguments):
        return self.run_in(str(TOOL), *arguments)

    def link(self, compiler, dwarf):
        """Build the program with whatever table is in symtab.S."""
        self.run_in(compiler, f'-gdwarf-{dwarf}', '-O2', '-ffreestanding',
                    '-no-pie', '-fno-pie', '-static', f'-I{ROOT}',
                    '-Wl,--section-start=.symtab_image=0x10000000',
                    '-o', 'program', 'main.c', 'src/other.c', 'symtab.S',
                    str(ROOT / 'kern' / 'symtab.c'))

    def ask(self, addresses):
        text = '\n'.join(f'{address:x}' for address in addresses)
        return self.run_in('./program', input=text).splitlines()

    def bounds(self, name):
        for line in self.run_in('nm', '-S', 'program').splitlines():
            parts = line.split()
            if len(parts) == 4 and parts[3] == name:
                return int(parts[0], 16), int(parts[1], 16)
        raise AssertionError(f'{name} is not in the program')

    def check(self, compiler, dwarf):
        self.symtab('--empty', '-o', 'symtab.S')
        self.link(compiler, dwarf)
        before = self.bounds('far_away')
        self.assertEqual(self.ask([before[0]])[:2], ['none', '0 symbols'])

        self.symtab('program', '-o', 'symtab.S')
        self.link(compiler, dwarf)
        self.assertEqual(self.bounds('far_away'), before)
        start, size = before
        addresses = list(range(start, start + size))
        got = self.ask(addresses)
        self.assertEqual(got[-1], '1')
        wanted = self.run_in(
            'addr2line', '-e', 'program',
            *[f'{address:x}' for address in addresses]).splitlines()
        for address, line, known in zip(addresses, got, wanted):
            place = known.split(' ')[0].replace(f'{self.folder}/', '')
            if place.endswith('?'):
                # Line 0, the compiler's own: ours gives the line before.
                continue
            self.assertEqual(line, f'far_away+{address - start:x} {place}')
        self.assertIn('src/other.c:15', '\n'.join(got))

        data, size = self.bounds('table_of_things')
        self.assertEqual(self.ask([data + 4])[0], 'table_of_things+4 ?:0')
        self.assertEqual(self.ask([1, 2 ** 64 - 1])[:2], ['none', 'none'])

    def test_gcc_dwarf_5(self):
        self.check('gcc', 5)

    def test_gcc_dwarf_4(self):
        self.check('gcc', 4)

    @unittest.skipUnless(shutil.which('clang'), 'no clang')
    def test_clang_dwarf_5(self):
        self.check('clang', 5)

    @unittest.skipUnless(shutil.which('clang'), 'no clang')
    def test_clang_dwarf_4(self):
        self.check('clang', 4)

    def test_damaged_table_is_survived(self):
        """Random bytes in the table: wrong names, but no fault."""
        self.symtab('--empty', '-o', 'symtab.S')
        self.link('gcc', 5)
        self.symtab('program', '-o', 'symtab.S')
        lines = (self.folder / 'symtab.S').read_text().splitlines()
        start, _ = self.bounds('far_away')
        state = 1
        for i, line in enumerate(lines):
            if line.startswith('    .quad') and i > 8:
                words = line[10:].split(', ')
                for k in range(len(words)):
                    state = state * 6364136223846793005 + 1442695040888963407
                    state %= 2 ** 64
                    if state >> 62 == 0:
                        words[k] = hex(state)
                lines[i] = '    .quad ' + ', '.join(words)
        (self.folder / 'symtab.S').write_text('\n'.join(lines) + '\n')
        self.link('gcc', 5)
        self.ask(range(start - 2000, start + 20000, 7))

    def test_refuses_what_is_no_elf(self):
        done = subprocess.run([str(TOOL), str(TOOL), '-o', '/dev/null'],
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)


if __name__ == '__main__':
    unittest.main()
