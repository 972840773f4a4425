# SPDX-License-Identifier: MIT
"""QEMU: the command line and the session with it."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from host import archive, cmdline, image, session, verdict
from host.qmp import Qmp, key_combos

OVMF_ROM = ['/usr/share/ovmf/OVMF.fd', '/usr/share/qemu/OVMF.fd']
OVMF_FLASH = [('/usr/share/OVMF/OVMF_CODE_4M.fd',
               '/usr/share/OVMF/OVMF_VARS_4M.fd'),
              ('/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd')]


def firmware_flags(args, scratch):
    """Flags for the firmware asked for."""
    if args.firmware == 'bios':
        return []
    if args.firmware == 'qboot':
        return ['-bios', 'qboot.rom']
    # One read-only image starts in half the time of flash with variables,
    # and keeps no state that a run on another machine could trip over.
    for rom in OVMF_ROM:
        if os.path.isfile(rom):
            return ['-bios', rom]
    for code, variables in OVMF_FLASH:
        if os.path.isfile(code) and os.path.isfile(variables):
            copy = scratch / 'vars.fd'
            shutil.copyfile(variables, copy)
            return ['-drive', 'if=pflash,format=raw,unit=0,readonly=on,'
                    f'file={code}',
                    '-drive', f'if=pflash,format=raw,unit=1,file={copy}']
    raise RuntimeError('no OVMF firmware found (make deps installs it)')


def accel_flags(args):
    """Flags for the way of executing."""
    if args.icount:
        return ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off',
                '-rtc', 'base=2024-01-01T00:00:00,clock=vm']
    accel = args.accel or ('multi' if args.cpus <= 2 else 'single')
    return ['-accel', 'kvm' if accel == 'kvm' else f'tcg,thread={accel}']


def boot_flags(args, scratch):
    """Flags for what to boot."""
    if args.kernel and args.firmware == 'uefi':
        iso = image.temporary(args, scratch)
    elif args.kernel:
        words = cmdline.split(args.append)
        flags = ['-kernel', args.kernel, '-append', cmdline.encode(words)]
        if args.module:
            packed = scratch / 'modules.cpio'
            packed.write_bytes(archive.pack(
                [image.module_name(m) for m in args.module]))
            flags += ['-initrd', str(packed)]
        elif args.initrd:
            flags += ['-initrd', args.initrd]
        return flags
    else:
        iso = image.with_append(args.iso, args.append, scratch)
    if args.disk:
        return ['-drive', f'file={comma(iso)},format=raw,if=none,id=boot,'
                'snapshot=on', '-device', 'ide-hd,drive=boot,bootindex=0']
    return ['-cdrom', str(iso)]


def comma(path):
    """A comma in a file name is doubled in QEMU's options."""
    return str(path).replace(',', ',,')


def serial_flags(args, serial):
    """Flags for the first serial line."""
    if args.no_serial:
        return ['-serial', 'none', '-monitor', 'none']
    if args.interactive:
        # The same as mon:stdio, and a copy in a file.
        return ['-chardev', 'stdio,id=serial0,mux=on,signal=off,'
                f'logfile={comma(serial)}',
                '-serial', 'chardev:serial0', '-mon', 'chardev=serial0']
    if args.steps:
        return ['-chardev', 'stdio,id=serial0,signal=off',
                '-serial', 'chardev:serial0', '-monitor', 'none']
    return ['-serial', f'file:{serial}', '-monitor', 'none']


def command(args, scratch, serial, qmp):
    """The whole command of a run."""
    line = shlex.split(args.qemu)
    if not shutil.which(line[0]):
        raise RuntimeError(f'{line[0]}: not found (make deps installs it)')
    line += ['-machine', args.machine, '-m', args.mem, '-smp', args.smp]
    line += ['-cpu', args.cpu or 'max'] + accel_flags(args)
    line += firmware_flags(args, scratch) + boot_flags(args, scratch)
    line += serial_flags(args, serial)
    line += ['-display', args.display, '-qmp', f'unix:{comma(qmp)}']
    if not (args.screenshot and args.screenshot_at == 'exit'):
        if not args.no_debug_exit:
            line += ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4']
    else:
        line += ['-no-shutdown']
    if not args.reboot:
        line += ['-no-reboot']
    if not any(flag in args.extra for flag in ['-nic', '-net', '-netdev']):
        line += ['-nic', 'none']
    if args.gdb:
        line += ['-S', '-gdb', f'tcp:127.0.0.1:{args.gdb}']
    if '-d' not in args.extra:
        line += ['-d', 'cpu_reset', '-D', str(scratch / 'qemu.log')]
    return line + args.extra


class Backend:
    """What the session needs from QEMU."""

    def __init__(self, args, process, qmp, scratch):
        self.args = args
        self.process = process
        self.qmp = qmp
        self.log = scratch / 'qemu.log'

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def keys(self, text):
        for combo in key_combos(text):
            self.qmp.command('send-key', **{
                'keys': [{'type': 'qcode', 'data': key} for key in combo],
                'hold-time': 40})
            # The next key only after the release: guests poll slowly.
            session.time.sleep(0.06)

    def screenshot(self, path):
        path = os.path.abspath(path)
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.qmp.command('screendump', filename=path, format='png')

    def nmi(self):
        self.qmp.command('inject-nmi')

    def hmp(self, line):
        return self.qmp.hmp(line)

    def triple_fault(self):
        return (self.log.exists()
                and b'Triple fault' in self.log.read_bytes())

    def ended(self):
        self.qmp.poll()
        reason = self.qmp.end_reason()
        if reason is None and self.process.poll() is None:
            return None
        if reason == 'guest-reset' or reason is None:
            if self.triple_fault():
                return 'triple'
        if self.process.poll() in verdict.DEBUG_EXIT:
            return 'exit'
        return {'guest-reset': 'reset',
                'guest-shutdown': 'poweroff'}.get(reason, reason)

    def quit(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.qmp.close()

    def stuck(self):
        try:
            text = self.qmp.hmp('info registers -a')
        except (OSError, RuntimeError):
            return ['the emulator does not answer']
        elf = kernel_file(self.args)
        lines = []
        for part in re.split(r'\n*CPU#', text)[1:9]:
            rip = re.search(r'[RE]IP=(\w+)', part)
            halted = 'halted' if 'HLT=1' in part else 'running'
            sp = re.search(r'[RE]SP=(\w+)', part)
            cr2 = re.search(r'CR2=(\w+)', part)
            lines.append(f'cpu {part.split()[0]} {halted} '
                         + ' '.join(f'{n}={m.group(1)}' for n, m in
                                    [('rip', rip), ('rsp', sp), ('cr2', cr2)]
                                    if m)
                         + (where(elf, rip.group(1)) if rip else ''))
        return lines


def kernel_file(args):
    """The ELF that belongs to what was booted, or None."""
    if args.kernel:
        return args.kernel
    beside = pathlib.Path(args.iso).with_suffix('.elf')
    return str(beside) if beside.exists() else None


def where(elf, address):
    """' function at file:line' of @address, '' if unknown."""
    if elf is None or not shutil.which('addr2line'):
        return ''
    done = subprocess.run(['addr2line', '-fpse', elf, address], text=True,
                          capture_output=True, check=False)
    name = done.stdout.strip()
    return f' {name}' if name and not name.startswith('??') else ''


def run(args, scratch):
    """Boot; returns (exit code, message)."""
    kept = args.serial if args.serial else scratch / 'serial.txt'
    serial = None if args.no_serial else os.path.abspath(kept)
    if serial:
        pathlib.Path(serial).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(serial).write_bytes(b'')
    qmp = Qmp(str(scratch / 'qmp'))
    line = command(args, scratch, serial, scratch / 'qmp')
    if args.print_command:
        print(shlex.join(line), file=sys.stderr)
    errors = None if args.interactive else open(scratch / 'stderr', 'w+b')
    streams = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL}
    if args.interactive:
        streams = {}
        session.signal.signal(session.signal.SIGINT, session.signal.SIG_IGN)
    elif args.steps:
        streams = {'stdin': subprocess.PIPE, 'stdout': open(serial, 'wb')} \
            if serial else streams
    elif args.display == 'curses':
        streams = {}
    saved = terminal_state()
    process = subprocess.Popen(line, stderr=errors, **streams,
                               preexec_fn=session.die_with_parent)
    backend = Backend(args, process, qmp, scratch)
    try:
        if not connected(qmp, process):
            backend.quit()
            return verdict.ERROR, failure(line, process, errors)
        code, message = session.Session(args, process, serial, backend).watch()
    finally:
        backend.quit()
        restore_terminal(saved)
    if code == verdict.ERROR and process.returncode not in (0, None, -15):
        message = failure(line, process, errors)
    return code, message


def connected(qmp, process):
    """
    Wait until QEMU has called back; False if it refused.  A machine may be
    through before that.
    """
    for _ in range(300):
        if qmp.accept(0.1):
            return True
        if process.poll() is not None:
            return process.poll() in verdict.DEBUG_EXIT
    return False


def failure(line, process, errors):
    """What QEMU said when it refused."""
    said = ''
    if errors is not None:
        errors.seek(0)
        said = errors.read().decode(errors='replace').strip()
    return f'{line[0]} failed ({process.returncode})' + (
        ': ' + said[-2000:] if said else '')


def terminal_state():
    """What restore_terminal() needs."""
    try:
        import termios
        return termios.tcgetattr(0)
    except Exception:  # not a terminal
        return None


def restore_terminal(saved):
    """QEMU may have left the terminal raw."""
    if saved is not None:
        import termios
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
