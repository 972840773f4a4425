/* SPDX-License-Identifier: MIT */
/*
 * Multiboot2 boot information: a header and a list of tags, each padded to 8
 * bytes.  One pass keeps what it finds; the memory map is chosen at the end,
 * since up to three tags describe memory: the firmware's map, else the map of
 * EFI, else the two sizes that every BIOS knows.
 *
 * Every tag is checked against the end of the information, then against the
 * size that its type needs, before its function sees it.  Structures are
 * copied out, never accessed in place: loaders align them, attackers do not.
 *
 * Source of all layouts: Multiboot2 Specification version 2.0, "Boot
 * information format"; of EFI descriptors: UEFI Specification,
 * "EFI_BOOT_SERVICES.GetMemoryMap()".
 */
#include "multiboot2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <lib/string.h>

#define MB2_TAG_ALIGN 8

enum mb2_tag_type {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_LOADER_NAME = 2,
    MB2_TAG_MODULE = 3,
    MB2_TAG_BASIC_MEM = 4,
    MB2_TAG_MEM_MAP = 6,
    MB2_TAG_FRAMEBUFFER = 8,
    MB2_TAG_EFI32 = 11,
    MB2_TAG_EFI64 = 12,
    MB2_TAG_RSDP_OLD = 14,
    MB2_TAG_RSDP_NEW = 15,
    MB2_TAG_EFI_MEM_MAP = 17,
    MB2_TAG_EFI_BOOT_SERVICES = 18,
    MB2_TAG_LOAD_BASE = 21,
};

enum mb2_framebuffer_type {
    MB2_FRAMEBUFFER_INDEXED = 0,
    MB2_FRAMEBUFFER_RGB = 1,
    MB2_FRAMEBUFFER_TEXT = 2,
};

/* "Boot information format". */
struct mb2_header {
    uint32_t total_size;
    uint32_t reserved;
} __packed;

static_assert(sizeof(struct mb2_header) == 8, "fixed by the specification");

struct mb2_tag_header {
    uint32_t type;
    uint32_t size;
} __packed;

static_assert(sizeof(struct mb2_tag_header) == 8, "fixed by the specification");

/* "Modules"; the string follows. */
struct mb2_module {
    uint32_t start;
    uint32_t end;
} __packed;

static_assert(sizeof(struct mb2_module) == 8, "fixed by the specification");

/* "Basic memory information", KiB. */
struct mb2_basic_mem {
    uint32_t lower;
    uint32_t upper;
} __packed;

static_assert(sizeof(struct mb2_basic_mem) == 8, "fixed by the specification");

/* "Memory map" and "EFI memory map" begin alike; entries follow. */
struct mb2_mem_map {
    uint32_t entry_size;
    uint32_t entry_version;
} __packed;

static_assert(sizeof(struct mb2_mem_map) == 8, "fixed by the specification");

struct mb2_mem_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
} __packed;

static_assert(sizeof(struct mb2_mem_entry) == 24, "fixed by the specification");

/* "Framebuffer info", without the colours. */
struct mb2_framebuffer {
    uint64_t phys;
    uint32_t pitch;
    uint32_t width;
    uint32_t height;
    uint8_t bpp;
    uint8_t type;
    uint16_t reserved;
} __packed;

static_assert(sizeof(struct mb2_framebuffer) == 24,
              "as all loaders have it, the text says 8 bits reserved");

struct mb2_framebuffer_rgb {
    uint8_t red_position;
    uint8_t red_size;
    uint8_t green_position;
    uint8_t green_size;
    uint8_t blue_position;
    uint8_t blue_size;
} __packed;

static_assert(sizeof(struct mb2_framebuffer_rgb) == 6,
              "fixed by the specification");

/* EFI_MEMORY_DESCRIPTOR. */
struct efi_mem_descriptor {
    uint32_t type;
    uint32_t reserved;
    uint64_t phys;
    uint64_t virt;
    uint64_t nr_pages; /* of 4 KiB */
    uint64_t attributes;
} __packed;

static_assert(sizeof(struct efi_mem_descriptor) == 40, "fixed by UEFI");

#define EFI_MEMORY_SP      (1ULL << 18) /* for special purposes */
#define EFI_MEMORY_RUNTIME (1ULL << 63)
#define EFI_PAGE_SHIFT     12

/* EFI_MEMORY_TYPE. */
enum efi_mem_type {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA = 2,
    EFI_BOOT_SERVICES_CODE = 3,
    EFI_BOOT_SERVICES_DATA = 4,
    EFI_CONVENTIONAL_MEMORY = 7,
    EFI_UNUSABLE_MEMORY = 8,
    EFI_ACPI_RECLAIM_MEMORY = 9,
    EFI_ACPI_MEMORY_NVS = 10,
};

/* The part of a tag behind its header. */
struct mb2_payload {
    const uint8_t *data; /* NULL: no such tag */
    size_t size;         /* bytes */
    size_t offset;       /* of the tag, for problems */
};

struct mb2_parser {
    struct boot_info *info;
    const uint8_t *mbi;
    size_t size; /* bytes of the information that exist */
    struct mb2_payload mem_map;
    struct mb2_payload efi_mem_map;
    struct mb2_payload basic_mem;
    bool has_cmdline;
};

typedef void (*mb2_tag_fn_t)(struct mb2_parser *parser,
                             const struct mb2_payload *payload);

struct mb2_tag_handler {
    uint32_t type;
    uint32_t min_size; /* of the payload, bytes */
    mb2_tag_fn_t fn;
};

static void
mb2_parse_cmdline(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    struct boot_info *info = parser->info;

    if (parser->has_cmdline) {
        boot_info_problem(info, BOOT_PROBLEM_MB2_TAG_REPEATED, payload->offset);
        return;
    }

    parser->has_cmdline = true;
    if (!boot_copy_string(info->cmdline, sizeof(info->cmdline),
                          (const char *)payload->data, payload->size)) {
        boot_info_problem(info, BOOT_PROBLEM_CMDLINE_CUT,
                          sizeof(info->cmdline) - 1);
    }
}

static void
mb2_parse_loader_name(struct mb2_parser *parser,
                      const struct mb2_payload *payload)
{
    struct boot_info *info = parser->info;

    if (!boot_copy_string(info->loader_name, sizeof(info->loader_name),
                          (const char *)payload->data, payload->size)) {
        boot_info_problem(info, BOOT_PROBLEM_LOADER_NAME_CUT,
                          sizeof(info->loader_name) - 1);
    }
}

static void
mb2_parse_module(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    struct boot_module *module;
    struct mb2_module raw;

    memcpy(&raw, payload->data, sizeof(raw));
    if (raw.end < raw.start) {
        boot_info_problem(parser->info, BOOT_PROBLEM_MODULE_RANGE, raw.start);
        return;
    }

    module = boot_info_add_module(parser->info, raw.start, raw.end - raw.start);
    if (module == NULL) {
        return;
    }
    boot_info_name_module(parser->info, module,
                          (const char *)payload->data + sizeof(raw),
                          payload->size - sizeof(raw));
}

/* Keep the first tag of a type for later. */
static void
mb2_keep_first(struct mb2_parser *parser, struct mb2_payload *kept,
               const struct mb2_payload *payload)
{
    if (kept->data != NULL) {
        boot_info_problem(parser->info, BOOT_PROBLEM_MB2_TAG_REPEATED,
                          payload->offset);
        return;
    }
    *kept = *payload;
}

static void
mb2_parse_basic_mem(struct mb2_parser *parser,
                    const struct mb2_payload *payload)
{
    mb2_keep_first(parser, &parser->basic_mem, payload);
}

static void
mb2_parse_mem_map(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    mb2_keep_first(parser, &parser->mem_map, payload);
}

static void
mb2_parse_efi_mem_map(struct mb2_parser *parser,
                      const struct mb2_payload *payload)
{
    mb2_keep_first(parser, &parser->efi_mem_map, payload);
}

static void
mb2_parse_rgb(struct boot_framebuffer *framebuffer,
              const struct mb2_framebuffer_rgb *rgb)
{
    framebuffer->type = BOOT_FRAMEBUFFER_RGB;
    framebuffer->red.position = rgb->red_position;
    framebuffer->red.size = rgb->red_size;
    framebuffer->green.position = rgb->green_position;
    framebuffer->green.size = rgb->green_size;
    framebuffer->blue.position = rgb->blue_position;
    framebuffer->blue.size = rgb->blue_size;
}

static void
mb2_parse_framebuffer(struct mb2_parser *parser,
                      const struct mb2_payload *payload)
{
    struct boot_framebuffer framebuffer = { 0 };
    struct mb2_framebuffer_rgb rgb = { 0 };
    struct mb2_framebuffer raw;

    memcpy(&raw, payload->data, sizeof(raw));
    memcpy(&rgb, payload->data + sizeof(raw),
           MIN(sizeof(rgb), payload->size - sizeof(raw)));

    framebuffer.phys = raw.phys;
    framebuffer.pitch = raw.pitch;
    framebuffer.width = raw.width;
    framebuffer.height = raw.height;
    framebuffer.bpp = raw.bpp;

    switch (raw.type) {
    case MB2_FRAMEBUFFER_INDEXED:
        framebuffer.type = BOOT_FRAMEBUFFER_INDEXED;
        break;
    case MB2_FRAMEBUFFER_RGB:
        mb2_parse_rgb(&framebuffer, &rgb);
        break;
    case MB2_FRAMEBUFFER_TEXT:
        framebuffer.type = BOOT_FRAMEBUFFER_TEXT;
        break;
    }
    boot_info_set_framebuffer(parser->info, &framebuffer);
}

static void
mb2_parse_efi32(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    uint32_t phys;

    if (parser->info->efi_64bit) {
        return;
    }
    memcpy(&phys, payload->data, sizeof(phys));
    parser->info->efi_system_table = phys;
}

static void
mb2_parse_efi64(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    memcpy(&parser->info->efi_system_table, payload->data, sizeof(uint64_t));
    parser->info->efi_64bit = true;
}

static void
mb2_parse_efi_boot_services(struct mb2_parser *parser,
                            const struct mb2_payload *payload __unused)
{
    parser->info->efi_boot_services = true;
}

/* The new one has the 64-bit table: it wins, whichever comes first. */
static void
mb2_parse_rsdp(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    struct boot_info *info = parser->info;
    size_t size = MIN(payload->size, sizeof(info->rsdp));

    if (size <= info->rsdp_size) {
        return;
    }
    memcpy(info->rsdp, payload->data, size);
    info->rsdp_size = size;
}

static void
mb2_parse_rsdp_old(struct mb2_parser *parser, const struct mb2_payload *payload)
{
    struct mb2_payload old = *payload;

    /* Version 1 ends here; what pads the tag is not part of it. */
    old.size = 20;
    mb2_parse_rsdp(parser, &old);
}

static void
mb2_parse_load_base(struct mb2_parser *parser,
                    const struct mb2_payload *payload)
{
    uint32_t base;

    memcpy(&base, payload->data, sizeof(base));
    parser->info->load_base = base;
}

/* All other types are of no use here. */
static const struct mb2_tag_handler mb2_tag_handlers[] = {
    { MB2_TAG_CMDLINE, 1, mb2_parse_cmdline },
    { MB2_TAG_LOADER_NAME, 1, mb2_parse_loader_name },
    { MB2_TAG_MODULE, sizeof(struct mb2_module), mb2_parse_module },
    { MB2_TAG_BASIC_MEM, sizeof(struct mb2_basic_mem), mb2_parse_basic_mem },
    { MB2_TAG_MEM_MAP, sizeof(struct mb2_mem_map), mb2_parse_mem_map },
    { MB2_TAG_FRAMEBUFFER, sizeof(struct mb2_framebuffer),
      mb2_parse_framebuffer },
    { MB2_TAG_EFI32, 4, mb2_parse_efi32 },
    { MB2_TAG_EFI64, 8, mb2_parse_efi64 },
    { MB2_TAG_RSDP_OLD, 20, mb2_parse_rsdp_old },
    { MB2_TAG_RSDP_NEW, BOOT_RSDP_SIZE, mb2_parse_rsdp },
    { MB2_TAG_EFI_MEM_MAP, sizeof(struct mb2_mem_map), mb2_parse_efi_mem_map },
    { MB2_TAG_EFI_BOOT_SERVICES, 0, mb2_parse_efi_boot_services },
    { MB2_TAG_LOAD_BASE, 4, mb2_parse_load_base },
};

static void
mb2_parse_tag(struct mb2_parser *parser, uint32_t type,
              const struct mb2_payload *payload)
{
    const struct mb2_tag_handler *handler;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(mb2_tag_handlers); i++) {
        handler = &mb2_tag_handlers[i];
        if (handler->type != type) {
            continue;
        }
        if (payload->size < handler->min_size) {
            boot_info_problem(parser->info, BOOT_PROBLEM_MB2_TAG_SHORT,
                              payload->offset);
            return;
        }
        handler->fn(parser, payload);
        return;
    }
}

static void
mb2_parse_tags(struct mb2_parser *parser)
{
    struct mb2_payload payload;
    struct mb2_tag_header tag;
    size_t offset = sizeof(struct mb2_header), left;

    while (offset < parser->size && parser->size - offset >= sizeof(tag)) {
        left = parser->size - offset;
        memcpy(&tag, parser->mbi + offset, sizeof(tag));
        if (tag.type == MB2_TAG_END) {
            return;
        }
        if (tag.size < sizeof(tag) || tag.size > left) {
            boot_info_problem(parser->info, BOOT_PROBLEM_MB2_TAG_TRUNCATED,
                              offset);
            return;
        }

        payload.data = parser->mbi + offset + sizeof(tag);
        payload.size = tag.size - sizeof(tag);
        payload.offset = offset;
        mb2_parse_tag(parser, tag.type, &payload);

        offset += ALIGN_UP((size_t)tag.size, MB2_TAG_ALIGN);
    }
    boot_info_problem(parser->info, BOOT_PROBLEM_MB2_NO_END, parser->size);
}

/*
 * The header and the entries of a memory map.
 *
 * Returns: number of whole entries; *@entriesp and *@entry_sizep are set when
 *          there are any
 */
static size_t
mb2_find_entries(struct mb2_parser *parser, const struct mb2_payload *payload,
                 size_t min_size, const uint8_t **entriesp, size_t *entry_sizep)
{
    struct mb2_mem_map map;
    size_t size = payload->size - sizeof(map);

    memcpy(&map, payload->data, sizeof(map));
    if (map.entry_size < min_size) {
        boot_info_problem(parser->info, BOOT_PROBLEM_MB2_ENTRY_SIZE,
                          map.entry_size);
        return 0;
    }
    if (size % map.entry_size != 0) {
        boot_info_problem(parser->info, BOOT_PROBLEM_MB2_MAP_TAIL,
                          size % map.entry_size);
    }

    *entriesp = payload->data + sizeof(map);
    *entry_sizep = map.entry_size;
    return size / map.entry_size;
}

/* Types 1 to 5 are those of the BIOS; UEFI loaders pass on others. */
static enum boot_mem_type
mb2_mem_type(uint32_t type)
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

static enum boot_mem_type
mb2_efi_mem_type(const struct boot_info *info,
                 const struct efi_mem_descriptor *descriptor)
{
    if (descriptor->attributes & (EFI_MEMORY_RUNTIME | EFI_MEMORY_SP)) {
        return BOOT_MEM_RESERVED;
    }

    switch (descriptor->type) {
    case EFI_BOOT_SERVICES_CODE:
    case EFI_BOOT_SERVICES_DATA:
        return info->efi_boot_services ? BOOT_MEM_RESERVED : BOOT_MEM_USABLE;
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
    case EFI_CONVENTIONAL_MEMORY:
        return BOOT_MEM_USABLE;
    case EFI_UNUSABLE_MEMORY:
        return BOOT_MEM_BAD;
    case EFI_ACPI_RECLAIM_MEMORY:
        return BOOT_MEM_ACPI_RECLAIM;
    case EFI_ACPI_MEMORY_NVS:
        return BOOT_MEM_ACPI_NVS;
    default:
        return BOOT_MEM_RESERVED;
    }
}

static void
mb2_add_mem_map(struct mb2_parser *parser)
{
    struct mb2_mem_entry entry;
    const uint8_t *entries = NULL;
    size_t i, nr_entries, entry_size = 0;

    nr_entries = mb2_find_entries(parser, &parser->mem_map, sizeof(entry),
                                  &entries, &entry_size);
    for (i = 0; i < nr_entries; i++) {
        memcpy(&entry, entries + i * entry_size, sizeof(entry));
        boot_info_add_mem(parser->info, entry.base, entry.size,
                          mb2_mem_type(entry.type));
    }
}

static void
mb2_add_efi_mem_map(struct mb2_parser *parser)
{
    struct efi_mem_descriptor descriptor;
    const uint8_t *entries = NULL;
    size_t i, nr_entries, entry_size = 0;
    uint64_t max = UINT64_MAX >> EFI_PAGE_SHIFT;

    nr_entries = mb2_find_entries(parser, &parser->efi_mem_map,
                                  sizeof(descriptor), &entries, &entry_size);
    for (i = 0; i < nr_entries; i++) {
        memcpy(&descriptor, entries + i * entry_size, sizeof(descriptor));
        boot_info_add_mem(parser->info, descriptor.phys,
                          MIN((uint64_t)descriptor.nr_pages, max)
                              << EFI_PAGE_SHIFT,
                          mb2_efi_mem_type(parser->info, &descriptor));
    }
}

static void
mb2_add_basic_mem(struct mb2_parser *parser)
{
    struct mb2_basic_mem basic;

    memcpy(&basic, parser->basic_mem.data, sizeof(basic));
    boot_info_add_mem(parser->info, 0, KIB(basic.lower), BOOT_MEM_USABLE);
    boot_info_add_mem(parser->info, MIB(1), KIB(basic.upper), BOOT_MEM_USABLE);
}

/* Take the best description of memory that has anything in it. */
static void
mb2_add_mem(struct mb2_parser *parser)
{
    struct boot_info *info = parser->info;

    if (parser->mem_map.data != NULL) {
        mb2_add_mem_map(parser);
    }
    if (info->nr_mem == 0 && parser->efi_mem_map.data != NULL) {
        mb2_add_efi_mem_map(parser);
    }
    if (info->nr_mem == 0 && parser->basic_mem.data != NULL) {
        mb2_add_basic_mem(parser);
    }
    if (info->nr_mem == 0) {
        boot_info_problem(info, BOOT_PROBLEM_NO_MEMORY_MAP, 0);
    }
}

status_t
multiboot2_parse(struct boot_info *info, const void *mbi, size_t max_size,
                 uint64_t mbi_phys)
{
    struct mb2_parser parser = { .info = info, .mbi = mbi };
    struct mb2_header header;

    boot_info_init(info);
    if (max_size < sizeof(header)) {
        boot_info_problem(info, BOOT_PROBLEM_MB2_TOTAL_SIZE, max_size);
        return ERR_TRUNCATED;
    }

    memcpy(&header, mbi, sizeof(header));
    if (header.total_size < sizeof(header) + sizeof(struct mb2_tag_header)) {
        boot_info_problem(info, BOOT_PROBLEM_MB2_TOTAL_SIZE, header.total_size);
        return ERR_FORMAT;
    }
    if (header.total_size > max_size) {
        boot_info_problem(info, BOOT_PROBLEM_MB2_TOTAL_SIZE, header.total_size);
    }

    parser.size = MIN((size_t)header.total_size, max_size);
    boot_info_add_reserved(info, mbi_phys, parser.size);
    mb2_parse_tags(&parser);
    mb2_add_mem(&parser);
    return OK;
}
