#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Hold the manual against the source.

  options   doc/cmdline.7.md has a heading for each OPTION() and for no other
  commands  a page of doc/ names each MONITOR_COMMAND(), in backquotes
  links     relative links of all *.md lead to a file, and to a heading of it

exit status: 0 clean, 1 something found.
"""

import argparse
import pathlib
import re
import sys

SOURCES = ('lib', 'arch', 'kern', 'vm', 'ipc', 'test')
OPTIONS_PAGE = 'doc/cmdline.7.md'
OUTSIDE = re.compile(r'[a-z][a-z0-9+.-]*:', re.I)
FENCE = re.compile(r'^(```|~~~).*?^\1[^\n]*$', re.M | re.S)
LINK = re.compile(r'\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)')
HEADING = re.compile(r'^(#+) +(.*?) *#*$', re.M)


def announced(root, macro):
    """(name, path) of the uses of a macro at the begin of a line."""
    pattern = re.compile(rf'^{macro}\(\s*(\w+)\s*,', re.M)
    for folder in SOURCES:
        for path in sorted((root / folder).rglob('*.c')):
            if path.name.endswith('_test.c'):
                continue        # has options and commands of its own
            text = path.read_text(encoding='utf-8')
            for match in pattern.finditer(text):
                yield match.group(1), path.relative_to(root)


def pages(root):
    """The pages of the project, as (path, text); what is built is not."""
    for path in sorted(root.rglob('*.md')):
        place = path.relative_to(root)
        if not {'build', '.git'} & set(place.parts):
            yield place, path.read_text(encoding='utf-8')


def anchors(text):
    """The anchors of the headings of a page, made as GitHub does."""
    found = set()
    for _, title in HEADING.findall(FENCE.sub('', text)):
        title = LINK.sub(lambda m: m.group()[1:m.group().index(']')], title)
        title = re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
        number = 0
        anchor = title
        while anchor in found:
            number += 1
            anchor = f'{title}-{number}'
        found.add(anchor)
    return found


def check_options(root):
    """Problems of the page of options."""
    page = root / OPTIONS_PAGE
    if not page.is_file():
        yield f'{OPTIONS_PAGE}: is missing'
        return
    text = FENCE.sub('', page.read_text(encoding='utf-8'))
    told = set(re.findall(r'^### +`?(\w+)', text, re.M))
    have = dict(announced(root, 'OPTION'))
    if not have:
        yield 'no OPTION() found in the source'
    for name in sorted(have.keys() - told):
        yield f'{have[name]}: option {name} has no heading in {OPTIONS_PAGE}'
    for name in sorted(told - have.keys()):
        yield f'{OPTIONS_PAGE}: there is no option {name}'


def check_commands(root):
    """Problems of the commands of the monitor."""
    manual = '\n'.join(text for path, text in pages(root)
                       if path.parts[0] == 'doc')
    found = False
    for name, path in announced(root, 'MONITOR_COMMAND'):
        found = True
        if not re.search(rf'`{name}[` ]', manual):
            yield f'{path}: no page of doc/ names the command `{name}`'
    if not found:
        yield 'no MONITOR_COMMAND() found in the source'


def check_links(root):
    """Problems of relative links."""
    for path, text in pages(root):
        bare = re.sub(r'`[^`\n]*`', '', FENCE.sub('', text))
        for target in LINK.findall(bare):
            if OUTSIDE.match(target):
                continue
            name, _, anchor = target.partition('#')
            file = (root / path).parent / name if name else root / path
            if not file.exists():
                yield f'{path}: broken link: {target}'
            elif anchor and file.suffix == '.md' and anchor not in anchors(
                    file.read_text(encoding='utf-8')):
                yield f'{path}: no such heading: {target}'


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/docs.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parents[1]
    parser.add_argument('--root', type=pathlib.Path, default=here)
    root = parser.parse_args().root.resolve()
    problems = [*check_options(root), *check_commands(root),
                *check_links(root)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
