/* SPDX-License-Identifier: MIT */
/*
 * cpio "newc": before each member a header of ASCII text, the magic and
 * thirteen numbers of eight hexadecimal digits, then the name, then the data,
 * the latter two padded to multiples of 4 from the start of the archive.
 */

#include <lib/cpio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/string.h>

#define CPIO_MAGIC     "070701"
#define CPIO_MAGIC_LEN 6
#define CPIO_HEADER    110
#define CPIO_ALIGN     4
#define CPIO_TRAILER   "TRAILER!!!"

/* Numbers of the header. */
enum cpio_field {
    CPIO_FIELD_SIZE = 6,
    CPIO_FIELD_NAME_SIZE = 11,
};

bool
cpio_is_archive(const void *archive, size_t size)
{
    return size >= CPIO_HEADER &&
           memcmp(archive, CPIO_MAGIC, CPIO_MAGIC_LEN) == 0;
}

static bool
cpio_number(const char *header, enum cpio_field field, size_t *number)
{
    const char *digits;
    unsigned i;
    char c;

    digits = header + CPIO_MAGIC_LEN + 8 * (unsigned)field;
    *number = 0;
    for (i = 0; i < 8; i++) {
        c = digits[i];
        *number <<= 4;
        if (c >= '0' && c <= '9') {
            *number |= (size_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            *number |= (size_t)((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }
    return true;
}

bool
cpio_next(const void *archive, size_t size, size_t *position,
          struct cpio_entry *entry)
{
    const char *header;
    size_t at, name_size;

    at = *position;
    header = (const char *)archive + at;
    if (at > size || !cpio_is_archive(header, size - at)) {
        return false;
    }
    if (!cpio_number(header, CPIO_FIELD_SIZE, &entry->size) ||
        !cpio_number(header, CPIO_FIELD_NAME_SIZE, &name_size)) {
        return false;
    }

    at += CPIO_HEADER;
    if (name_size == 0 || name_size > size - at) {
        return false;
    }
    entry->name = (const char *)archive + at;
    if (entry->name[name_size - 1] != '\0') {
        return false;
    }

    at = ALIGN_UP(at + name_size, (size_t)CPIO_ALIGN);
    if (at > size || entry->size > size - at) {
        return false;
    }
    entry->data = (const char *)archive + at;
    *position = ALIGN_UP(at + entry->size, (size_t)CPIO_ALIGN);
    return strcmp(entry->name, CPIO_TRAILER) != 0;
}
