/* SPDX-License-Identifier: MIT */
/*
 * Reader of archives that hold several boot modules ("newc" format of cpio).
 *
 * A direct boot can pass only one file, so tools/run packs all modules into
 * one; their bytes are page aligned in it.  Nothing in the archive is trusted.
 */
#ifndef LIB_CPIO_H
#define LIB_CPIO_H

#include <stdbool.h>
#include <stddef.h>

/* A member of an archive; points into it. */
struct cpio_entry {
    const char *name; /* ends in a zero byte */
    const void *data;
    size_t size; /* of the data, bytes */
};

/*
 * Whether bytes begin like an archive.
 */
bool cpio_is_archive(const void *archive, size_t size);

/*
 * Read the next member of an archive.
 *
 * @position  0 before the first call, advanced by each
 *
 * Returns: false at the end, or where the archive is malformed
 */
bool cpio_next(const void *archive, size_t size, size_t *position,
               struct cpio_entry *entry);

#endif /* LIB_CPIO_H */
