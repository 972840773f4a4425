/* SPDX-License-Identifier: MIT */
/*
 * mmap() and its like.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include <portolan/calls.h>

#include "posix.h"

_Static_assert(PROT_READ == PORTOLAN_SPACE_READ &&
                   PROT_WRITE == PORTOLAN_SPACE_WRITE &&
                   PROT_EXEC == PORTOLAN_SPACE_EXEC,
               "protections are passed on");

#define MEMORY_PROT (PROT_READ | PROT_WRITE | PROT_EXEC)

/* @size in whole pages; 0 if there is no such size. */
static size_t
memory_round(long size)
{
    return ((size_t)size + PORTOLAN_PAGE_SIZE - 1) &
           ~(size_t)(PORTOLAN_PAGE_SIZE - 1);
}

/* The flags of space_map() for those of mmap(). */
static uint32_t
memory_flags(long prot, long flags)
{
    uint32_t result = (uint32_t)prot & MEMORY_PROT;

    if ((flags & MAP_FIXED) != 0) {
        result |= PORTOLAN_SPACE_FIXED;
    } else if ((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE) {
        result |= PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_NEW;
    }
    if ((flags & MAP_ANON) == 0 && (flags & MAP_TYPE) == MAP_PRIVATE) {
        result |= PORTOLAN_SPACE_PRIVATE;
    }
    if ((flags & MAP_LOCKED) != 0) {
        result |= PORTOLAN_SPACE_WIRED;
    }
    return result;
}

long
__posix_mmap(const long *args)
{
    size_t size = memory_round(args[1]);
    long flags = args[3];
    int memory = (flags & MAP_ANON) != 0 ? PORTOLAN_RIGHT_NONE : (int)args[4];

    if (args[1] == 0 || (args[2] & ~(long)MEMORY_PROT) != 0) {
        return -EINVAL;
    }
    if (size < (size_t)args[1]) {
        return -ENOMEM;
    }
    if ((flags & MAP_ANON) == 0 && memory < 0) {
        return -EBADF;
    }
    return portolan_space_map(PORTOLAN_SELF, (uintptr_t)args[0], size,
                              memory_flags(args[2], flags), memory,
                              (flags & MAP_ANON) != 0 ? 0 : (uint64_t)args[5]);
}

long
__posix_munmap(const long *args)
{
    return portolan_space_unmap(PORTOLAN_SELF, (uintptr_t)args[0],
                                memory_round(args[1]));
}

long
__posix_mprotect(const long *args)
{
    if ((args[2] & ~(long)MEMORY_PROT) != 0) {
        return -EINVAL;
    }
    return portolan_space_protect(PORTOLAN_SELF, (uintptr_t)args[0],
                                  memory_round(args[1]), (uint32_t)args[2]);
}

static long
memory_advise(const long *args, enum portolan_advice advice)
{
    return portolan_space_advise(PORTOLAN_SELF, (uintptr_t)args[0],
                                 memory_round(args[1]), (int)advice);
}

/* Advice that has no effect on what a program sees may be ignored. */
long
__posix_madvise(const long *args)
{
    switch (args[2]) {
    case MADV_DONTNEED:
    case MADV_FREE:
        return memory_advise(args, PORTOLAN_ADVICE_DISCARD);
    case MADV_WILLNEED:
        return memory_advise(args, PORTOLAN_ADVICE_NEED);
    case MADV_DONTFORK:
        return memory_advise(args, PORTOLAN_ADVICE_INHERIT_NONE);
    case MADV_DOFORK:
        return memory_advise(args, PORTOLAN_ADVICE_INHERIT_COPY);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
        return 0;
    default:
        return -EINVAL;
    }
}

long
__posix_mlock(const long *args)
{
    return memory_advise(args, PORTOLAN_ADVICE_WIRE);
}

long
__posix_munlock(const long *args)
{
    return memory_advise(args, PORTOLAN_ADVICE_UNWIRE);
}

/* Who asks where the end is, is told the same as who wants to move it. */
long
__posix_brk(const long *args)
{
    (void)args;
    return -ENOMEM;
}
