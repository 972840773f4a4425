# SPDX-License-Identifier: MIT
"""tools/latency.py passes short stretches and fails all else."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / 'latency.py'

GOOD = '''\
ok 1 list.insert_head
# latency: instructions, each CPU's own
# latency irqs_off 90000 cpu 1: a+0x1 a.c:1 to b+0x2 b.c:2, excused: slow
# latency irqs_off 7000 cpu 1: a+0x1 a.c:1 to b+0x2 b.c:2, doubtful
# latency irqs_off 1500 cpu 0: a+0x1 a.c:1 to b+0x2 b.c:2
# latency irqs_off 900 cpu 1: c+0x1 a.c:1 to b+0x2 b.c:2
# latency preempt_off 700 cpu 0: c+0x1 a.c:1 to d+0x2 b.c:2
BENCH latency.irqs_off.max 1500 insns n=1 min=1500
BENCH latency.preempt_off.max 700 insns n=1 min=700
'''


def judge(text, *flags):
    """Exit status and output for a log."""
    with tempfile.NamedTemporaryFile('w', suffix='.serial') as log:
        log.write(text)
        log.flush()
        done = subprocess.run([sys.executable, str(TOOL), log.name, *flags],
                              text=True, capture_output=True, check=False)
    return done.returncode, done.stdout


class LatencyTest(unittest.TestCase):
    """One test for each verdict."""

    def fails(self, text, reason, *flags):
        status, said = judge(text, *flags)
        self.assertEqual(status, 1, said)
        self.assertIn(reason, said)

    def test_good(self):
        status, said = judge(GOOD)
        self.assertEqual(status, 0, said)
        self.assertEqual(said.splitlines()[0].split(),
                         ['1500', 'irqs_off', 'a+0x1', 'a.c:1', 'to', 'b+0x2',
                          'b.c:2'])
        self.assertNotIn('90000', said)
        self.assertIn('90000', judge(GOOD, '--all')[1])
        self.assertEqual(judge(GOOD.replace('\n', '\r\n'))[0], 0)

    def test_silence(self):
        self.fails('ok 1 list.insert_head\n', 'no list')

    def test_too_long(self):
        self.fails(GOOD, 'irqs_off for 1500 instructions, a+0x1',
                   '--max', '1400')
        self.fails(GOOD.replace('preempt_off 700', 'preempt_off 2001')
                   .replace('max 700', 'max 2001'), 'preempt_off for 2001')

    def test_no_instructions(self):
        self.fails(GOOD.replace("instructions, each CPU's own", 'ticks'),
                   'counts ticks')

    def test_figure_and_list_disagree(self):
        self.fails(GOOD.replace('max 1500', 'max 100'), 'it says 100')
        self.fails(GOOD.replace('BENCH latency.irqs_off', '# no'),
                   'it says nothing')


if __name__ == '__main__':
    unittest.main()
