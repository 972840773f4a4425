# SPDX-License-Identifier: MIT
"""The kernels that tools build and boot."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What make is given for each.
VARIANTS = {
    'gcc': [],
    'clang': ['CC=clang'],
    'ubsan': ['SAN=ubsan'],
    'kasan': ['SAN=kasan'],
    'kcsan': ['SAN=kcsan'],
    'clang kcsan': ['CC=clang', 'SAN=kcsan'],
    'debug': ['DEBUG=1'],
    'clang debug': ['CC=clang', 'DEBUG=1'],
}


def make(*words):
    """A make of the same project, without what the outer one was given."""
    return ['make', '--no-print-directory', 'NODEPS=1', *words]


def folder(variant):
    """Where the Makefile puts a variant."""
    done = subprocess.run(
        make('-s', 'print-build-dir', *VARIANTS[variant]), cwd=ROOT, text=True,
        capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError('make print-build-dir failed: ' + done.stderr)
    return done.stdout.strip()


# Variables of make that must not reach an inner one.
OUTER = ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES', 'CC', 'SAN',
         'DEBUG', 'CHECK', 'APPEND', 'SMP', 'MEM', 'MACHINE', 'FIRMWARE',
         'QEMUFLAGS', 'EXPLORE', 'SCHEDULES', 'BROKEN', 'MINUTES', 'TORTURE',
         'SEED')
