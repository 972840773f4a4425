# SPDX-License-Identifier: MIT
"""tools/layers.py finds each kind of climbing include, and cycles."""

import pathlib
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / 'layers.py'

GOOD = {
    'lib/list.h': '#include <stddef.h>\n',
    'lib/list.c': '#include <lib/list.h>\n',
    'include/arch/trap.h': '#include <lib/list.h>\n',
    'arch/x86/trap.h': '#include <arch/trap.h>\n',
    'arch/x86/trap.c': '#include "trap.h"\n#include <kern/thread.h>\n',
    'kern/thread.h': '#include <arch/trap.h>\n#include <lib/list.h>\n',
    'kern/thread.c': '/* #include <vm/space.h> */\n'
                     '#include <kern/thread.h>\n',
    'vm/space.h': '#include <kern/thread.h>\n',
    'ipc/port.c': '#include <vm/space.h>\n',
    'test/kern/thread_test.c': '#include <stdio.h>\n#include <vm/space.h>\n',
    'tools/layers.ratchet': '# numbers\nheaders 1\nmodules 1\n',
}


class LayersTest(unittest.TestCase):
    """A small tree, broken in one place."""

    def run_on(self, changes):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {**GOOD, **changes}.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run([str(TOOL), '--root', folder], text=True,
                                  capture_output=True, check=False)
        return done.returncode, done.stdout

    def fails(self, path, text, word):
        status, said = self.run_on({path: GOOD.get(path, '') + text})
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)

    def test_good(self):
        self.assertEqual(self.run_on({}), (0, ''))

    def test_no_sources(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([str(TOOL), '--root', folder],
                                  capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)

    def test_lib_includes_kern(self):
        self.fails('lib/list.c', '#include <kern/thread.h>\n',
                   'lib/list.c:2: lib may not include kern')

    def test_kern_includes_vm(self):
        self.fails('kern/thread.c', '#  include <vm/space.h>\n',
                   'kern may not include vm')

    def test_vm_includes_ipc(self):
        self.fails('vm/space.h', '#include <ipc/port.h>\n',
                   'vm may not include ipc')

    def test_test_is_seen_by_nothing(self):
        self.fails('kern/thread.c', '#include <test/test.h>\n',
                   'kern may not include test')

    def test_contract_includes_kern(self):
        self.fails('include/arch/trap.h', '#include <kern/thread.h>\n',
                   'arch may not include kern')

    def test_private_header_includes_kern(self):
        self.fails('arch/x86/trap.h', '#include <kern/thread.h>\n',
                   'private may not include kern')

    def test_kern_includes_private(self):
        self.fails('kern/thread.c', '#include <arch/x86/trap.h>\n',
                   'kern may not include private')

    def test_quotes_across_folders(self):
        self.fails('kern/thread.c', '#include "../arch/x86/trap.h"\n',
                   'another folder')

    def test_foreign_header(self):
        self.fails('kern/thread.c', '#include <stdio.h>\n', 'foreign')

    def test_header_cycle(self):
        status, said = self.run_on({'vm/a.h': '#include <vm/b.h>\n',
                                    'vm/b.h': '#include <vm/a.h>\n'})
        self.assertEqual(status, 1)
        self.assertIn('2 headers include each other', said)

    def test_module_cycle_and_its_ratchet(self):
        cycle = {'vm/a.h': '', 'vm/b.h': '',
                 'vm/a.c': '#include <vm/b.h>\n',
                 'vm/b.c': '#include <vm/a.h>\n'}
        status, said = self.run_on(cycle)
        self.assertEqual(status, 1)
        self.assertIn('2 modules include each other', said)
        status, _ = self.run_on({**cycle,
                                 'tools/layers.ratchet': 'modules 2\n'})
        self.assertEqual(status, 0)


if __name__ == '__main__':
    unittest.main()
