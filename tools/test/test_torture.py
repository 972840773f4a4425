# SPDX-License-Identifier: MIT
"""tools/torture has all kinds in turn, and sees a boot that fails."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import time
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[1]


def load():
    """The tool as a module."""
    sys.path.insert(0, str(TOOLS))
    loader = importlib.machinery.SourceFileLoader('torture',
                                                  str(TOOLS / 'torture'))
    spec = importlib.util.spec_from_loader('torture', loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules['torture'] = module
    loader.exec_module(module)
    return module


TOOL = load()

GOOD = b'''KTAP version 1
1..2
ok 1 a.torture
ok 2 b.torture
# done: 2 passed, 0 failed, 0 skipped
'''
BAD = GOOD.replace(b'ok 2', b'# x.c:1: no\nnot ok 2').replace(
    b'2 passed, 0', b'1 passed, 1')


class TortureTest(unittest.TestCase):
    """Boots that are not real."""

    def run_on(self, *texts, flags=()):
        """(good, output, boots) of boots that print @texts in turn."""
        boots = []

        def boot(kind, seed, _serial, _timeout):
            text, status = texts[len(boots) % len(texts)]
            boots.append((kind.name(), seed, kind.iterations))
            time.sleep(0.001)
            if len(boots) >= len(texts):
                torture.end = 0
            return TOOL.ktap.judge(text, 1, status)

        args = TOOL.arguments(['--jobs', '1', '--seed', '7', *flags])
        torture = TOOL.Torture(args, boot)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            good = torture.run()
        return good, output.getvalue(), boots

    def test_all_kinds_have_a_turn(self):
        order = [kind.name() for kind in
                 TOOL.kinds(TOOL.BUILDS, TOOL.MACHINES)]
        self.assertEqual(len(order), len(TOOL.BUILDS) * len(TOOL.MACHINES))
        self.assertEqual(len(set(order)), len(order))
        first = {name.split(',')[0] for name in order[:len(TOOL.BUILDS)]}
        self.assertEqual(first, set(TOOL.BUILDS))

    def test_machines_of_one_size(self):
        args = TOOL.arguments(['--cpus', '8'])
        cpus = {kind.cpus for kind in TOOL.kinds(args.builds, args.machines)}
        self.assertEqual(cpus, {8})

    def test_good(self):
        good, output, boots = self.run_on((GOOD, 0), (GOOD, 0))
        self.assertTrue(good)
        self.assertEqual([seed for _, seed, _ in boots], [7, 8])
        self.assertIn('2 boots passed, 0 failed', output)

    def test_no_boot_twice(self):
        """With several at once, some of which use two processors."""
        _, _, boots = self.run_on(*[(GOOD, 0)] * 60, flags=('--jobs', '3'))
        seeds = [seed for _, seed, _ in boots]
        self.assertGreaterEqual(len(seeds), 60)
        self.assertEqual(sorted(seeds), list(range(7, 7 + len(seeds))))

    def test_test_fails(self):
        good, output, _ = self.run_on((GOOD, 0), (BAD, 1), (GOOD, 0))
        self.assertFalse(good)
        self.assertIn('2 boots passed, 1 failed', output)
        self.assertIn('x.c:1: no', output)
        self.assertRegex(output, r'repeat: tools/run .*'
                         r'test=b\.torture seed=8 iterations=1 exit')

    def test_hang(self):
        good, output, _ = self.run_on((GOOD[:30], 3))
        self.assertFalse(good)
        self.assertIn('time-out', output)

    def test_report_outside_of_tests(self):
        good, _, _ = self.run_on(
            (GOOD + b'[    1.000000] KCSAN: data race\n', 0))
        self.assertFalse(good)

    def test_iterations_grow_to_the_length(self):
        kind = TOOL.Kind('gcc', 1, 'single', 1)
        kind.learn(1, 20)
        self.assertEqual(kind.iterations, TOOL.GROWTH)
        kind.learn(40, 20)
        self.assertEqual(kind.iterations, TOOL.GROWTH // 2)

    def test_unknown_build(self):
        with self.assertRaises(SystemExit) as caught, \
                contextlib.redirect_stderr(io.StringIO()):
            TOOL.arguments(['--builds', 'nosuch'])
        self.assertEqual(caught.exception.code, 4)


if __name__ == '__main__':
    unittest.main()
