#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Fail when an #include climbs a layer or closes a larger cycle than before.

The layers, from below: lib; arch, whose contract is include/arch and whose
arch/<cpu> is private; kern; vm; ipc; beside them user (programs, which see lib
and include/ only) and test, which sees everything and is seen by nothing.
Arrows only go down; arch/<cpu>/*.c and *.S implement contracts of kern and may
include it.  "quotes" are for headers of the same folder, and outside of test/
and user/ only headers of the language may come from elsewhere.

A module is foo.c, foo.h and foo_i.h together; foo_types.h is one of its own.
The largest cycles of headers and of modules may not exceed the numbers in
tools/layers.ratchet (1 is no cycle).
"""

import argparse
import os
import pathlib
import re
import sys

ORDER = ['lib', 'arch', 'kern', 'vm', 'ipc']
MAY = {layer: set(ORDER[:i + 1]) for i, layer in enumerate(ORDER)}
MAY['kern'].add('kern')
MAY['ipc'].add('api')
MAY['api'] = {'lib', 'api'}
MAY['private'] = {'lib', 'arch', 'private'}
MAY['user'] = {'lib', 'api', 'user'}
MAY['test'] = set(MAY) | {'test'}
# Sources of arch/<cpu> implement what kern declares.
SOURCE_MAY = {'private': {'kern'}}
FREE = {'lib': False, 'test': True, 'user': True}
STANDARD = {'stdint.h', 'stddef.h', 'stdbool.h', 'stdatomic.h', 'stdarg.h',
            'stdalign.h', 'stdnoreturn.h', 'limits.h', 'float.h',
            'cpuid.h', 'iso646.h'}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r'/\*.*?\*/', re.S)


def layer_of(path):
    """The layer of a file, named relative to the root; None if it has none."""
    parts = path.split('/')
    if parts[0] == 'include':
        return 'arch' if len(parts) > 2 and parts[1] == 'arch' else 'api'
    if parts[0] == 'arch':
        return 'private'
    return parts[0] if parts[0] in MAY else None


def resolve(root, path, quote, target):
    """The file that an #include means, relative to @root, or None."""
    if quote == '"':
        near = os.path.normpath(os.path.join(os.path.dirname(path), target))
        return near if (root / near).exists() else None
    for folder in ('', 'include/'):
        if (root / (folder + target)).exists():
            return folder + target
    return None


def generated(target):
    """The layer a header that does not exist (yet) would be in."""
    if target.startswith(('arch/', 'portolan/')):
        target = 'include/' + target
    return layer_of(target) if '/' in target else None


class Tree:
    """All sources below @root and what they include."""

    def __init__(self, root):
        self.root = root
        self.problems = []
        self.edges = {}
        folders = ORDER + ['include', 'user', 'test']
        for folder in folders:
            for path in sorted((root / folder).rglob('*')):
                if path.suffix in ('.c', '.h', '.S'):
                    self.read(str(path.relative_to(root)))

    def problem(self, path, line, text):
        """Note a violation."""
        self.problems.append(f'{path}:{line}: {text}')

    def read(self, path):
        """One file."""
        text = (self.root / path).read_text(encoding='utf-8')
        text = COMMENT.sub(lambda m: '\n' * m.group().count('\n'), text)
        self.edges[path] = set()
        for match in INCLUDE.finditer(text):
            quote, target = match.groups()
            line = text.count('\n', 0, match.start()) + 1
            self.include(path, line, quote, target)

    def include(self, path, line, quote, target):
        """One #include."""
        layer = layer_of(path)
        found = resolve(self.root, path, quote, target)
        if found is not None:
            self.edges[path].add(found)
        if quote == '"':
            if os.path.dirname(found or target) not in (
                    os.path.dirname(path), '') and layer != 'test':
                self.problem(path, line, f'"{target}" is of another folder, '
                             'whose contract is in <>')
            return
        other = layer_of(found) if found else generated(target)
        if other is None:
            if not FREE.get(layer) and target not in STANDARD:
                self.problem(path, line, f'<{target}> is foreign to {layer}')
            return
        allowed = set(MAY[layer])
        if not path.endswith('.h'):
            allowed |= SOURCE_MAY.get(layer, set())
        if other not in allowed:
            self.problem(path, line,
                         f'{layer} may not include {other} (<{target}>)')

    def headers(self):
        """The graph of headers."""
        return {path: {to for to in edges if to.endswith('.h')}
                for path, edges in self.edges.items() if path.endswith('.h')}

    def modules(self):
        """The graph of modules."""
        graph = {}
        for path, edges in self.edges.items():
            if layer_of(path) in ('test', 'user'):
                continue
            graph.setdefault(module(path), set()).update(
                module(to) for to in edges)
        return graph


def module(path):
    """The module that a file belongs to."""
    stem = re.sub(r'(_i)?\.[chS]$', '', path)
    return stem


def largest_cycle(graph):
    """The largest strongly connected component (Tarjan, SIAM J. 1972)."""
    index, low, stack, on_stack = {}, {}, [], set()
    best = []

    def visit(start):
        nonlocal best
        work = [(start, iter(sorted(graph.get(start, ()))))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, successors = work[-1]
            for after in successors:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter(sorted(graph.get(after, ())))))
                    break
                if after in on_stack:
                    low[node] = min(low[node], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    at = stack.index(node)
                    component = stack[at:]
                    del stack[at:]
                    on_stack.difference_update(component)
                    if len(component) > len(best):
                        best = component

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return best


def ratchet(tree, limits):
    """Compare the largest cycles with the numbers in file @limits."""
    allowed = {'headers': 1, 'modules': 1}
    if limits.exists():
        for line in limits.read_text(encoding='utf-8').splitlines():
            if line.strip() and not line.startswith('#'):
                name, number = line.split()
                allowed[name] = int(number)
    for name, graph in [('headers', tree.headers()),
                        ('modules', tree.modules())]:
        cycle = largest_cycle(graph)
        if len(cycle) > allowed[name]:
            tree.problems.append(
                f'{len(cycle)} {name} include each other in a cycle, '
                f'{allowed[name]} allowed: ' + ' '.join(sorted(cycle)))
        elif len(cycle) < allowed[name] and cycle:
            print(f'layers: the largest cycle of {name} is now {len(cycle)}: '
                  f'lower {limits}')


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/layers.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parents[1]
    parser.add_argument('--root', type=pathlib.Path, default=here,
                        help='root of the source')
    args = parser.parse_args()
    tree = Tree(args.root)
    ratchet(tree, args.root / 'tools' / 'layers.ratchet')
    for problem in tree.problems:
        print(problem)
    if not tree.edges:
        print('layers: no sources found')
    return 1 if tree.problems or not tree.edges else 0


if __name__ == '__main__':
    sys.exit(main())
