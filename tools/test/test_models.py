# SPDX-License-Identifier: MIT
"""tools/models sees a model that fails and a broken variant that does not."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / 'models'

GOOD = '''/*
 * @run small: -DROUNDS=2
 * @broken TWICE small: counts twice
 * @broken STUCK small: waits for ever
 */
byte n;
init {
    do
    :: n < ROUNDS -> n++
#ifdef TWICE
        ; n++
#endif
    :: else -> break
    od;
    assert(n == ROUNDS);
#ifdef STUCK
    n == 0
#endif
}
'''


@unittest.skipUnless(shutil.which('spin'), 'no spin')
class ModelsTest(unittest.TestCase):
    """A small model, broken in one place."""

    def run_on(self, text):
        """Status and output of the tool for one model."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, 'count.pml').write_text(text,
                                                         encoding='utf-8')
            done = subprocess.run(
                [str(TOOL), '--models', folder, '--output', folder + '/out',
                 '--memory', '200'],
                text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def fails(self, old, new, word):
        """With @old replaced by @new the tool fails and says @word."""
        self.assertIn(old, GOOD)
        status, said = self.run_on(GOOD.replace(old, new))
        self.assertNotEqual(status, 0, said)
        self.assertIn(word, said)

    def test_good(self):
        """Three rounds: adding two at a time misses the end."""
        status, said = self.run_on(GOOD.replace('ROUNDS=2', 'ROUNDS=3'))
        self.assertEqual(status, 0, said)
        self.assertIn('3 passed, 0 failed', said)

    def test_variant_that_holds(self):
        """An assertion that is true of twice as many."""
        self.fails('assert(n == ROUNDS)', 'assert(n >= 2)', 'NOT FOUND')

    def test_model_that_fails(self):
        """A wrong assertion."""
        self.fails('assert(n == ROUNDS)', 'assert(n == 0)', '1 failed')

    def test_switch_without_effect(self):
        """A variant that nothing looks at."""
        self.fails('#ifdef TWICE', '#ifdef THRICE', 'TWICE is not used')

    def test_unknown_run(self):
        """A variant of a run that there is not."""
        self.fails('TWICE small', 'TWICE large', 'no run large')

    def test_too_few_variants(self):
        """A model that is not broken often enough."""
        self.fails(' * @broken STUCK small: waits for ever\n', '',
                   'fewer than two')

    def test_syntax(self):
        """What spin does not understand."""
        self.fails('byte n;', 'bite n;', 'spin failed')


if __name__ == '__main__':
    unittest.main()
