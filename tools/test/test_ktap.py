# SPDX-License-Identifier: MIT
"""tools/ktap.py passes a good log and fails each way a log can be bad."""

import contextlib
import io
import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import ktap

GOOD = '''\
\x1b[2J[    0.000001] boot: hello
KTAP version 1
1..3
ok 1 list.insert_head
[    0.100000] cpu: a log line between
ok 2 pmap.huge_page # SKIP no 1 GiB pages on this CPU
ok 3 port.kill_wakes_sender
# done: 2 passed, 0 failed, 1 skipped
'''


def bad(log, **options):
    """The problems and names of failing tests of a log."""
    verdict = ktap.judge(log.encode(), **options)
    return verdict.problems + [name for name, _ in verdict.failures]


class KtapTest(unittest.TestCase):
    """One test for each reason."""

    def fails(self, old, new, reason, **options):
        self.assertIn(old, GOOD)
        found = bad(GOOD.replace(old, new), **options)
        self.assertTrue(any(reason in text for text in found), found)

    def test_good(self):
        self.assertEqual(bad(GOOD, status=0), [])
        self.assertEqual(bad(GOOD.replace('\n', '\r\n')), [])

    def test_silence(self):
        self.assertTrue(bad(''))
        self.assertTrue(bad('[    0.000001] boot: hello\n'))

    def test_no_version(self):
        self.fails('KTAP version 1\n', '', 'KTAP version')

    def test_no_plan(self):
        self.fails('1..3\n', '', 'no plan')

    def test_second_plan(self):
        self.fails('1..3\n', '1..3\n1..3\n', 'second plan')

    def test_empty_plan(self):
        self.assertTrue(bad('KTAP version 1\n1..0\n'
                            '# done: 0 passed, 0 failed, 0 skipped\n'))

    def test_two_runs(self):
        self.assertTrue(bad(GOOD + GOOD))

    def test_missing_result(self):
        self.fails('ok 3 port.kill_wakes_sender\n', '', 'missing: 3')

    def test_number_twice(self):
        self.fails('ok 3', 'ok 1', 'twice')

    def test_name_twice(self):
        self.fails('port.kill_wakes_sender', 'list.insert_head', 'twice')

    def test_outside_plan(self):
        self.fails('ok 3', 'ok 4', 'outside')

    def test_not_ok(self):
        self.fails('ok 3 port', 'not ok 3 port', 'port.kill_wakes_sender')

    def test_panic(self):
        self.fails('ok 2', 'PANIC: assertion\nok 2', 'PANIC: assertion')

    def test_sanitizer(self):
        self.fails('ok 2', 'UBSAN: shift too far\nok 2', 'UBSAN')
        self.fails('ok 2', '[    1.025000] KCSAN: data race\nok 2', 'KCSAN')

    def test_no_done(self):
        self.fails('# done', '# gone', 'no "# done"')

    def test_done_disagrees(self):
        self.fails('2 passed', '3 passed', '"# done" says')

    def test_split_line(self):
        self.fails('ok 3 port.kill', 'ok 3 po[ 0.1] log\nrt.kill', 'malformed')

    def test_exit_status(self):
        for status, word in ktap.STATUS.items():
            self.fails('ok', 'ok', word, status=status)

    def test_too_few(self):
        self.fails('ok', 'ok', 'at least', least=4)

    def test_report_names_the_command(self):
        log = GOOD.replace('ok 3', '# a.c:31: x is 0, expected 5\nnot ok 3')
        args = types.SimpleNamespace(skips=True, repeat_command='run test={}')
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertFalse(ktap.report(ktap.judge(log.encode()), args))
        self.assertIn('run test=port.kill_wakes_sender', out.getvalue())
        self.assertIn('a.c:31: x is 0, expected 5', out.getvalue())
        self.assertIn('no 1 GiB pages', out.getvalue())


if __name__ == '__main__':
    unittest.main()
