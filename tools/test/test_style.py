# SPDX-License-Identifier: MIT
"""tools/style.py finds each thing it says it finds."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'style.py'
sys.path.insert(0, str(TOOL.parent))

import style

HEADER = '''\
/* SPDX-License-Identifier: MIT */
#ifndef KERN_A_H
#define KERN_A_H

#include <stdint.h>

struct a {
    int (*call)(int x);
};

typedef int (*a_fn_t)(int x);

extern int a_count;

/*
 * Do it.
 *
 * Returns: the result
 */
__attribute__((noreturn)) int a_do(struct a *a, int (*call)(int x, int y),
                                   const char *text);

static inline int
a_get(const struct a *a)
{
    return a->call(1);
}

#endif /* KERN_A_H */
'''

SOURCE = '''\
/* SPDX-License-Identifier: MIT */
#include <kern/a.h>

#ifdef CONFIG_A
static const char *const names[] = { "{", "a" };
#endif

static int
a_sum(int x)
{
    struct pair {
        int a, b;
    } pair = { 1, 2 };

    for (int i = 0; i < x; i++) {
        if (i > 3) {
            while (x > 7) {
                x -= pair.a;
            }
        }
    }
    return x;
}

int
a_do(int x, int y)
{
    return a_sum(x) + y;
}
'''


class ParseTest(unittest.TestCase):
    """What is found in C text."""

    def test_prototypes(self):
        self.assertEqual([name for name, _ in style.prototypes(HEADER)],
                         ['a_do'])

    def test_functions(self):
        found = list(style.functions(SOURCE))
        self.assertEqual([(f.name, f.lines, f.parameters, f.nesting)
                          for f in found],
                         [('a_sum', 12, 1, 3), ('a_do', 1, 2, 0)])
        self.assertEqual([f.name for f in style.functions(HEADER)], ['a_get'])


class StyleTest(unittest.TestCase):
    """A small tree, broken in one place."""

    def run_on(self, changes, only):
        files = {'kern/a.h': HEADER, 'kern/a.c': SOURCE, **changes}
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / '.clang-format', folder)
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run(
                [sys.executable, str(TOOL), '--root', folder, '--only', only],
                text=True, capture_output=True, check=False)
        return done.returncode, done.stdout

    def fails(self, only, path, text, word):
        status, said = self.run_on({path: text}, only)
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)

    def test_callers(self):
        header = HEADER.replace(' * Do it.\n', ' * Do it.\n *\n'
                                ' * Callers: test\n')
        status, said = self.run_on({'kern/a.h': header}, 'callers')
        self.assertEqual((status, said), (0, ''))
        use = '\nvoid\nb(void)\n{\n    a_do(1, 2);\n}\n'
        status, said = self.run_on({'kern/a.h': header,
                                    'test/b.c': SOURCE + use}, 'callers')
        self.assertEqual((status, said), (0, ''))
        status, said = self.run_on({'kern/a.h': header,
                                    'kern/b.c': use}, 'callers')
        self.assertEqual(status, 1)
        self.assertIn('kern/b.c:5: a_do() is for tests only', said)

    def function(self, lines=1, parameters='void', body='x();'):
        body = f'    {body}\n' * lines
        return (SOURCE + f'\nvoid\nbad({parameters})\n{{\n{body}}}\n')

    def test_good(self):
        self.assertEqual(self.run_on({}, ','.join(
            set(style.CHECKS) - {'format'})), (0, ''))

    def test_spdx(self):
        self.fails('spdx', 'kern/b.c', '/* nothing */\n', 'SPDX')
        self.fails('spdx', 'tools/x', '#!/bin/sh\necho\n', 'SPDX')

    def test_text(self):
        self.fails('text', 'kern/b.c', 'int x; \n', 'trailing')
        self.fails('text', 'kern/b.c', '\tint x;\n', 'tab')
        self.fails('text', 'kern/b.c', 'int ' + 'x' * 80 + ';\n', 'columns')
        self.fails('text', 'kern/b.c', 'int x;', 'newline')

    def test_todo(self):
        self.fails('todo', 'kern/b.c', '/* TODO: later */\n', 'issue')
        self.assertEqual(
            self.run_on({'kern/b.c': '/* TODO(#3): later */\n'}, 'todo')[0], 0)

    def test_doc(self):
        bad = HEADER.replace('#endif', '\nvoid a_undocumented(int x);\n#endif')
        self.fails('doc', 'kern/a.h', bad, 'a_undocumented() has no comment')
        apart = HEADER.replace(' */\n__attr', ' */\n\n__attr')
        self.fails('doc', 'kern/a.h', apart, 'a_do() has no comment')
        self.fails('doc', 'kern/a.h', HEADER + 'void a_late(int x);\n',
                   'a_late() has no comment')

    def test_long_function(self):
        self.fails('budget', 'kern/b.c', self.function(101), '101 lines')
        self.assertEqual(self.run_on(
            {'kern/b.c': self.function(100)}, 'budget')[0], 0)

    def test_too_many_large_functions(self):
        text = ''.join(f'void\nf{i}(void)\n{{\n' + '    x();\n' * size + '}\n'
                       for i, size in enumerate([45] * 3 + [1] * 20))
        self.fails('budget', 'kern/b.c', text, 'functions have 45 lines')

    def test_parameters(self):
        self.fails('budget', 'kern/b.c', self.function(
            1, 'int a, int b, int c, int d, int e, int (*f)(int, int)'),
            '6 parameters')

    def test_nesting(self):
        deep = 'if (x) {' * 6 + '}' * 6
        self.fails('budget', 'kern/b.c', self.function(1, 'int x', deep),
                   'nests 6 deep')

    def test_condition_inside_function(self):
        self.fails('cond', 'kern/b.c',
                   self.function(1, 'void', '\n#ifdef X\n    x();\n#endif'),
                   '#ifdef inside bad()')

    @unittest.skipUnless(shutil.which(style.FORMATTER), 'no clang-format-19')
    def test_format(self):
        self.assertEqual(self.run_on({}, 'format'), (0, ''))
        self.fails('format', 'kern/b.c', 'int   x;\n', 'clang-format')


if __name__ == '__main__':
    unittest.main()
