#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Say what a reviewer should never have to say.

  spdx      the first line (after #!) names the licence
  text      no tabs, trailing blanks, missing last newline; C is 80 columns wide
  todo      a TODO names its issue: TODO(#12)
  doc       a comment stands before each prototype of a public header
  callers   what has "Callers: test" in that comment is called in test/ only
  budget    functions: none over 100 lines, 95 % under 45, at most 5
            parameters, but those of system calls; nesting over 3 is reported,
            over 5 fails
  cond      no #if inside a function
  format    clang-format-19 would change nothing

exit status: 0 clean, 1 something found.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

CHECKS = ['spdx', 'text', 'todo', 'doc', 'callers', 'budget', 'cond',
          'format']
C = ('.c', '.h', '.S', '.def', '.ld')
PUBLIC = ('lib/', 'kern/', 'include/', 'vm/', 'ipc/')
LONGEST, USUAL, USUAL_SHARE = 100, 45, 0.95
NESTING, NESTING_LIMIT, PARAMETERS = 3, 5, 5
# Functions whose parameters are those of system calls, and the number.
REGISTERS = {'call_': 6, '__syscall': 7}
FORMATTER = 'clang-format-19'

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                   r"|'(?:\\.|[^'\\\n])*'", re.S)
TODO = re.compile(r'\b(TODO|FIXME|XXX)\b(?!\(#\d+\))')
FUNCTION = re.compile(r'\b([A-Za-z_]\w*)\s*\(')
ATTRIBUTE = re.compile(r'__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)')


def blank(match):
    """The same number of characters and lines, without content."""
    return re.sub(r'[^\n]', ' ', match.group())


def without_comments(text):
    """@text with comments and strings blanked, positions kept."""
    return TOKEN.sub(blank, text)


def without_directives(text):
    """@text with preprocessor lines blanked too."""
    return re.sub(r'^[ \t]*#(?:[^\n\\]|\\\n|\\.)*', blank, text, flags=re.M)


def line_of(text, position):
    """Line number of a position."""
    return text.count('\n', 0, position) + 1


def for_tests(text):
    """The names of the prototypes that only tests may call."""
    lines = text.split('\n')
    for name, line in prototypes(text):
        comment = []
        for above in reversed(lines[:line - 1]):
            comment.append(above.strip())
            if above.lstrip().startswith('/*'):
                break
        if '* Callers: test' in comment:
            yield name


class Function:
    """A function definition."""

    def __init__(self, name, line, lines, parameters, nesting, body):
        self.name = name
        self.line = line
        self.lines = lines
        self.parameters = parameters
        self.nesting = nesting
        self.body = body


def top_level(text):
    """
    Divide C text without comments and directives: yields (start, end, open,
    close) of what stands outside of braces; open is the position of the brace
    of a block at its end, None if it ends in a semicolon.
    """
    start = depth = 0
    opened = None
    i = 0
    while i < len(text):
        char = text[i]
        if char == '{':
            if depth == 0:
                opened = i
            depth += 1
        elif char == '}':
            depth = max(depth - 1, 0)
            # A function ends here; a struct or an initialiser goes on to ;
            if depth == 0 and opened is not None:
                head = text[start:opened].rstrip()
                if head.endswith(')') or head.endswith('"C"'):
                    yield start, i + 1, opened, i
                    start, opened = i + 1, None
        elif char == ';' and depth == 0:
            yield start, i + 1, None, None
            start, opened = i + 1, None
        i += 1


def parameters_of(head):
    """(name, number of parameters) of a declarator, None if it is none."""
    head = ATTRIBUTE.sub('', head)
    close = head.rfind(')')
    depth = 0
    for i in range(close, -1, -1):
        depth += (head[i] == ')') - (head[i] == '(')
        if depth == 0:
            break
    else:
        return None
    before = re.search(r'([A-Za-z_]\w*)\s*$', head[:i])
    if before is None:
        return None
    inside = head[i + 1:close]
    depth, count = 0, 1
    for char in inside:
        depth += (char in '([') - (char in ')]')
        count += char == ',' and depth == 0
    if inside.strip() in ('', 'void'):
        count = 0
    return before.group(1), count


def nesting_of(body):
    """How deep blocks of statements nest in the text of a function body."""
    deepest = depth = 0
    kinds = []
    for match in re.finditer(r'[{}]', body):
        if match.group() == '{':
            before = body[:match.start()].rstrip()
            block = before.endswith((')', ';', '{', '}', 'else', 'do', ':')) \
                and not re.search(r'\([^()]*[*\w\]]\s*\)$', before[-60:]) \
                or re.search(r'\b(if|for|while|switch)\b[^;{}]*$', before)
            kinds.append(bool(block))
            depth += bool(block)
            deepest = max(deepest, depth)
        elif kinds:
            depth -= kinds.pop()
    return deepest


def functions(text):
    """The function definitions of a C file."""
    code = without_directives(without_comments(text))
    for start, end, opened, closed in top_level(code):
        if opened is None:
            continue
        found = parameters_of(code[start:opened])
        if found is None:
            continue
        body = code[opened + 1:closed]
        lines = max(body.count('\n') - 1, 0)
        yield Function(found[0], line_of(code, opened), lines, found[1],
                       nesting_of(body), (opened, closed))


def prototypes(text):
    """(name, line of its first word) of the prototypes of a header."""
    code = without_directives(without_comments(text))
    code = ATTRIBUTE.sub(blank, code)
    for start, end, opened, _ in top_level(code):
        if opened is not None:
            continue
        statement = code[start:end]
        first = start + len(statement) - len(statement.lstrip())
        statement = statement.strip()
        if re.match(r'(typedef|static|extern "C"|static_assert|_Static_assert)'
                    r'\b', statement) or '{' in statement:
            continue
        found = FUNCTION.search(statement)
        if found is None or found.start() == 0 or '=' in statement:
            continue
        if statement[:found.start()].rstrip().endswith('('):
            continue
        # SECTION_DECLARE(a, b); is a use of a macro, its name comes first.
        name = [m.group(1) for m in FUNCTION.finditer(statement)
                if not m.group(1).startswith('__')]
        if name:
            yield name[0], line_of(code, first)


class Style:
    """The checks; problems pile up."""

    def __init__(self, root, checks):
        self.root = root
        self.checks = checks
        self.problems = []
        self.notes = []
        self.sizes = []
        self.test_only = set()

    def problem(self, path, line, text):
        """Note a violation."""
        self.problems.append(f'{path}:{line}: {text}')

    def file(self, path):
        """All checks of one file."""
        if '/corpus/' in path:
            return
        try:
            text = (self.root / path).read_text(encoding='utf-8')
        except (UnicodeDecodeError, OSError):
            return
        name = os.path.basename(path)
        source = path.endswith(C + ('.py', '.sh')) or name == 'Makefile' \
            or text.startswith('#!') or path.endswith('.mk')
        is_c = path.endswith(('.c', '.h'))
        lines = text.split('\n')
        if 'spdx' in self.checks and source and text:
            self.spdx(path, lines)
        if 'text' in self.checks:
            self.text(path, lines, source)
        if 'todo' in self.checks and source:
            self.todo(path, lines)
        if 'doc' in self.checks and path.endswith('.h') \
                and path.startswith(PUBLIC):
            self.doc(path, text, lines)
        if is_c:
            self.code(path, text)
        if is_c and 'callers' in self.checks:
            self.callers(path, text)

    def find_test_only(self, paths):
        """What the headers leave to tests."""
        for path in paths:
            if path.endswith('.h') and path.startswith(PUBLIC):
                self.test_only |= set(for_tests(
                    (self.root / path).read_text(encoding='utf-8')))

    def spdx(self, path, lines):
        """The licence."""
        first = lines[1] if lines[0].startswith('#!') else lines[0]
        if 'SPDX-License-Identifier: MIT' not in first:
            self.problem(path, 1, 'no SPDX line at its begin')

    def text(self, path, lines, source):
        """Blanks and widths."""
        tabs = path.endswith(('Makefile', '.mk', '.patch', '.diff'))
        for number, line in enumerate(lines, 1):
            if line != line.rstrip(' \t') and not path.endswith('.md'):
                self.problem(path, number, 'trailing blanks')
            if '\t' in line and source and not tabs:
                self.problem(path, number, 'a tab')
            if len(line) > 80 and path.endswith(('.c', '.h', '.S')):
                self.problem(path, number, f'{len(line)} columns')
        if lines[-1] != '':
            self.problem(path, len(lines), 'no newline at the end')

    def todo(self, path, lines):
        """TODO with an issue."""
        if path.endswith(('tools/style.py', 'test_style.py')):
            return
        for number, line in enumerate(lines, 1):
            found = TODO.search(line)
            if found:
                self.problem(path, number,
                             f'{found.group()} without an issue: TODO(#12)')

    def doc(self, path, text, lines):
        """Comments of prototypes."""
        bare = without_comments(text).split('\n')
        for name, line in prototypes(text):
            # The line above ends a comment and holds nothing else.
            above = max(line - 2, 0)
            if not lines[above].rstrip().endswith('*/') \
                    or bare[above].strip():
                self.problem(path, line, f'{name}() has no comment')

    def callers(self, path, text):
        """Calls of what is for tests, elsewhere."""
        if path.startswith('test/') or not self.test_only:
            return
        code = without_directives(without_comments(text))
        names = re.compile(rf'\b({"|".join(sorted(self.test_only))})\s*\(')
        for function in functions(text):
            for match in names.finditer(code, *function.body):
                self.problem(path, line_of(code, match.start()),
                             f'{match.group(1)}() is for tests only')

    def code(self, path, text):
        """Function budget and conditions."""
        for function in functions(text):
            if 'budget' in self.checks:
                self.budget(path, function)
            if 'cond' in self.checks:
                body = text[function.body[0]:function.body[1]]
                for match in re.finditer(
                        r'^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b', body,
                        re.M):
                    self.problem(
                        path, line_of(text, function.body[0] + match.start()),
                        f'#{match.group(1)} inside {function.name}()')

    def budget(self, path, function):
        """Lengths, parameters and nesting."""
        self.sizes.append((function.lines, path, function))
        if function.lines > LONGEST:
            self.problem(path, function.line, f'{function.name}() has '
                         f'{function.lines} lines, at most {LONGEST}')
        most = max((most for prefix, most in REGISTERS.items()
                    if function.name.startswith(prefix)), default=PARAMETERS)
        if function.parameters > most:
            self.problem(path, function.line, f'{function.name}() has '
                         f'{function.parameters} parameters, at most {most}')
        if function.nesting > NESTING_LIMIT:
            self.problem(path, function.line, f'{function.name}() nests '
                         f'{function.nesting} deep, at most {NESTING_LIMIT}')
        elif function.nesting > NESTING:
            self.notes.append(f'{path}:{function.line}: note: '
                              f'{function.name}() nests {function.nesting} '
                              'deep')

    def shares(self):
        """The part of the budget that is about all functions."""
        if len(self.sizes) < 20:
            return
        self.sizes.sort(key=lambda entry: entry[0], reverse=True)
        large = [entry for entry in self.sizes if entry[0] >= USUAL]
        if len(large) > (1 - USUAL_SHARE) * len(self.sizes):
            self.problems.append(
                f'{len(large)} of {len(self.sizes)} functions have {USUAL} '
                f'lines or more, only {1 - USUAL_SHARE:.0%} may; the largest:')
            for lines, path, function in large[:8]:
                self.problems.append(
                    f'  {path}:{function.line}: {function.name}() {lines}')

    def format(self, paths):
        """clang-format, on all processors."""
        program = os.environ.get('CLANG_FORMAT') or FORMATTER
        if shutil.which(program) is None:
            self.problems.append(f'{program}: not found (make deps installs '
                                 'it)')
            return
        paths = [path for path in paths if path.endswith(('.c', '.h'))]
        jobs = os.cpu_count() or 1
        parts = [paths[i::jobs] for i in range(jobs) if paths[i::jobs]]

        def one(part):
            return subprocess.run(
                [program, '--dry-run', '-Werror', '--style=file', *part],
                cwd=self.root, text=True, capture_output=True, check=False)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in pool.map(one, parts):
                if done.returncode == 0:
                    continue
                found = re.findall(r'^(\S+?:\d+):\d+: error:', done.stderr,
                                   re.M)
                self.problems += [f'{place}: clang-format would change this'
                                  for place in dict.fromkeys(found)] \
                    or [done.stderr]


def tracked(root):
    """The files of the project: those git would know, or all."""
    done = subprocess.run(
        ['git', 'ls-files', '-co', '--exclude-standard', '-z'], cwd=root,
        capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        return sorted(name for name in done.stdout.decode().split('\0')
                      if name and (root / name).is_file())
    return sorted(str(path.relative_to(root)) for path in root.rglob('*')
                  if path.is_file()
                  and not {'build', '.git', '__pycache__'} & set(
                      path.relative_to(root).parts))


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/style.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parents[1]
    add = parser.add_argument
    add('--root', type=pathlib.Path, default=here, help='root of the source')
    add('--only', default=','.join(CHECKS), metavar='CHECK[,...]')
    add('--skip', default='', metavar='CHECK[,...]')
    add('--notes', action='store_true', help='print what is only reported')
    add('files', nargs='*', help='relative to the root; default all')
    args = parser.parse_args()
    checks = set(args.only.split(',')) - set(args.skip.split(','))
    if not checks <= set(CHECKS):
        parser.error('checks are ' + ', '.join(CHECKS))
    style = Style(args.root, checks)
    paths = args.files or tracked(args.root)
    if 'callers' in checks:
        style.find_test_only(tracked(args.root))
    for path in paths:
        style.file(path)
    if 'budget' in checks:
        style.shares()
    if 'format' in checks:
        style.format(paths)
    for line in style.problems + (style.notes if args.notes else []):
        print(line)
    if not style.problems and style.notes:
        print(f'style: clean, {len(style.notes)} notes (--notes)')
    return 1 if style.problems else 0


if __name__ == '__main__':
    sys.exit(main())
