# SPDX-License-Identifier: MIT
"""tools/bench-sharing joins two reports and fails when it must."""

import importlib.machinery
import importlib.util
import pathlib
import unittest

PATH = pathlib.Path(__file__).resolve().parents[1] / 'bench-sharing'


def load():
    """The tool as a module."""
    loader = importlib.machinery.SourceFileLoader('bench_sharing', str(PATH))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


TOOL = load()

SERIAL = '''\
[    0.063098] cpu: 2 CPUs online
SHARE-AREA cpu=0 offset=0xffff100000000000
SHARE list.insert cpus=2 ops=2000
'''
REPORT = '''\
LINESHARE-CONFIG tag=1 line=64
LINESHARE-CPU tag=1 cpu=0 begins=1
LINESHARE-LINE tag=1 vaddr=0xffffffff80306e00 kconf=1 transfers=500
LINESHARE-LINE tag=1 vaddr=0x4000 kconf=0 transfers=500
LINESHARE tag=1 mode=all cpus=2 insns=44000 conflicts=2 transfers=999 ops=2000
LINESHARE tag=1 mode=kernel cpus=2 insns=44000 conflicts=1 transfers=500 ops=2000
LINESHARE tag=1 mode=user cpus=2 insns=0 conflicts=0 transfers=0 ops=2000
'''


def good():
    """Results that hold."""
    return [{'name': name, 'cpus': 2, 'conflicts': wanted,
             'transfers': 2.0 * wanted}
            for name, wanted in TOOL.SELFTESTS.items()]


def found(changed, strict=False):
    """The problems of good results with those of @changed instead."""
    results = [r for r in good() if r['name'] != changed.get('name')]
    return list(TOOL.problems(results + [changed] if changed else results,
                              strict))


class CollectTest(unittest.TestCase):
    """What the kernel and the plugin say."""

    def test_joins(self):
        result, = TOOL.collect(SERIAL, REPORT)
        self.assertEqual((result['name'], result['cpus'], result['ops']),
                         ('list.insert', 2, 2000))
        self.assertEqual((result['conflicts'], result['transfers'],
                          result['insns']), (1, 0.25, 22))
        self.assertEqual(len(result['lines']), 1)

    def test_nothing(self):
        for serial, report in [('', ''), (SERIAL, ''), ('', REPORT),
                               (SERIAL * 2, REPORT),
                               (SERIAL, REPORT.rsplit('LINESHARE', 1)[0])]:
            with self.assertRaises(RuntimeError):
                TOOL.collect(serial, report)

    def test_disagreement(self):
        for serial in [SERIAL.replace('ops=2000', 'ops=1999'),
                       SERIAL.replace('cpus=2 ', 'cpus=4 ')]:
            with self.assertRaises(RuntimeError):
                TOOL.collect(serial, REPORT)


class ProblemsTest(unittest.TestCase):
    """The verdict."""

    def test_good(self):
        self.assertEqual(found({}), [])

    def test_each_selftest_can_fail(self):
        for result in good():
            for other in (1 - result['conflicts'], 2):
                changed = dict(result, conflicts=other, transfers=2.0)
                self.assertTrue(found(changed), result)

    def test_selftest_missing(self):
        self.assertEqual(len(list(TOOL.problems(good()[1:], False))), 1)

    def test_transfers(self):
        hand_over = {'name': 'selftest.hand_over', 'cpus': 2, 'conflicts': 1}
        self.assertEqual(found(dict(hand_over, transfers=1.999)), [])
        self.assertTrue(found(dict(hand_over, transfers=1.0)))
        self.assertTrue(found(dict(hand_over, transfers=3.0)))
        self.assertTrue(found({'name': 'selftest.false_sharing', 'cpus': 2,
                               'conflicts': 1, 'transfers': 0.0}))

    def test_strict(self):
        shares = {'name': 'list.insert', 'cpus': 2, 'conflicts': 1,
                  'transfers': 0.1}
        self.assertEqual(found(shares), [])
        self.assertTrue(found(shares, strict=True))
        self.assertEqual(found(dict(shares, conflicts=0), strict=True), [])
        self.assertEqual(found(dict(shares, name='ipc.one_port'),
                               strict=True), [])


class LeastTest(unittest.TestCase):
    """What counts when something was measured again."""

    SHARES = {'name': 'list.insert', 'cpus': 2, 'conflicts': 3,
              'transfers': 0.1}

    def test_the_lesser(self):
        less = dict(self.SHARES, conflicts=0)
        self.assertEqual(TOOL.least([self.SHARES], [less]), [less])
        self.assertEqual(TOOL.least([less], [self.SHARES]), [less])

    def test_others_stay(self):
        other = dict(self.SHARES, cpus=4, conflicts=0)
        self.assertEqual(TOOL.least([self.SHARES], [other]), [self.SHARES])

    def test_selftests_are_the_last(self):
        again = dict(good()[0], transfers=7.0)
        self.assertEqual(TOOL.least(good()[:1], [again]), [again])


class SymbolsTest(unittest.TestCase):
    """What a line is."""

    def setUp(self):
        self.symbols = TOOL.Symbols.__new__(TOOL.Symbols)
        base = TOOL.KERNEL_BASE + 0x300000
        self.symbols.table = [(base, 8, 'first'), (base + 8, 8, 'second'),
                              (base + 0x1000, 0x100, 'percpu_thing')]
        self.symbols.starts = [start for start, _, _ in self.symbols.table]
        self.symbols.values = {'percpu_start': base + 0x1000,
                               'percpu_end': base + 0x2000}
        self.symbols.areas = [(3, 0xffff800001000000 - base - 0x1000)]
        self.base = base

    def describe(self, vaddr, paddr=0x7000000):
        """The name of a line."""
        return self.symbols.describe(vaddr, paddr)

    def test_image(self):
        self.assertEqual(self.describe(self.base + 8), 'first, second')

    def test_image_by_its_other_address(self):
        self.assertEqual(self.describe(0xffff800000300000, 0x300000),
                         'first, second')

    def test_percpu(self):
        self.assertEqual(self.describe(0xffff800001000040),
                         'per-CPU of CPU 3: percpu_thing')

    def test_regions(self):
        self.assertIn('physical 0x5000', self.describe(0xffff800000005000))
        self.assertIn('frame 0x2', self.describe(0xffffea0000000080))
        self.assertIn('user', self.describe(0x400000))


if __name__ == '__main__':
    unittest.main()
