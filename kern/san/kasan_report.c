/* SPDX-License-Identifier: MIT */
/*
 * Reports of the address sanitizer: what was done to what.
 *
 * A place is reported once: a small hash table has the places; when it is
 * full, a place takes the slot of another, which is reported again then.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <kern/cpu.h>
#include <kern/kasan.h>
#include <kern/kva.h>
#include <kern/log.h>
#include <kern/page.h>
#include <kern/slab.h>
#include <kern/symtab.h>
#include <lib/fmt.h>
#include <lib/macros.h>

#include "kasan.h"

#define KASAN_NR_PLACES 256

/* Why an access is wrong, by the value of the shadow. */
struct kasan_reason {
    uint8_t shadow;
    const char *text;
};

static const struct kasan_reason kasan_reasons[] = {
    { KASAN_FREE_PAGE, "page-use-after-free" },
    { KASAN_FREE_OBJECT, "slab-use-after-free" },
    { KASAN_REDZONE, "slab-out-of-bounds" },
    { KASAN_FREE_STACK, "kva-use-after-free" },
    { 0xf1, "stack-out-of-bounds" },
    { 0xf2, "stack-out-of-bounds" },
    { 0xf3, "stack-out-of-bounds" },
    { 0xf5, "stack-use-after-return" },
    { 0xf8, "stack-use-after-scope" },
    { 0xf9, "global-out-of-bounds" },
    { 0xca, "alloca-out-of-bounds" },
    { 0xcb, "alloca-out-of-bounds" },
};

static _Atomic uintptr_t kasan_places[KASAN_NR_PLACES]; /* [a] */

static const char *
kasan_reason(uintptr_t bad)
{
    uint8_t shadow = *(const uint8_t *)kasan_shadow(bad);

    /* Behind the end of something: what follows tells what it was. */
    if (shadow < KASAN_GRANULE) {
        shadow = *(const uint8_t *)(kasan_shadow(bad) + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(kasan_reasons); i++) {
        if (kasan_reasons[i].shadow == shadow) {
            return kasan_reasons[i].text;
        }
    }
    return "out-of-bounds";
}

static bool
kasan_is_new(uintptr_t pc)
{
    /* Fibonacci hashing: Knuth, TAOCP vol. 3, "Hashing". */
    size_t slot = (pc * UINT64_C(0x9e3779b97f4a7c15)) >> 56;

    static_assert(KASAN_NR_PLACES == 1 << (64 - 56), "bits of the hash");
    if (sanitizer_is_expecting()) {
        return true;
    }
    if (atomic_exchange_explicit(&kasan_places[slot], pc,
                                 memory_order_relaxed) == pc) {
        sanitizer_report_again();
        return false;
    }
    return true;
}

static void
kasan_describe_slab(char *text, size_t size, uintptr_t addr)
{
    struct slab_object_info info;
    size_t length;

    if (!slab_find_object((const void *)addr, &info)) {
        fmt_snprintf(text, size, "KASAN: %#lx is in a slab, in no object",
                     addr);
        return;
    }
    length = (size_t)fmt_snprintf(
        text, size, "KASAN: %#lx is %#lx bytes into object %p of %zu, cache %s",
        addr, addr - (uintptr_t)info.object, info.object, info.size,
        info.cache);
    if (info.allocated_by != 0 && length < size) {
        length += (size_t)fmt_snprintf(text + length, size - length,
                                       ", allocated by %pS",
                                       (void *)info.allocated_by);
    }
    if (info.freed_by != 0 && length < size) {
        fmt_snprintf(text + length, size - length, ", freed by %pS",
                     (void *)info.freed_by);
    }
}

static void
kasan_describe_page(char *text, size_t size, uintptr_t addr)
{
    static const char *const states[] = {
        [PAGE_STATE_NONE] = "inside of a block",
        [PAGE_STATE_FREE] = "free",
        [PAGE_STATE_CACHED] = "free, cached by a CPU",
        [PAGE_STATE_USED] = "in use",
    };
    const struct page *page = page_from_ptr((const void *)addr);

    if (page->use == PAGE_USE_SLAB) {
        kasan_describe_slab(text, size, addr);
        return;
    }
    fmt_snprintf(text, size, "KASAN: %#lx is in page %#lx, %s, order %u", addr,
                 page_phys(page),
                 page->state < ARRAY_SIZE(states) ? states[page->state] : "?",
                 page->order);
}

/* A line on what is known of an address. */
static void
kasan_describe(char *text, size_t size, uintptr_t addr)
{
    struct symtab_entry entry;
    struct kva_info info;

    text[0] = '\0';
    if (pmap_is_direct((const void *)addr)) {
        if (page_is_ready() && page_exists(addr - DIRECT_MAP_BASE)) {
            kasan_describe_page(text, size, addr);
        }
    } else if (addr - KVA_BASE < KVA_SIZE) {
        if (kva_find(addr, &info)) {
            fmt_snprintf(text, size, "KASAN: %#lx is %#lx bytes into %s", addr,
                         addr - info.base, info.name);
        }
    } else if (symtab_lookup(addr, &entry)) {
        fmt_snprintf(text, size, "KASAN: %#lx is %#lx bytes from %s", addr,
                     entry.offset, entry.name);
    }
}

void
kasan_report(const struct kasan_access *access, uintptr_t bad,
             const struct sanitizer_place *place)
{
    char detail[LOG_LINE_MAX + 1];

    if (!kasan_is_new(place->pc)) {
        return;
    }
    kasan_describe(detail, sizeof(detail), bad);
    sanitizer_report(place, detail,
                     "KASAN: %s %s of size %zu at %#lx by CPU %u",
                     kasan_reason(bad), access->is_write ? "write" : "read",
                     access->size, access->addr, cpu_id());
}

void
kasan_report_free(uintptr_t addr, const struct sanitizer_place *place)
{
    char detail[LOG_LINE_MAX + 1];

    if (!kasan_is_new(place->pc)) {
        return;
    }
    kasan_describe(detail, sizeof(detail), addr);
    sanitizer_report(place, detail, "KASAN: double free of %#lx by CPU %u",
                     addr, cpu_id());
}
