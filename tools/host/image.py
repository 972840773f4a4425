# SPDX-License-Identifier: MIT
"""
Bootable images: the GRUB configuration and the command line inside.

The line which starts the kernel ends in blanks, so that a copy of the image
can get other arguments by writing over them (with_append()), without GRUB's
tools and for any emulator or USB stick.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

from host import cmdline

ROOM = 2048
MARK = b'#portolan: the next line is padded and may be changed in place\n'
COMMAND = 'multiboot2 '
MODULES = ('multiboot2 normal iso9660 part_gpt part_msdos part_apple fat '
           'configfile all_video serial terminal test echo boot search '
           'search_label search_fs_uuid search_fs_file')


def module_name(module):
    """(name, path) of FILE or FILE:NAME."""
    path, colon, name = module.rpartition(':')
    if colon and name and not os.path.exists(module):
        return name, path
    return os.path.basename(module), module


def kernel_line(kernel, words):
    """The padded line of the configuration that loads the kernel."""
    line = (COMMAND + kernel + ' '
            + ' '.join(cmdline.grub_quote(word) for word in words)).encode()
    if len(line) > ROOM:
        raise ValueError(f'the command line is longer than {ROOM} bytes')
    return line.ljust(ROOM) + b'\n'


def configuration(kernel, words, modules):
    """The text of grub.cfg, bytes."""
    # Without all_video there is no framebuffer under UEFI.
    text = b'set timeout=0\ninsmod all_video\n' + MARK
    text += kernel_line(kernel, words)
    for name in modules:
        quoted = cmdline.grub_quote(name)
        text += f'module2 /boot/{quoted} {quoted}\n'.encode()
    return text + b'boot\n'


def grub_mkrescue():
    """The program's name here; some distributions call it grub2-mkrescue."""
    for name in ('grub-mkrescue', 'grub2-mkrescue'):
        if shutil.which(name):
            return name
    raise RuntimeError('grub-mkrescue: not found (make deps installs it)')


def build(output, kernel, words, modules):
    """
    Make the image @output: @kernel with @words as its command line and
    @modules, a list of (name, path).
    """
    epoch = int(os.environ.get('SOURCE_DATE_EPOCH', '1704067200'))
    with tempfile.TemporaryDirectory(prefix='portolan-image-') as scratch:
        root = pathlib.Path(scratch) / 'root'
        boot = root / 'boot'
        (boot / 'grub').mkdir(parents=True)
        shutil.copyfile(kernel, boot / 'portolan.elf')
        names = set(['portolan.elf', 'grub'])
        for name, path in modules:
            if name in names or '/' in name:
                raise ValueError(f'module name {name!r} twice or not usable')
            names.add(name)
            shutil.copyfile(path, boot / name)
        (boot / 'grub' / 'grub.cfg').write_bytes(configuration(
            '/boot/portolan.elf', words, [name for name, _ in modules]))
        for folder, _, files in os.walk(root):
            for name in files + ['.']:
                os.utime(os.path.join(folder, name), (epoch, epoch))
        part = f'{output}.part'
        done = subprocess.run(
            [grub_mkrescue(), '-o', part, f'--install-modules={MODULES}',
             '--locales=', '--themes=', '--fonts=', '--compress=no',
             str(root)],
            env=dict(os.environ, SOURCE_DATE_EPOCH=str(epoch), LC_ALL='C',
                     TMPDIR=scratch),
            stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0 or not os.path.exists(part):
            raise RuntimeError('grub-mkrescue failed:\n' + (
                done.stdout + done.stderr).decode(errors='replace'))
        os.replace(part, output)


def temporary(args, scratch):
    """An image of --kernel, --module and --append, for one run."""
    output = scratch / 'portolan.iso'
    modules = [module_name(module) for module in args.module]
    if args.initrd:
        modules.append((os.path.basename(args.initrd), args.initrd))
    build(output, args.kernel, cmdline.split(args.append), modules)
    return output


def with_append(iso, append, scratch):
    """@iso itself, or a copy whose kernel gets the words of @append too."""
    extra = cmdline.split(append)
    if not extra:
        return iso
    data = bytearray(pathlib.Path(iso).read_bytes())
    at = data.find(MARK)
    if at < 0:
        raise ValueError(f'{iso}: --append needs an image of tools/mkimage')
    while at >= 0:
        start = at + len(MARK)
        old = bytes(data[start:start + ROOM]).decode().rstrip(' ')
        added = ' '.join(cmdline.grub_quote(word) for word in extra)
        before, dashes, after = old.partition(' -- ')
        new = (before + ' ' + added
               + (dashes + after if dashes else '')).encode()
        if '--' in extra and dashes:
            raise ValueError('the image has arguments after -- already')
        if len(new) > ROOM:
            raise ValueError(f'the command line is longer than {ROOM} bytes')
        data[start:start + ROOM] = new.ljust(ROOM)
        at = data.find(MARK, start)
    copy = scratch / 'portolan.iso'
    copy.write_bytes(data)
    return copy
