/* SPDX-License-Identifier: MIT */
/*
 * The bounded record of what the loader handed over.
 *
 * Pure: also built for the host.  Nothing here trusts its input; every array
 * is filled through one function that checks its bound.
 */
#include <arch/boot_info.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/string.h>

#define BOOT_PROBLEM_TEXT(kind, text) text,

static const char *const boot_problem_texts[] = {
    BOOT_PROBLEMS(BOOT_PROBLEM_TEXT) /* no comma */
};

static_assert(ARRAY_SIZE(boot_problem_texts) == BOOT_PROBLEM_NR_KINDS,
              "one list makes both");

static const char *const boot_mem_type_names[] = {
    [BOOT_MEM_USABLE] = "usable",     [BOOT_MEM_ACPI_RECLAIM] = "ACPI tables",
    [BOOT_MEM_ACPI_NVS] = "ACPI NVS", [BOOT_MEM_RESERVED] = "reserved",
    [BOOT_MEM_BAD] = "bad",
};

static_assert(ARRAY_SIZE(boot_mem_type_names) == BOOT_MEM_NR_TYPES,
              "every type has a name");

/* The smallest usable range, NULL when there is none. */
static struct boot_mem_range *
boot_info_find_victim(struct boot_info *info)
{
    struct boot_mem_range *range, *victim = NULL;
    size_t i;

    for (i = 0; i < info->nr_mem; i++) {
        range = &info->mem[i];
        if (range->type != BOOT_MEM_USABLE) {
            continue;
        }
        if (victim == NULL || range->size < victim->size) {
            victim = range;
        }
    }
    return victim;
}

/* Where a range of that type goes when the map is full, NULL for nowhere. */
static struct boot_mem_range *
boot_info_evict_mem(struct boot_info *info, uint64_t base,
                    enum boot_mem_type type)
{
    struct boot_mem_range *victim = NULL;

    if (type != BOOT_MEM_USABLE) {
        victim = boot_info_find_victim(info);
    }

    info->nr_mem_dropped++;
    boot_info_problem(info, BOOT_PROBLEM_MEM_DROPPED,
                      victim == NULL ? base : victim->base);
    return victim;
}

/* Grow the last range of the map when the new one continues it. */
static bool
boot_info_try_merge_mem(struct boot_info *info, uint64_t base, uint64_t size,
                        enum boot_mem_type type)
{
    struct boot_mem_range *last;
    uint64_t end;

    if (info->nr_mem == 0) {
        return false;
    }

    last = &info->mem[info->nr_mem - 1];
    if (last->type != type || __builtin_add_overflow(base, size, &end)) {
        return false;
    }
    if (last->base > base || base - last->base != last->size) {
        return false;
    }
    last->size += size;
    return true;
}

static bool
boot_framebuffer_has_colour(const struct boot_framebuffer *framebuffer,
                            struct boot_colour colour)
{
    return colour.size != 0 &&
           colour.position + colour.size <= framebuffer->bpp;
}

static bool
boot_framebuffer_is_rgb(const struct boot_framebuffer *framebuffer)
{
    switch (framebuffer->bpp) {
    case 15:
    case 16:
    case 24:
    case 32:
        break;
    default:
        return false;
    }
    return boot_framebuffer_has_colour(framebuffer, framebuffer->red) &&
           boot_framebuffer_has_colour(framebuffer, framebuffer->green) &&
           boot_framebuffer_has_colour(framebuffer, framebuffer->blue);
}

static bool
boot_framebuffer_is_format(const struct boot_framebuffer *framebuffer)
{
    switch (framebuffer->type) {
    case BOOT_FRAMEBUFFER_RGB:
        return boot_framebuffer_is_rgb(framebuffer);
    case BOOT_FRAMEBUFFER_INDEXED:
        return framebuffer->bpp == 8;
    case BOOT_FRAMEBUFFER_TEXT:
        return framebuffer->bpp == 16;
    case BOOT_FRAMEBUFFER_NONE:
        break;
    }
    return false;
}

static bool
boot_framebuffer_is_sane(const struct boot_framebuffer *framebuffer)
{
    uint64_t line, size, end;

    if (!boot_framebuffer_is_format(framebuffer)) {
        return false;
    }
    if (framebuffer->phys == 0 || framebuffer->width == 0 ||
        framebuffer->height == 0) {
        return false;
    }

    line = (uint64_t)framebuffer->width * DIV_ROUND_UP(framebuffer->bpp, 8);
    size = (uint64_t)framebuffer->pitch * framebuffer->height;
    return framebuffer->pitch >= line &&
           !__builtin_add_overflow(framebuffer->phys, size, &end);
}

void
boot_info_init(struct boot_info *info)
{
    memset(info, 0, sizeof(*info));
}

void
boot_info_problem(struct boot_info *info, enum boot_problem_kind kind,
                  uint64_t value)
{
    struct boot_problem *problem;

    if (info->nr_problems == ARRAY_SIZE(info->problems)) {
        info->nr_problems_dropped++;
        return;
    }

    problem = &info->problems[info->nr_problems++];
    problem->kind = kind;
    problem->value = value;
}

const char *
boot_problem_string(enum boot_problem_kind kind)
{
    if ((unsigned int)kind >= ARRAY_SIZE(boot_problem_texts)) {
        return "boot: unknown problem";
    }
    return boot_problem_texts[kind];
}

const char *
boot_mem_type_string(enum boot_mem_type type)
{
    if ((unsigned int)type >= ARRAY_SIZE(boot_mem_type_names)) {
        return "unknown";
    }
    return boot_mem_type_names[type];
}

void
boot_info_add_mem(struct boot_info *info, uint64_t base, uint64_t size,
                  enum boot_mem_type type)
{
    struct boot_mem_range *range;

    if (size == 0) {
        boot_info_problem(info, BOOT_PROBLEM_MEM_EMPTY, base);
        return;
    }
    if (boot_info_try_merge_mem(info, base, size, type)) {
        return;
    }

    if (info->nr_mem < ARRAY_SIZE(info->mem)) {
        range = &info->mem[info->nr_mem++];
    } else {
        range = boot_info_evict_mem(info, base, type);
    }
    if (range == NULL) {
        return;
    }

    range->base = base;
    range->size = size;
    range->type = type;
}

void
boot_info_add_reserved(struct boot_info *info, uint64_t base, uint64_t size)
{
    struct boot_reserved_range *range;

    if (size == 0) {
        return;
    }
    if (info->nr_reserved == ARRAY_SIZE(info->reserved)) {
        boot_info_problem(info, BOOT_PROBLEM_RESERVED_DROPPED, base);
        return;
    }

    range = &info->reserved[info->nr_reserved++];
    range->base = base;
    range->size = size;
}

struct boot_module *
boot_info_add_module(struct boot_info *info, uint64_t phys, uint64_t size)
{
    struct boot_module *module;
    uint64_t end;

    if (__builtin_add_overflow(phys, size, &end)) {
        boot_info_problem(info, BOOT_PROBLEM_MODULE_RANGE, phys);
        return NULL;
    }
    if (info->nr_modules == ARRAY_SIZE(info->modules)) {
        boot_info_problem(info, BOOT_PROBLEM_MODULE_DROPPED, phys);
        return NULL;
    }

    module = &info->modules[info->nr_modules++];
    memset(module, 0, sizeof(*module));
    module->phys = phys;
    module->size = size;
    boot_info_add_reserved(info, phys, size);
    return module;
}

void
boot_info_name_module(struct boot_info *info, struct boot_module *module,
                      const char *text, size_t length)
{
    size_t start = 0, end, args;
    bool whole;

    while (start < length && text[start] == ' ') {
        start++;
    }
    end = start;
    while (end < length && text[end] != ' ' && text[end] != '\0') {
        end++;
    }
    args = end;
    while (args < length && text[args] == ' ') {
        args++;
    }

    whole = boot_copy_string(module->name, sizeof(module->name), &text[start],
                             end - start);
    whole &= boot_copy_string(module->args, sizeof(module->args), &text[args],
                              length - args);
    if (!whole) {
        boot_info_problem(info, BOOT_PROBLEM_MODULE_STRING_CUT,
                          (uint64_t)(module - info->modules));
    }
}

void
boot_info_set_framebuffer(struct boot_info *info,
                          const struct boot_framebuffer *framebuffer)
{
    if (!boot_framebuffer_is_sane(framebuffer)) {
        boot_info_problem(info, BOOT_PROBLEM_FRAMEBUFFER, framebuffer->phys);
        return;
    }
    info->framebuffer = *framebuffer;
}

bool
boot_copy_string(char *dst, size_t dst_size, const char *src, size_t src_size)
{
    size_t i;

    for (i = 0; i < src_size && src[i] != '\0'; i++) {
        if (i + 1 == dst_size) {
            break;
        }
        dst[i] = src[i];
    }
    dst[i] = '\0';
    return i == src_size || src[i] == '\0';
}
