/* SPDX-License-Identifier: MIT */
/*
 * Loading a program into an empty space.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>

#include <portolan/spawn.h>

/* Where the program is, for its first thread. */
struct load {
    int space;      /* right to where it goes */
    uint64_t base;  /* added to all addresses in the file */
    uint64_t entry; /* first instruction */
    uint64_t phdr;  /* program headers, in its memory */
    uint64_t nr_phdr;
    uint64_t sp;
};

/*
 * Map the segments of a file.
 *
 * @load  space is set; the rest but sp is filled
 * @file  the caller's mapping of the whole file
 *
 * Returns: 0; -errno
 */
long load_image(struct load *load, const struct portolan_spawn *how,
                const void *file);

/*
 * Map a stack and write what a program finds there: arguments, environment,
 * auxiliary vector.
 *
 * Returns: 0, sp is filled; -errno
 */
long load_stack(struct load *load, const struct portolan_spawn *how);

/* 64 bits that are hard to guess. */
uint64_t load_random(void);

#endif /* LOAD_H */
