#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Make of ipc/syscalls.tbl all that is to be known of system calls.

  tools/syscalls.py --gen DIR      into DIR, for the build:
      portolan/call_nr.h   numbers, for C and assembly
      portolan/calls.h     prototypes of the stubs, for programs
      ipc/calls.h          prototypes of the kernel's functions
      ipc/calls.c          the kernel's table, and descriptions for printing
      user/calls.S         the stubs
  tools/syscalls.py --doc          doc/syscalls.md anew, doc/posix-calls.md of
                                   user/lib/posix/calls.def, and those pages
                                   of doc/man that do not exist
  tools/syscalls.py --check        are those as they would be made?

What the table looks like is told at its top.  A call that is "planned" has a
number and a stub, but the kernel has no function for it: it is answered as a
number that does not exist.
"""

import argparse
import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NR_FAST = 16
STATES = ('ready', 'planned')
RETURNS = {'none': '0', 'int': 'a number', 'long': 'a value',
           'size': 'a number of bytes or elements', 'right': 'a name',
           'time': 'nanoseconds', 'addr': 'an address', 'never': ''}
# kind: type for programs, type in the kernel
SCALARS = {'right': ('int', 'uint32_t'), 'int': ('int', 'int32_t'),
           'long': ('long', 'int64_t'), 'u32': ('uint32_t', 'uint32_t'),
           'u64': ('uint64_t', 'uint64_t'), 'size': ('size_t', 'size_t'),
           'addr': ('uintptr_t', 'uintptr_t'),
           'flags': ('uint32_t', 'uint32_t')}
DIRECTIONS = ('in', 'out', 'inout')
MOST = 6

ENTRY = re.compile(r'(\d+)\s+(\w+)\s+(\w+)\s+(\w+)\s*\(([^()]*)\)\s*(\S.*)')
SCALAR = re.compile(r'(\w+)(?::([A-Z_]+))?\s+(\w+)')
POINTER = re.compile(r'(in|out|inout)(\?)?\s+(\w+)(?::(\w+))?(?:\[(\w+)\])?')
C_NOTICE = '/* SPDX-License-Identifier: MIT */\n' \
           '/* Made by tools/syscalls.py of ipc/syscalls.tbl. */\n'


class TableError(Exception):
    """The table is wrong."""


@dataclasses.dataclass
class Argument:
    """An argument: a scalar, or a pointer with a direction."""
    kind: str
    name: str
    flags: str = ''     # prefix of the bits
    struct: str = ''    # what is pointed at; '': bytes
    size: str = ''      # argument or number that says how much
    optional: bool = False

    def is_pointer(self):
        """Is it?"""
        return self.kind in DIRECTIONS

    def user_type(self):
        """The C type for programs, ready to be followed by a name."""
        if not self.is_pointer():
            return SCALARS[self.kind][0] + ' '
        const = 'const ' if self.kind == 'in' else ''
        what = f'struct portolan_{self.struct}' if self.struct else 'void'
        return f'{const}{what} *'

    def kernel_type(self):
        """The C type in the kernel, ready to be followed by a name."""
        return ('uintptr_t' if self.is_pointer()
                else SCALARS[self.kind][1]) + ' '


@dataclasses.dataclass
class Call:
    """A line of the table."""
    number: int
    state: str
    name: str
    returns: str
    arguments: list
    sentence: str

    def macro(self):
        """The name of its number."""
        return 'PORTOLAN_CALL_' + self.name.upper()


def parse_argument(text):
    """An Argument of the words that tell it."""
    match = POINTER.fullmatch(text)
    if match:
        kind, optional, name, struct, size = match.groups()
        if not struct and not size:
            raise TableError(f'"{text}": how much memory?')
        return Argument(kind, name, struct=struct or '', size=size or '',
                        optional=bool(optional))
    match = SCALAR.fullmatch(text)
    if not match or match.group(1) not in SCALARS:
        raise TableError(f'"{text}" is no argument')
    kind, flags, name = match.groups()
    if (kind == 'flags') != bool(flags):
        raise TableError(f'"{text}": flags, and only they, have a prefix')
    return Argument(kind, name, flags=flags or '')


def parse_call(text):
    """A Call of a logical line."""
    match = ENTRY.fullmatch(text)
    if not match:
        raise TableError('not NUMBER STATE NAME RETURN (ARGUMENTS) SENTENCE')
    number, state, name, returns, inside, sentence = match.groups()
    if state not in STATES:
        raise TableError(f'{state} is no state')
    if returns not in RETURNS:
        raise TableError(f'{returns} is nothing to return')
    if not sentence.endswith('.'):
        raise TableError('the sentence does not end')
    arguments = [parse_argument(' '.join(a.split()))
                 for a in inside.split(',') if a.strip()]
    names = [argument.name for argument in arguments]
    if len(names) > MOST or len(set(names)) < len(names):
        raise TableError('too many arguments, or two of one name')
    for argument in arguments:
        if argument.size and not argument.size.isdigit() \
                and argument.size not in names:
            raise TableError(f'[{argument.size}] is no argument')
    return Call(int(number), state, name, returns, arguments, sentence)


def logical_lines(text):
    """(number of the first line, joined line) without comments."""
    first, parts = 0, []
    for i, line in enumerate(text.splitlines() + ['end'], 1):
        if line.startswith('#') or not line.strip():
            continue
        if line[0] == ' ' and parts:
            parts.append(line.strip())
            continue
        if parts:
            yield first, ' '.join(parts)
        first, parts = i, [line.strip()]


def parse(text):
    """The calls of a table."""
    calls = []
    for line, entry in logical_lines(text):
        try:
            call = parse_call(entry)
            if calls and call.number <= calls[-1].number:
                raise TableError('numbers must rise')
            if any(call.name == other.name for other in calls):
                raise TableError(f'{call.name} is there twice')
        except TableError as error:
            raise TableError(f'line {line}: {error}') from None
        calls.append(call)
    if not calls:
        raise TableError('no calls')
    return calls


def wrap(text, indent, width=80):
    """Break a list at commas."""
    lines, line = [], ''
    for part in text.split(', '):
        if line and len(line) + len(part) + 2 > width - indent:
            lines.append(line + ',')
            line = part
        else:
            line = f'{line}, {part}' if line else part
    lines.append(line)
    return ('\n' + ' ' * indent).join(lines)


def prototype(result, name, parameters):
    """A prototype in the layout of the project."""
    head = f'{result} {name}('
    return head + wrap(', '.join(parameters) or 'void', len(head)) + ');'


def make_numbers(calls):
    """portolan/call_nr.h"""
    width = max(len(call.macro()) for call in calls)
    lines = [f'#define {call.macro():{width}} {call.number}'
             for call in calls]
    return (C_NOTICE + '#ifndef PORTOLAN_CALL_NR_H\n'
            '#define PORTOLAN_CALL_NR_H\n\n'
            '/* Calls with smaller numbers begin with interrupts disabled. */\n'
            f'#define PORTOLAN_NR_FAST_CALLS {NR_FAST}\n\n'
            '/* All numbers are smaller. */\n'
            f'#define PORTOLAN_NR_CALLS {calls[-1].number + 1}\n\n'
            + '\n'.join(lines) + '\n\n#endif /* PORTOLAN_CALL_NR_H */\n')


def result_line(call):
    """What a call returns, for people."""
    if call.returns == 'never':
        return 'Does not return.'
    return f'Returns: {RETURNS[call.returns]}; -errno'


def make_user_header(calls):
    """portolan/calls.h"""
    parts = [C_NOTICE, '''\
/*
 * The system calls, as they are: a result below 0 is -errno, errno itself is
 * not touched.  doc/man has a page for each.
 */
#ifndef PORTOLAN_CALLS_H
#define PORTOLAN_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include <portolan/container.h>
#include <portolan/msg.h>
#include <portolan/space.h>
#include <portolan/sysinfo.h>
#include <portolan/task.h>
#include <portolan/types.h>

#ifdef __cplusplus
extern "C" {
#endif
''']
    for call in calls:
        never = call.returns == 'never'
        result = '__attribute__((noreturn)) void' if never else 'long'
        parts.append(f'\n/* {call.sentence} */\n' + prototype(
            result, f'portolan_{call.name}',
            [a.user_type() + a.name for a in call.arguments]) + '\n')
    parts.append('\n#ifdef __cplusplus\n}\n#endif\n\n'
                 '#endif /* PORTOLAN_CALLS_H */\n')
    return ''.join(parts)


def make_stubs(calls):
    """user/calls.S"""
    parts = [C_NOTICE, '''\
/*
 * Arguments are where functions have them, but for the fourth, as the
 * processor needs %rcx.
 */
#include <portolan/call_nr.h>

.macro stub name, number, nr_arguments
    .section .text.\\name, "ax", @progbits
    .globl \\name
    .type \\name, @function
    .balign 16
\\name:
    .cfi_startproc
    mov $\\number, %eax
    .if \\nr_arguments > 3
    mov %rcx, %r10
    .endif
    syscall
    ret
    .cfi_endproc
    .size \\name, . - \\name
.endm

''']
    parts += [f'stub portolan_{call.name}, {call.macro()}, '
              f'{len(call.arguments)}\n' for call in calls]
    parts.append('\n    .section .note.GNU-stack, "", @progbits\n')
    return ''.join(parts)


def make_kernel_header(calls):
    """ipc/calls.h"""
    parts = [C_NOTICE, '''\
/*
 * What the kernel does for each call.
 *
 * Parameters are as in the program's registers and not to be trusted;
 * addresses are the user's.  Results below 0 are -errno.
 *
 * Context: thread, preemptible, interrupts enabled; those below
 *          PORTOLAN_NR_FAST_CALLS: interrupts disabled at entry, and so or
 *          enabled on return
 */
#ifndef IPC_CALLS_H
#define IPC_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include <portolan/call_nr.h>
''']
    for call in calls:
        if call.state == 'ready':
            parts.append(f'\n/* {call.sentence} */\n' + prototype(
                'long', f'call_{call.name}',
                [a.kernel_type() + a.name for a in call.arguments]) + '\n')
    parts.append('\n#endif /* IPC_CALLS_H */\n')
    return ''.join(parts)


def describe(call):
    """The element of call_descriptions[] for a call."""
    names = [argument.name for argument in call.arguments]
    arguments = []
    for argument in call.arguments:
        size = names.index(argument.size) if argument.size in names else -1
        arguments.append(f'{{ "{argument.name}", '
                         f'CALL_ARG_{argument.kind.upper()}, {size} }}')
    inside = ',\n                       '.join(arguments)
    listed = f'\n        .arguments = {{ {inside} }},' if arguments else ''
    return (f'    [{call.macro()}] = {{\n'
            f'        .name = "{call.name}",\n'
            f'        .result = CALL_RESULT_{call.returns.upper()},\n'
            f'        .nr_arguments = {len(arguments)},{listed}\n    }},\n')


def make_kernel_table(calls):
    """ipc/calls.c"""
    ready = [call for call in calls if call.state == 'ready']
    parts = [C_NOTICE, '''\
/*
 * The table of calls.  The functions have the parameters that their calls
 * have, at most six; what is in the other registers does not matter to them.
 */
#include <ipc/call.h>
#include <ipc/calls.h>

#define CALL(fn) ((user_call_fn_t)(void (*)(void))(fn))

_Static_assert(PORTOLAN_NR_FAST_CALLS == USER_NR_FAST_CALLS,
               "the entry code has interrupts disabled for these");

const user_call_fn_t call_table[PORTOLAN_NR_CALLS] = {
''']
    used = {call.number for call in ready}
    table = {call.number: f'    [{call.macro()}] = CALL(call_{call.name}),\n'
             for call in ready}
    for number in range(calls[-1].number + 1):
        parts.append(table[number] if number in used
                     else f'    [{number}] = call_none,\n')
    parts.append('};\n\nconst struct call_description '
                 'call_descriptions[PORTOLAN_NR_CALLS] = {\n')
    parts += [describe(call) for call in calls]
    parts.append('};\n')
    return ''.join(parts)


def make_page(calls):
    """doc/syscalls.md"""
    ready = [call for call in calls if call.state == 'ready']
    parts = ['# System calls\n\nMade by `tools/syscalls.py --doc` of '
             '`ipc/syscalls.tbl`; conventions are told in\n'
             f'[the manual of the SDK](sdk.md#calls). {len(ready)} of '
             f'{len(calls)} are there; the others are planned and return '
             '-ENOSYS.\n\n'
             '| number | call | | what it does |\n| --- | --- | --- | --- |\n']
    for call in calls:
        state = '' if call.state == 'ready' else 'planned'
        parts.append(f'| {call.number} | [{call.name}](man/{call.name}.2.md) '
                     f'| {state} | {call.sentence} |\n')
    return ''.join(parts)


def make_posix_page(text):
    """doc/posix-calls.md"""
    calls = re.findall(r'^POSIX_CALL\((\w+), "([^"]*)"\)$', text, re.M)
    return ('''\
# What of POSIX works

Made by `tools/syscalls.py --doc` of `user/lib/posix/calls.def`. The C library
is [musl, with its calls of Linux replaced](sdk.md#c-library); these work, all
others fail with ENOSYS.

| Linux's call | is here |
| --- | --- |
''' + ''.join(f'| {name} | {what} |\n' for name, what in calls))


def pages(calls, root):
    """The pages that are made anew: (path, text)."""
    yield root / 'doc/syscalls.md', make_page(calls)
    posix = root / 'user/lib/posix/calls.def'
    if posix.exists():
        yield (root / 'doc/posix-calls.md',
               make_posix_page(posix.read_text(encoding='utf-8')))


def tell_argument(argument):
    """A sentence about an argument, for a manual page."""
    optional = '; may be NULL' if argument.optional else ''
    if argument.is_pointer():
        what = {'in': 'is read', 'out': 'is written',
                'inout': 'is read and written'}[argument.kind]
        if argument.struct and argument.size:
            of = f'`{argument.size}` elements of it: memory that'
        elif argument.struct:
            of = 'memory that'
        else:
            unit = '' if argument.size.isdigit() else '`'
            of = f'{unit}{argument.size}{unit} bytes of memory that'
        return f'{of} {what}{optional}'
    return {'right': 'a right', 'int': 'a number', 'long': 'a number',
            'u32': 'a number', 'u64': 'a number', 'size': 'a size',
            'addr': 'an address',
            'flags': f'`PORTOLAN_{argument.flags}_...`, any of them',
            }[argument.kind]


def make_manual(call):
    """The skeleton of doc/man/NAME.2.md"""
    never = call.returns == 'never'
    use = prototype('void' if never else 'long', f'portolan_{call.name}',
                    [a.user_type() + a.name for a in call.arguments])
    parts = [f'# {call.name}(2)\n\n{call.sentence}\n\n'
             f'```c\n#include <portolan/calls.h>\n\n{use}\n```\n']
    if call.arguments:
        parts.append('\n| argument | is |\n| --- | --- |\n')
        parts += [f'| `{a.name}` | {tell_argument(a)} |\n'
                  for a in call.arguments]
    returns = 'It does not return.' if never else \
        f'{RETURNS[call.returns].capitalize()}, or a negative error number.'
    parts.append(f'\n## Result\n\n{returns}\n')
    return ''.join(parts)


GENERATED = {'portolan/call_nr.h': make_numbers,
             'portolan/calls.h': make_user_header,
             'ipc/calls.h': make_kernel_header,
             'ipc/calls.c': make_kernel_table,
             'user/calls.S': make_stubs}


def write(path, text):
    """Write a file, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def check(calls, root):
    """Problems of what is in the tree."""
    for path, text in pages(calls, root):
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            yield f'{path.relative_to(root)} is old: tools/syscalls.py --doc'
    manual = root / 'doc/man'
    for call in calls:
        path = manual / f'{call.name}.2.md'
        if not path.exists():
            yield f'{call.name} has no page in doc/man: ' \
                'tools/syscalls.py --doc'
        elif f'portolan_{call.name}(' not in path.read_text(encoding='utf-8'):
            yield f'{path.relative_to(root)} does not show how to call it'
    names = {f'{call.name}.2.md' for call in calls}
    for path in sorted(manual.glob('*.2.md')):
        if path.name not in names:
            yield f'{path.relative_to(root)}: there is no such call'


def write_doc(calls, root):
    """The pages of all calls, and manual pages that are missing."""
    for path, text in pages(calls, root):
        write(path, text)
    for call in calls:
        path = root / 'doc/man' / f'{call.name}.2.md'
        if not path.exists():
            write(path, make_manual(call))


def main():
    """The command."""
    parser = argparse.ArgumentParser(
        prog='tools/syscalls.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--gen', type=pathlib.Path, metavar='DIR')
    add('--doc', action='store_true')
    add('--check', action='store_true')
    add('--root', type=pathlib.Path, default=ROOT, help='root of the source')
    args = parser.parse_args()
    table = args.root / 'ipc/syscalls.tbl'
    try:
        calls = parse(table.read_text(encoding='utf-8'))
    except (OSError, TableError) as error:
        print(f'{table}: {error}', file=sys.stderr)
        return 1
    if args.gen:
        for name, make in GENERATED.items():
            write(args.gen / name, make(calls))
    if args.doc:
        write_doc(calls, args.root)
    problems = list(check(calls, args.root)) if args.check else []
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
