# SPDX-License-Identifier: MIT
"""The end of a run tells the cause of each failure."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from host import evidence, runner

FAILED = '''\
KTAP version 1
1..4
# list_test.c:3: a note of a test that passes
ok 1 list.insert_head
# port_test.c:31: status is 0, expected 5\r
not ok 2 port.kill_wakes_sender\r
[    0.100000] cpu: a log line between
ok 3 pmap.huge_page
'''
PANIC = '''\
# rcu_test.c:7: seen so far
PANIC: page fault
cpu 0: #0 0xffffffff80000000 main+0x0
[    0.200000] panic: the end
'''


class EvidenceTest(unittest.TestCase):
    """What is chosen of a log."""

    def test_failed_test_with_its_notes(self):
        self.assertEqual(
            evidence.relevant(FAILED),
            ['# port_test.c:31: status is 0, expected 5',
             'not ok 2 port.kill_wakes_sender'])

    def test_panic_and_all_that_follows(self):
        lines = evidence.relevant(FAILED + PANIC)
        self.assertEqual(lines[1], 'not ok 2 port.kill_wakes_sender')
        self.assertEqual(lines[2:], PANIC.splitlines())

    def test_end_of_a_log_without_a_failure(self):
        text = ''.join(f'line {n}\n' for n in range(100))
        self.assertEqual(evidence.relevant(text, 3),
                         ['line 97', 'line 98', 'line 99'])

    def test_no_more_than_asked_for(self):
        lines = evidence.relevant(PANIC + 'more\n' * 100, 10)
        self.assertEqual(len(lines), 10)
        self.assertEqual(lines[1], 'PANIC: page fault')
        self.assertEqual(lines[-1], '... 95 more lines')


class SummaryTest(unittest.TestCase):
    """What a run prints at its end."""

    def end_of(self, step):
        """The lines from the first "failed:" on."""
        with tempfile.TemporaryDirectory() as root, \
                contextlib.redirect_stdout(io.StringIO()) as out:
            folder = pathlib.Path(root)
            (folder / 'old.serial').write_text(PANIC, encoding='utf-8')
            runner.Runner([step], folder, folder / 'logs', 1).run()
        text = out.getvalue()
        return text[text.index('\nfailed: '):]

    def test_serial_text_is_quoted(self):
        said = self.end_of(runner.Step(
            'boot', [['sh', '-c', f"printf '{FAILED}' >a; exit 1"]],
            serial='a'))
        self.assertIn('failed: boot: status 1, expected 0', said)
        self.assertIn('not ok 2 port.kill_wakes_sender', said)
        self.assertIn('# port_test.c:31: status is 0', said)
        self.assertTrue(said.endswith('0 passed, 1 failed\n'))

    def test_text_of_an_earlier_run_is_not(self):
        said = self.end_of(runner.Step('boot', [['false']],
                                       serial='old.serial'))
        self.assertNotIn('PANIC', said)

    def test_log_is_quoted_where_there_is_no_serial_text(self):
        said = self.end_of(runner.Step(
            'build', [['sh', '-c', 'seq 50; echo error: here; exit 2']]))
        self.assertIn('| error: here', said)


if __name__ == '__main__':
    unittest.main()
