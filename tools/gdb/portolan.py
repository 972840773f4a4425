# SPDX-License-Identifier: MIT
"""
gdb helpers; "source tools/gdb/portolan.py", as "make gdb" does.

  portolan list HEAD TYPE MEMBER [EXPRESSION]   elements of a list; @ stands
                                                for the element's address
  portolan cpus                                 where each CPU is
  portolan bt-all                               backtraces of all CPUs
  portolan table NAME                           entries of a linker table
  portolan log [N]                              the last N records (all)
  portolan sym ADDRESS                          function, file and line

All layouts are read from the kernel's debug information.
"""

import gdb

LIST_LIMIT = 100000
# Where the log is: set by "portolan-log-symbol NAME" if it moves.
LOG_SYMBOLS = ('log_ring', 'log')


def value(text):
    """Evaluate an expression."""
    return gdb.parse_and_eval(text)


def lookup_type(name):
    """A type by its name, "struct" may be left out."""
    for candidate in (name, 'struct ' + name):
        try:
            return gdb.lookup_type(candidate)
        except gdb.error:
            continue
    raise gdb.GdbError(f'no type {name}')


def offset_of(kind, member):
    """Bytes from the start of @kind to a member, dots and all."""
    null = gdb.Value(0).cast(kind.pointer())
    place = null.dereference()
    for part in member.split('.'):
        place = place[part]
    return int(place.address)


def field(record, *names):
    """The first of the fields @names that a record has, or None."""
    have = [f.name for f in record.type.strip_typedefs().fields()]
    for name in names:
        if name in have:
            return record[name]
    return None


def list_elements(head, kind, member):
    """Values of type @kind on the circular list at @head."""
    if head.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        head = head.address
    offset = offset_of(kind, member)
    node = head.dereference()['next']
    for _ in range(LIST_LIMIT):
        if int(node) == int(head):
            return
        if int(node) == 0:
            raise gdb.GdbError('the list is broken: a null pointer on it')
        yield gdb.Value(int(node) - offset).cast(
            kind.pointer()).dereference()
        node = node.dereference()['next']
    raise gdb.GdbError(f'more than {LIST_LIMIT} elements: a cycle?')


class Portolan(gdb.Command):
    """Look into a Portolan kernel; "help portolan list" and so on."""

    def __init__(self):
        super().__init__('portolan', gdb.COMMAND_DATA, prefix=True)


class ListCommand(gdb.Command):
    """portolan list HEAD TYPE MEMBER [EXPRESSION]

Print the elements of a list, or for each EXPRESSION, in which @ stands for the
address of the element."""

    def __init__(self):
        super().__init__('portolan list', gdb.COMMAND_DATA,
                         gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _):
        words = gdb.string_to_argv(argument)
        if len(words) < 3:
            raise gdb.GdbError('portolan list HEAD TYPE MEMBER [EXPRESSION]')
        kind = lookup_type(words[1])
        count = 0
        for element in list_elements(value(words[0]), kind, words[2]):
            address = int(element.address)
            if words[3:]:
                pointer = f'(({kind} *){address:#x})'
                shown = value(' '.join(words[3:]).replace('@', pointer))
            else:
                shown = element
            print(f'{address:#018x} {shown}')
            count += 1
        print(f'{count} elements')


class CpusCommand(gdb.Command):
    """portolan cpus: where each CPU is."""

    def __init__(self):
        super().__init__('portolan cpus', gdb.COMMAND_STATUS)

    def invoke(self, _, __):
        selected = gdb.selected_thread()
        threads = sorted(gdb.selected_inferior().threads(),
                         key=lambda thread: thread.num)
        for thread in threads:
            thread.switch()
            frame = gdb.newest_frame()
            place = frame.find_sal()
            where = f'{place.symtab.filename}:{place.line}' \
                if place.symtab else '?'
            mark = '*' if selected and thread.num == selected.num else ' '
            print(f'{mark} cpu {thread.num - 1}: {frame.pc():#x} '
                  f'{frame.name() or "?"} {where}  {thread.name or ""}')
        if selected:
            selected.switch()


class BacktracesCommand(gdb.Command):
    """portolan bt-all: backtraces of all CPUs."""

    def __init__(self):
        super().__init__('portolan bt-all', gdb.COMMAND_STACK)

    def invoke(self, argument, _):
        gdb.execute('thread apply all -ascending backtrace ' + argument)


class TableCommand(gdb.Command):
    """portolan table NAME: the entries of a table made by SECTION_ENTRY()."""

    def __init__(self):
        super().__init__('portolan table', gdb.COMMAND_DATA)

    def invoke(self, argument, _):
        name = argument.strip()
        start = value(f'__start_table_{name}')
        stop = int(value(f'__stop_table_{name}').address)
        size = gdb.lookup_type('void').pointer().sizeof
        kind = start.type.target()
        for at in range(int(start.address), stop, size):
            entry = gdb.Value(at).cast(kind.pointer()).dereference()
            print(f'{int(entry):#018x} {entry.dereference()}')


class SymCommand(gdb.Command):
    """portolan sym ADDRESS: function, file and line of an address."""

    def __init__(self):
        super().__init__('portolan sym', gdb.COMMAND_DATA)

    def invoke(self, argument, _):
        gdb.execute(f'info symbol {argument}')
        gdb.execute(f'info line *({argument})')


class LogCommand(gdb.Command):
    """portolan log [N]: the last N records of the kernel's log."""

    def __init__(self):
        super().__init__('portolan log', gdb.COMMAND_DATA)

    def ring(self):
        """The ring's variable."""
        for name in LOG_SYMBOLS:
            symbol = gdb.lookup_static_symbol(name) \
                or gdb.lookup_global_symbol(name)
            if symbol:
                return symbol.value()
        raise gdb.GdbError('no log ring in this kernel: '
                           + ' or '.join(LOG_SYMBOLS))

    def invoke(self, argument, _):
        ring = self.ring()
        records = field(ring, 'records', 'entries', 'slots')
        if records is None:
            raise gdb.GdbError(f'do not know how to read {ring.type}')
        low, high = records.type.range()
        found = []
        for i in range(low, high + 1):
            record = records[i]
            text = field(record, 'text')
            line = text.string(errors='replace').rstrip('\n')
            if line:
                found.append((int(field(record, 'sequence')),
                              int(field(record, 'time')), line))
        found.sort()
        count = int(argument) if argument.strip() else len(found)
        for _, time, line in found[-count:]:
            print(f'[{time // 10 ** 9:5}.{time // 1000 % 10 ** 6:06}] {line}')


for command in (Portolan, ListCommand, CpusCommand, BacktracesCommand,
                TableCommand, SymCommand, LogCommand):
    command()
