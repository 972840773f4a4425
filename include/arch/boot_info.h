/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader handed over, whatever the loader was.
 *
 * A fixed-size copy: once a parser has filled it, only the modules and the
 * ranges listed in @reserved still live in the loader's memory, so everything
 * else may be reused.  All of it is untrusted input.  What does not fit or
 * makes no sense is left out and noted in @problems, for the kernel to print
 * once it has a console.
 *
 * The types of memory are sorted by how much they restrict: where two ranges
 * overlap, the larger type wins.
 */
#ifndef ARCH_BOOT_INFO_H
#define ARCH_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

#define BOOT_CMDLINE_SIZE     4096
#define BOOT_LOADER_NAME_SIZE 64
#define BOOT_MODULE_NAME_SIZE 64
#define BOOT_MODULE_ARGS_SIZE 128
#define BOOT_RSDP_SIZE        36

#define BOOT_MEM_CAPACITY      512
#define BOOT_MODULE_CAPACITY   64
#define BOOT_RESERVED_CAPACITY 144
#define BOOT_PROBLEM_CAPACITY  32

enum boot_mem_type {
    BOOT_MEM_USABLE,
    BOOT_MEM_ACPI_RECLAIM, /* RAM, once the ACPI tables were read */
    BOOT_MEM_ACPI_NVS,     /* RAM of the firmware */
    BOOT_MEM_RESERVED,     /* also every type that is not known */
    BOOT_MEM_BAD,          /* RAM with errors */
    BOOT_MEM_NR_TYPES,
};

/* Physical addresses and bytes; [base, base + size). */
struct boot_mem_range {
    uint64_t base;
    uint64_t size;
    enum boot_mem_type type;
};

struct boot_reserved_range {
    uint64_t base;
    uint64_t size;
};

struct boot_module {
    uint64_t phys;
    uint64_t size;
    char name[BOOT_MODULE_NAME_SIZE]; /* first word; "" when not given */
    char args[BOOT_MODULE_ARGS_SIZE]; /* what follows the first blank */
};

enum boot_framebuffer_type {
    BOOT_FRAMEBUFFER_NONE,
    BOOT_FRAMEBUFFER_RGB,     /* 15, 16, 24 or 32 bits per pixel */
    BOOT_FRAMEBUFFER_INDEXED, /* 8 bits per pixel, palette not kept */
    BOOT_FRAMEBUFFER_TEXT,    /* width and height in characters, bpp 16 */
};

/* Bits of one colour in a pixel. */
struct boot_colour {
    uint8_t position; /* of the lowest bit */
    uint8_t size;     /* bits */
};

struct boot_framebuffer {
    enum boot_framebuffer_type type;
    uint64_t phys;
    uint32_t pitch; /* bytes from one line to the next */
    uint32_t width;
    uint32_t height;
    uint8_t bpp;
    struct boot_colour red;
    struct boot_colour green;
    struct boot_colour blue;
};

/* X(kind, text): the text reads well with the value, in hex, behind it. */
#define BOOT_PROBLEMS(X)                                                       \
    X(MB2_TOTAL_SIZE, "multiboot2: information has a bad total size:")         \
    X(MB2_TAG_TRUNCATED, "multiboot2: tag exceeds the information, offset")    \
    X(MB2_TAG_SHORT, "multiboot2: tag is too short for its type, offset")      \
    X(MB2_TAG_REPEATED, "multiboot2: tag is repeated and ignored, offset")     \
    X(MB2_NO_END, "multiboot2: no end tag before offset")                      \
    X(MB2_ENTRY_SIZE, "multiboot2: memory map with entries of bad size:")      \
    X(MB2_MAP_TAIL, "multiboot2: memory map ends inside an entry, bytes:")     \
    X(PVH_UNREADABLE, "pvh: structure cannot be read at")                      \
    X(PVH_MAGIC, "pvh: wrong magic number:")                                   \
    X(PVH_ENTRIES, "pvh: too many memory map entries:")                        \
    X(NO_MEMORY_MAP, "boot: no memory map, usable entries:")                   \
    X(CMDLINE_CUT, "boot: command line cut to bytes:")                         \
    X(LOADER_NAME_CUT, "boot: name of the loader cut to bytes:")               \
    X(MODULE_STRING_CUT, "boot: name or arguments cut of module")              \
    X(MODULE_RANGE, "boot: module ignored, bad addresses, start")              \
    X(MODULE_DROPPED, "boot: module ignored, too many, start")                 \
    X(RESERVED_DROPPED, "boot: reservation lost, too many, start")             \
    X(FRAMEBUFFER, "boot: framebuffer makes no sense, address")                \
    X(MEM_DROPPED, "memory map: no room for the range at")                     \
    X(MEM_EMPTY, "memory map: empty range at")                                 \
    X(MEM_WRAPS, "memory map: range exceeds 64 bits, from")                    \
    X(MEM_BEYOND, "memory map: range exceeds the physical bits, from")         \
    X(MEM_TYPE, "memory map: bad type of the range at")                        \
    X(MEM_OVERLAP, "memory map: two types overlap at")                         \
    X(MEM_WIDENED, "memory map: no room to split, more reserved from")

#define BOOT_PROBLEM_ENUM(kind, text) BOOT_PROBLEM_##kind,
enum boot_problem_kind {
    BOOT_PROBLEMS(BOOT_PROBLEM_ENUM) BOOT_PROBLEM_NR_KINDS
};

struct boot_problem {
    enum boot_problem_kind kind;
    uint64_t value;
};

struct boot_info {
    char cmdline[BOOT_CMDLINE_SIZE];
    char loader_name[BOOT_LOADER_NAME_SIZE];

    /* As found until boot_memmap_sanitise() has been called. */
    struct boot_mem_range mem[BOOT_MEM_CAPACITY];
    size_t nr_mem;
    size_t nr_mem_dropped;

    struct boot_module modules[BOOT_MODULE_CAPACITY];
    size_t nr_modules;

    /* Memory of the loader that is still in use: page allocator, keep off. */
    struct boot_reserved_range reserved[BOOT_RESERVED_CAPACITY];
    size_t nr_reserved;

    /* Copy of the ACPI root pointer, 0, 20 or 36 bytes, not verified. */
    uint8_t rsdp[BOOT_RSDP_SIZE];
    size_t rsdp_size;
    uint64_t rsdp_phys; /* 0 when the loader only gave the copy */

    struct boot_framebuffer framebuffer;

    uint64_t efi_system_table; /* physical address, 0 when not given */
    bool efi_64bit;            /* the system table is that of 64-bit EFI */
    bool efi_boot_services;    /* not yet exited by the loader */

    uint64_t load_base; /* where the kernel was loaded, 0 when not given */

    struct boot_problem problems[BOOT_PROBLEM_CAPACITY];
    size_t nr_problems;
    size_t nr_problems_dropped;
};

/*
 * Make an empty record.
 *
 * @info  overwritten as a whole
 */
void boot_info_init(struct boot_info *info);

/*
 * Note something wrong in the input.  When there is no more room only the
 * count of dropped problems grows.
 *
 * @value  what the text of @kind refers to: an address, an offset, a size
 */
void boot_info_problem(struct boot_info *info, enum boot_problem_kind kind,
                       uint64_t value);

/*
 * The text of a kind of problem, for people; the value goes behind it.
 *
 * Returns: a constant string, "boot: unknown problem" for a bad kind
 */
const char *boot_problem_string(enum boot_problem_kind kind);

/*
 * Append a range to the memory map.  A range that continues the last one is
 * merged with it.  When the map is full a usable range makes room for one that
 * is not: memory may be lost, but never be used against the firmware's word.
 *
 * @size  bytes; empty ranges are noted as a problem and left out
 */
void boot_info_add_mem(struct boot_info *info, uint64_t base, uint64_t size,
                       enum boot_mem_type type);

/*
 * Append a range of the loader's memory that is still in use.
 *
 * @size  bytes; an empty range is left out
 */
void boot_info_add_reserved(struct boot_info *info, uint64_t base,
                            uint64_t size);

/*
 * Append a module and reserve its memory.
 *
 * @size  bytes, may be 0; a module that exceeds 64 bits is left out
 *
 * Returns: the module, with empty name and arguments; NULL when left out, and
 *          the reason was noted
 */
struct boot_module *boot_info_add_module(struct boot_info *info, uint64_t phys,
                                         uint64_t size);

/*
 * Split the string of a module into its name and its arguments.
 *
 * @text    need not be terminated
 * @length  of @text, bytes
 */
void boot_info_name_module(struct boot_info *info, struct boot_module *module,
                           const char *text, size_t length);

/*
 * Check a framebuffer and keep it, or note it as a problem.
 *
 * @framebuffer  copied
 */
void boot_info_set_framebuffer(struct boot_info *info,
                               const struct boot_framebuffer *framebuffer);

/*
 * Copy text of bounded length.
 *
 * @dst       always terminated
 * @dst_size  bytes, at least 1
 * @src       ends at its first NUL or after @src_size bytes
 *
 * Returns: true, all of it was copied; false, it was cut
 */
bool boot_copy_string(char *dst, size_t dst_size, const char *src,
                      size_t src_size);

/*
 * The name of a type of memory, for people.
 *
 * Returns: a constant string, "unknown" for a bad type
 */
const char *boot_mem_type_string(enum boot_mem_type type);

/*
 * What the loader handed over; constant, with a sanitised memory map.
 */
const struct boot_info *boot_info_get(void);

#endif /* ARCH_BOOT_INFO_H */
