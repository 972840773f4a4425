# SPDX-License-Identifier: MIT
"""tools/seeded-bugs finds what its tables do not say, and mends them."""

import pathlib
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / 'seeded-bugs'

GOOD = {
    'doc/seeded-bugs.md': '# Bugs\n<!-- made by tools/seeded-bugs -->\n'
                          '<!-- end -->\nMore.\n',
    'test/explore/broken/a-b.broken': '# Too early.\n# (Was in the kernel '
                                      'once.)\nscenario: a.one\nmodel: a EARLY'
                                      '\nfile: kern/a.c\n-x\n+y\n',
    'model/a.pml': '/*\n * @run all:\n * @broken EARLY all: too early\n'
                   ' * @broken LATE all: x() comes | too late\n */\n',
    'test/kern/kasan_test.c': 'TEST(kasan, reports_overrun)\n{\n}\n'
                              'TEST(kasan, reports_no_reads)\n{\n}\n',
    'test/kern/ubsan_test.c': 'UBSAN_TEST(reports_shift,\n{ f })\n',
    'test/kern/kcsan_test.c': 'TEST(kcsan, reports_two_writes)\n',
    'test/kern/lock_check_test.c': 'TEST(lock_check, order_is_found)\n'
                                   'TEST(lock_check, order_passes)\n',
    'tools/test/broken.sh': '# bug: a slip; found by: a tool\nslip)\n',
}


class SeededBugsTest(unittest.TestCase):
    """A small tree, whose page is right, broken in one place."""

    def setUp(self):
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder, GOOD)
            status, said = self.run_on(folder, '--write')
            self.assertEqual(status, 0, said)
            page = pathlib.Path(folder, 'doc/seeded-bugs.md')
            self.page = page.read_text('utf-8')

    def write(self, folder, files):
        """Make the files of a tree."""
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, 'utf-8')

    def run_on(self, folder, *flags):
        """Status and output of the tool."""
        done = subprocess.run([str(TOOL), '--root', folder, *flags], text=True,
                              capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def check(self, changes):
        """The tool on the good tree with some files changed."""
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder, {**GOOD, 'doc/seeded-bugs.md': self.page,
                                **changes})
            return self.run_on(folder)

    def fails(self, path, old, new, word):
        """With @old replaced by @new the tool fails and says @word."""
        good = self.page if path.startswith('doc/') else GOOD[path]
        self.assertIn(old, good)
        status, said = self.check({path: good.replace(old, new)})
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)

    def test_good(self):
        """What was written is right, and says what there is."""
        status, said = self.check({})
        self.assertEqual((status, said), (0, ''))
        for line in ('1 bugs are found by the explorer, 2 in the models, 1 of '
                     'them by both.',
                     '| **Was in the kernel once.** Too early. | `a-b`, a.one '
                     '| a `EARLY` |',
                     '| x() comes \\| too late. |  | a `LATE` |',
                     '| overrun | KASAN | `kasan.reports_overrun` |',
                     '| order | lock checker | `lock_check.order_is_found` |',
                     '| a slip | a tool |', 'More.'):
            self.assertIn(line + '\n', self.page)
        for word in ('order_passes', 'reports_no'):
            self.assertNotIn(word, self.page)

    def test_missing_row(self):
        """A row was deleted."""
        self.fails('doc/seeded-bugs.md', '| overrun | KASAN', '', 'is missing')

    def test_new_variant(self):
        """A broken variant is in no row."""
        new = GOOD['test/explore/broken/a-b.broken'].replace('model: a EARLY',
                                                             '')
        status, said = self.check({'test/explore/broken/a-c.broken': new})
        self.assertEqual(status, 1)
        self.assertIn('`a-c`', said)

    def test_new_model_variant(self):
        """A broken variant of a model is in no row."""
        self.fails('model/a.pml', ' */', ' * @broken NEW all: new\n */', 'NEW')

    def test_new_test(self):
        """A test of a sanitizer is in no row."""
        self.fails('test/kern/kcsan_test.c', 'two_writes', 'two_reads',
                   'two_reads')

    def test_stale_row(self):
        """A bug is gone, its row is not."""
        self.fails('model/a.pml', ' * @broken LATE all: x() comes | too late\n',
                   '', 'is wrong')

    def test_unknown_model(self):
        """A variant names a bug that the model has not."""
        self.fails('test/explore/broken/a-b.broken', 'a EARLY', 'a NEVER',
                   'no model a NEVER')

    def test_no_comment(self):
        """A variant does not say what is wrong with it."""
        self.fails('test/explore/broken/a-b.broken', '# ', '', 'no comment')

    def test_no_report(self):
        """A tool's test makes no mistake any more."""
        self.fails('test/kern/ubsan_test.c', 'reports_shift', 'shifts',
                   'no mistake')

    def test_unnamed_case(self):
        """A case of broken.sh does not say what it breaks."""
        self.fails('tools/test/broken.sh', '# bug', '#', '1 cases, 0 bugs')


if __name__ == '__main__':
    unittest.main()
