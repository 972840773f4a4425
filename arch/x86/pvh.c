/* SPDX-License-Identifier: MIT */
/*
 * PVH start information: one structure of physical addresses.
 *
 * Lists are read entry by entry and strings byte by byte, so that a list that
 * leaves readable memory loses its tail only.  Version 0 has no memory map.
 *
 * Source of all layouts: Xen, public header "arch-x86/hvm/start_info.h".
 */
#include "pvh.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#define PVH_MAGIC 0x336ec578u

/* More entries than any machine has: bounds the time on hostile input. */
#define PVH_MAX_ENTRIES 4096

/* Root System Description Pointer of ACPI 1.0: bytes, and its revision. */
#define PVH_RSDP_OLD_SIZE        20
#define PVH_RSDP_REVISION_OFFSET 15

/* struct hvm_start_info. */
struct pvh_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modules_phys;
    uint64_t cmdline_phys;
    uint64_t rsdp_phys;
    /* From version 1 on. */
    uint64_t mem_map_phys;
    uint32_t nr_mem_map;
    uint32_t reserved;
} __packed;

#define PVH_START_INFO_V0_SIZE offsetof(struct pvh_start_info, mem_map_phys)

static_assert(PVH_START_INFO_V0_SIZE == 40, "fixed by the protocol");
static_assert(sizeof(struct pvh_start_info) == 56, "fixed by the protocol");

/* struct hvm_modlist_entry. */
struct pvh_module {
    uint64_t phys;
    uint64_t size;
    uint64_t cmdline_phys;
    uint64_t reserved;
} __packed;

static_assert(sizeof(struct pvh_module) == 32, "fixed by the protocol");

/* struct hvm_memmap_table_entry. */
struct pvh_mem_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
} __packed;

static_assert(sizeof(struct pvh_mem_entry) == 24, "fixed by the protocol");

struct pvh_parser {
    struct boot_info *info;
    pvh_phys_to_ptr_fn_t phys_to_ptr;
    struct pvh_start_info start;
};

/* Returns: true, copied; false, and it was noted. */
static bool
pvh_read(const struct pvh_parser *parser, void *dst, uint64_t phys, size_t size)
{
    const void *src = NULL;
    uint64_t end;

    if (phys != 0 && !__builtin_add_overflow(phys, size, &end)) {
        src = parser->phys_to_ptr(phys, size);
    }
    if (src == NULL) {
        boot_info_problem(parser->info, BOOT_PROBLEM_PVH_UNREADABLE, phys);
        return false;
    }
    memcpy(dst, src, size);
    return true;
}

/*
 * Copy a string.
 *
 * Returns: its length, @size when it does not fit or is not readable to its
 *          end; @dst is terminated in any case
 */
static size_t
pvh_read_string(const struct pvh_parser *parser, char *dst, size_t size,
                uint64_t phys)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (!pvh_read(parser, &dst[i], phys + i, 1)) {
            dst[i] = '\0';
            return size;
        }
        if (dst[i] == '\0') {
            return i;
        }
    }
    dst[size - 1] = '\0';
    return size;
}

static void
pvh_parse_cmdline(struct pvh_parser *parser)
{
    struct boot_info *info = parser->info;
    uint64_t phys = parser->start.cmdline_phys;
    size_t length;

    if (phys == 0) {
        return;
    }

    length =
        pvh_read_string(parser, info->cmdline, sizeof(info->cmdline), phys);
    if (length == sizeof(info->cmdline)) {
        boot_info_problem(info, BOOT_PROBLEM_CMDLINE_CUT,
                          strlen(info->cmdline));
    }
    boot_info_add_reserved(info, phys, strlen(info->cmdline) + 1);
}

static void
pvh_name_module(struct pvh_parser *parser, struct boot_module *module,
                uint64_t phys)
{
    char text[BOOT_MODULE_NAME_SIZE + BOOT_MODULE_ARGS_SIZE];
    size_t length;

    if (phys == 0) {
        return;
    }

    length = pvh_read_string(parser, text, sizeof(text), phys);
    if (length == sizeof(text)) {
        boot_info_problem(parser->info, BOOT_PROBLEM_MODULE_STRING_CUT,
                          (uint64_t)(module - parser->info->modules));
    }
    boot_info_name_module(parser->info, module, text, strlen(text));
}

static void
pvh_parse_modules(struct pvh_parser *parser)
{
    uint64_t phys = parser->start.modules_phys;
    struct boot_module *module;
    struct pvh_module raw;
    uint32_t i;

    for (i = 0; i < parser->start.nr_modules; i++) {
        if (!pvh_read(parser, &raw, phys + i * sizeof(raw), sizeof(raw))) {
            return;
        }
        if (i == BOOT_MODULE_CAPACITY) {
            boot_info_problem(parser->info, BOOT_PROBLEM_MODULE_DROPPED,
                              raw.phys);
            return;
        }

        module = boot_info_add_module(parser->info, raw.phys, raw.size);
        if (module != NULL) {
            pvh_name_module(parser, module, raw.cmdline_phys);
        }
    }
}

static void
pvh_parse_rsdp(struct pvh_parser *parser)
{
    struct boot_info *info = parser->info;
    uint64_t phys = parser->start.rsdp_phys;

    info->rsdp_phys = phys;
    if (phys == 0) {
        return;
    }

    if (!pvh_read(parser, info->rsdp, phys, PVH_RSDP_OLD_SIZE)) {
        return;
    }
    info->rsdp_size = PVH_RSDP_OLD_SIZE;
    if (info->rsdp[PVH_RSDP_REVISION_OFFSET] < 2) {
        return;
    }

    if (pvh_read(parser, info->rsdp, phys, sizeof(info->rsdp))) {
        info->rsdp_size = sizeof(info->rsdp);
    }
}

static enum boot_mem_type
pvh_mem_type(uint32_t type)
{
    switch (type) {
    case 1:
        return BOOT_MEM_USABLE;
    case 3:
        return BOOT_MEM_ACPI_RECLAIM;
    case 4:
        return BOOT_MEM_ACPI_NVS;
    case 5:
        return BOOT_MEM_BAD;
    default:
        return BOOT_MEM_RESERVED;
    }
}

static void
pvh_parse_mem_map(struct pvh_parser *parser)
{
    uint64_t phys = parser->start.mem_map_phys;
    uint32_t i, nr_entries = parser->start.nr_mem_map;
    struct pvh_mem_entry entry;

    if (nr_entries > PVH_MAX_ENTRIES) {
        boot_info_problem(parser->info, BOOT_PROBLEM_PVH_ENTRIES, nr_entries);
        nr_entries = PVH_MAX_ENTRIES;
    }

    for (i = 0; i < nr_entries; i++) {
        if (!pvh_read(parser, &entry, phys + i * sizeof(entry),
                      sizeof(entry))) {
            break;
        }
        boot_info_add_mem(parser->info, entry.base, entry.size,
                          pvh_mem_type(entry.type));
    }
    if (parser->info->nr_mem == 0) {
        boot_info_problem(parser->info, BOOT_PROBLEM_NO_MEMORY_MAP, 0);
    }
}

status_t
pvh_parse(struct boot_info *info, uint64_t start_phys,
          pvh_phys_to_ptr_fn_t phys_to_ptr)
{
    struct pvh_parser parser = { .info = info, .phys_to_ptr = phys_to_ptr };
    size_t size = PVH_START_INFO_V0_SIZE;

    boot_info_init(info);
    if (!pvh_read(&parser, &parser.start, start_phys, size)) {
        return ERR_FAULT;
    }
    if (parser.start.magic != PVH_MAGIC) {
        boot_info_problem(info, BOOT_PROBLEM_PVH_MAGIC, parser.start.magic);
        return ERR_FORMAT;
    }
    if (parser.start.version >= 1) {
        size = sizeof(parser.start);
        if (!pvh_read(&parser, &parser.start, start_phys, size)) {
            return ERR_FAULT;
        }
    }

    boot_info_add_reserved(info, start_phys, size);
    pvh_parse_cmdline(&parser);
    pvh_parse_rsdp(&parser);
    pvh_parse_mem_map(&parser);
    pvh_parse_modules(&parser);
    return OK;
}
