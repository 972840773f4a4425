/* SPDX-License-Identifier: MIT */
/*
 * Spaces and memory objects: what is passed to calls.  Types only.
 */
#ifndef PORTOLAN_SPACE_H
#define PORTOLAN_SPACE_H

#include <stdint.h>

#include <portolan/types.h>

#define PORTOLAN_PAGE_SIZE 4096

/* Flags of space_map(), and the first three of space_protect(). */
#define PORTOLAN_SPACE_READ  0x1U
#define PORTOLAN_SPACE_WRITE 0x2U
#define PORTOLAN_SPACE_EXEC  0x4U
#define PORTOLAN_SPACE_FIXED 0x10U /* there, replacing what is there */
#define PORTOLAN_SPACE_NEW   0x20U /* with FIXED: only if nothing is there */
#define PORTOLAN_SPACE_PRIVATE                                                 \
    0x40U                          /* copy the object's pages before writing */
#define PORTOLAN_SPACE_WIRED 0x80U /* make it resident, and keep it so */

/* In clones: nothing, a copy (usual), the same pages (of objects only). */
#define PORTOLAN_SPACE_INHERIT_NONE  0x100U
#define PORTOLAN_SPACE_INHERIT_SHARE 0x200U

enum portolan_advice {
    PORTOLAN_ADVICE_NEED,    /* make it resident */
    PORTOLAN_ADVICE_DISCARD, /* forget the contents */
    PORTOLAN_ADVICE_WIRE,
    PORTOLAN_ADVICE_UNWIRE,
    PORTOLAN_ADVICE_INHERIT_NONE,
    PORTOLAN_ADVICE_INHERIT_COPY,
    PORTOLAN_ADVICE_INHERIT_SHARE,
};

struct portolan_space_info {
    uint64_t address;
    uint64_t size;
    uint32_t flags;     /* PORTOLAN_SPACE_..., without FIXED and NEW */
    uint32_t is_object; /* mapped from a memory object */
};

/* Flags of memory objects. */
#define PORTOLAN_MEMORY_UNCACHED      0x1U
#define PORTOLAN_MEMORY_WRITE_COMBINE 0x2U
#define PORTOLAN_MEMORY_READ_ONLY     0x4U

struct portolan_memory_info {
    uint64_t size;
    uint64_t resident; /* bytes */
    uint32_t flags;    /* PORTOLAN_MEMORY_... */
    uint32_t reserved;
    char name[PORTOLAN_NAME_SIZE];
};

/* Bytes of the words of a boot module, with the zero at the end. */
#define PORTOLAN_MODULE_WORDS 256

struct portolan_module_info {
    uint64_t size; /* bytes of the file; the object has whole pages */
    char name[PORTOLAN_NAME_SIZE];
    char words[PORTOLAN_MODULE_WORDS]; /* what the loader said, name first */
};

#endif /* PORTOLAN_SPACE_H */
