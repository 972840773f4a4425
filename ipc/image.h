/* SPDX-License-Identifier: MIT */
/*
 * Programs as files: from ELF into an address space.
 *
 * Only the first program is loaded here; a library loads all others.  The file
 * may come from anybody: it is checked as a whole before anything is mapped.
 *
 * What is loaded: static programs, position independent ones at a random base,
 * others where they want to be.  Their segments are in order and share no
 * page; none is both written and executed, at no time.
 */
#ifndef IPC_IMAGE_H
#define IPC_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include <lib/elf.h>
#include <lib/rand.h>
#include <lib/status.h>

struct vm_space;

/* Position independent programs lie in 2^40 bytes from here, and their size. */
#define IMAGE_START  UINT64_C(0x550000000000)
#define IMAGE_RANDOM (UINT64_C(1) << 40)

/* Others end below this; stacks are above. */
#define IMAGE_END UINT64_C(0x7f0000000000)

/* A program that may be loaded; the caller owns the file. */
struct image {
    struct elf_image elf;
    uint64_t base;    /* to be added to the addresses of the file */
    uint64_t entry;   /* where it begins */
    uint64_t headers; /* where it finds its program headers; 0: nowhere */
    uint32_t nr_headers;
};

/*
 * Check a file, and choose where the program is to be.
 *
 * @image  written only on success
 * @file   in the direct map, any alignment; kept, and not changed by anybody,
 *         until the program is loaded
 * @rand   of the base
 *
 * Context: thread
 * Returns: OK; ERR_FORMAT, ERR_TRUNCATED: no ELF file, or malformed;
 *          ERR_UNSUPPORTED: a program of another machine, or one that has to be
 *          linked; ERR_RANGE: its addresses are not those of programs;
 *          ERR_ACCESS: memory that is both written and executed
 */
status_t image_open(struct image *image, const void *file, size_t size,
                    struct rand *rand) __must_check;

/*
 * Map the segments of a program and copy what the file has of them.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_EXISTS: something is mapped there; ERR_NO_MEMORY.  If not
 *          OK, some of it may be in the space.
 */
status_t image_map(const struct image *image,
                   struct vm_space *space) __must_check;

#endif /* IPC_IMAGE_H */
