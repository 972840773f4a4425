# SPDX-License-Identifier: MIT
"""tools/docs.py finds what the manual does not say, and where it is wrong."""

import pathlib
import subprocess
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[1] / 'docs.py'

GOOD = {
    'README.md': '[manual](doc/README.md) [web](https://example.org/x.md)\n',
    'doc/README.md': '[cmdline](cmdline.7.md#loglevel07) [up](../README.md)\n'
                     '```\n[not](a link)\n```\n`[nor](this)`\n[top](#here)\n'
                     '# Here\n',
    'doc/cmdline.7.md': '### `loglevel=0..7`\n\nText.\n\n### `exit`\n',
    'doc/monitor.md': 'The command `log [LEVEL]` and `help`.\n',
    'kern/log.c': 'OPTION(loglevel, "0..7", "x", f);\n'
                  'MONITOR_COMMAND(log, "[LEVEL]", "y", f);\n',
    'kern/main.c': 'OPTION(exit, "nothing", "x", f);\n'
                   'MONITOR_COMMAND(\n    help, "", "y", f);\n',
    'kern/option.h': '#define OPTION(name_, value_) x\n',
}


class DocsTest(unittest.TestCase):
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

    def fails(self, path, old, new, word):
        self.assertIn(old, GOOD[path])
        status, said = self.run_on({path: GOOD[path].replace(old, new)})
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)

    def test_good(self):
        self.assertEqual(self.run_on({}), (0, ''))

    def test_option_without_heading(self):
        self.fails('doc/cmdline.7.md', '### `exit`', '`exit`',
                   'kern/main.c: option exit has no heading')

    def test_heading_without_option(self):
        self.fails('doc/cmdline.7.md', '### `exit`', '### `exit`\n### `more`',
                   'there is no option more')

    def test_command_not_named(self):
        self.fails('doc/monitor.md', '`log [LEVEL]`', 'log',
                   'kern/log.c: no page of doc/ names the command `log`')

    def test_command_on_next_line(self):
        self.fails('doc/monitor.md', '`help`', '`helpful`', '`help`')

    def test_broken_link(self):
        self.fails('README.md', 'doc/README.md', 'doc/readme.md',
                   'README.md: broken link: doc/readme.md')

    def test_broken_anchor(self):
        self.fails('doc/README.md', '#loglevel07', '#loglevel08',
                   'no such heading: cmdline.7.md#loglevel08')

    def test_broken_anchor_on_same_page(self):
        self.fails('doc/README.md', '(#here)', '(#there)', '#there')

    def test_nothing_found(self):
        self.fails('kern/log.c', 'OPTION', '//', 'loglevel')
        status, said = self.run_on({'kern/log.c': '', 'kern/main.c': ''})
        self.assertEqual(status, 1)
        self.assertIn('no OPTION() found', said)
        self.assertIn('no MONITOR_COMMAND() found', said)

    def test_page_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([str(TOOL), '--root', folder],
                                  capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)


if __name__ == '__main__':
    unittest.main()
