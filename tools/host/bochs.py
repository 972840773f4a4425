# SPDX-License-Identifier: MIT
"""
Bochs: a second, independent machine.  It boots ISO images by BIOS only, knows
up to 15 CPUs, and its exit status says nothing: the verdict is in the text.
The guest ends it by writing the bytes "Shutdown" to port 0x8900.
"""

import os
import pathlib
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tty

from host import image, session, verdict

SHARE = ['/usr/share/bochs', '/usr/local/share/bochs']
VGABIOS = ['/usr/share/vgabios/vgabios-stdvga.bin',
           '/usr/share/bochs/VGABIOS-lgpl-latest',
           '/usr/share/seabios/vgabios-stdvga.bin']
MAX_CPUS = 15


def first(paths, what):
    """The first of @paths that exists."""
    for path in paths:
        if os.path.isfile(path):
            return path
    raise RuntimeError(f'{what}: not found (make deps installs it)')


def megabytes(size):
    """@size as QEMU writes it, in MiB."""
    match = re.fullmatch(r'(\d+)([MG]?)', size.upper())
    if not match:
        raise ValueError(f'--mem {size}: not understood')
    return int(match.group(1)) * (1024 if match.group(2) == 'G' else 1)


def configuration(args, iso, serial, scratch):
    """The text of bochsrc."""
    memory = megabytes(args.mem)
    count = args.smp
    match = re.search(r'sockets=(\d+),cores=(\d+),threads=(\d+)', args.smp)
    if match:
        count = ':'.join(match.groups())
    bios = first([f'{share}/BIOS-bochs-latest' for share in SHARE],
                 'the BIOS of Bochs')
    vgabios = first([f'{share}/VGABIOS-lgpl-latest' for share in SHARE]
                    + VGABIOS, 'a VGA BIOS')
    com1 = 'enabled=0' if args.no_serial else f'enabled=1, {serial}'
    disk = (f'ata0-master: type=disk, path="{iso}", mode=volatile\n'
            f'boot: disk' if args.disk else
            f'ata1-master: type=cdrom, path="{iso}", status=inserted\n'
            'boot: cdrom')
    return f'''\
plugin_ctrl: unmapped=1, iodebug=1, serial=1, biosdev=1, speaker=0
display_library: sdl2
memory: guest={memory}, host={min(memory, 2048)}
romimage: file={bios}
vgaromimage: file={vgabios}
vga: extension=vbe, update_freq=5
cpu: model={args.cpu or "tigerlake"}, count={count}, ips=10000000, \
reset_on_triple_fault=0
clock: sync=none, time0=utc
com1: {com1}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
{disk}
log: {scratch}/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
'''


class Backend:
    """What the session needs from Bochs."""

    def __init__(self, process, master, log):
        self.process = process
        self.master = master
        self.log = log

    def write(self, data):
        os.write(self.master, data)

    def _cannot(self, *_):
        raise RuntimeError('Bochs cannot do this: only expect, refuse, send, '
                           'type, wait and end work there')

    keys = screenshot = nmi = hmp = _cannot

    def ended(self):
        if self.process.poll() is None:
            return None
        said = self.log.read_bytes() if self.log.exists() else b''
        if b'3rd (' in said:
            return 'triple'
        return 'exit' if b'hutdown' in said else 'poweroff'

    def quit(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stuck(self):
        return []


def start(args, scratch, serial):
    """Start it; (process, master of the serial pty or None, thread end)."""
    iso = (image.temporary(args, scratch) if args.kernel
           else image.with_append(args.iso, args.append, scratch))
    master = slave = None
    line = f'mode=file, dev={serial}'
    if args.steps:
        master, slave = pty.openpty()
        tty.setraw(slave)
        line = f'mode=term, dev={os.ttyname(slave)}'
    rc = scratch / 'bochsrc'
    rc.write_text(configuration(args, os.path.abspath(iso), line, scratch))
    (scratch / 'debug').write_text('c\n')
    program = shutil.which('bochs-bin') or shutil.which('bochs')
    if program is None:
        raise RuntimeError('bochs: not found (make deps installs it)')
    command = [program, '-q', '-f', str(rc), '-rc', str(scratch / 'debug')]
    command += args.extra
    if args.print_command:
        print(shlex.join(command), rc.read_text(), sep='\n', file=sys.stderr)
    env = dict(os.environ, SDL_VIDEODRIVER='dummy', SDL_AUDIODRIVER='dummy')
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL,
        stdout=open(scratch / 'bochs.out', 'wb'), stderr=subprocess.STDOUT,
        preexec_fn=session.die_with_parent)
    return process, master


class PtySerial:
    """Reads like the serial file, and keeps a copy there."""

    def __init__(self, master, path):
        self.master = master
        self.copy = open(path, 'wb')
        os.set_blocking(master, False)

    def read(self):
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return b''
        self.copy.write(data)
        self.copy.flush()
        return data

    def close(self):
        self.copy.close()


def run(args, scratch):
    """Boot; returns (exit code, message)."""
    if args.cpus > MAX_CPUS:
        raise ValueError(f'Bochs runs at most {MAX_CPUS} CPUs')
    if args.firmware == 'uefi' or args.icount or args.gdb or args.screenshot:
        raise ValueError('Bochs has no UEFI, --icount, --gdb, --screenshot')
    serial = os.path.abspath(args.serial or scratch / 'serial.txt')
    pathlib.Path(serial).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(serial).write_bytes(b'')
    process, master = start(args, scratch, serial)
    backend = Backend(process, master, scratch / 'bochs.log')
    watcher = session.Session(args, process, serial, backend)
    if master is not None:
        watcher.serial.close()
        watcher.serial = PtySerial(master, serial)
    try:
        code, message = watcher.watch()
    finally:
        backend.quit()
    if code == verdict.ERROR:
        log = scratch / 'bochs.log'
        said = log.read_text(errors='replace') if log.exists() else \
            (scratch / 'bochs.out').read_text(errors='replace')
        message = (message or '') + '\n' + '\n'.join(
            said.splitlines()[-8:])
    return code, message
