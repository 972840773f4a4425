/* SPDX-License-Identifier: MIT */
/*
 * Reports of the race detector: who raced with whom, and for what.
 *
 * A pair of places is reported once, whichever of the two was watched: a
 * small hash table has the pairs; when it is full, a pair takes the slot of
 * another, which is reported again then.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/symtab.h>
#include <lib/fmt.h>
#include <lib/hash.h>
#include <lib/macros.h>

#include "kcsan.h"

#define KCSAN_NR_PAIRS 256

/* Longest description of an access. */
#define KCSAN_TEXT_MAX 160

static _Atomic uint64_t kcsan_pairs[KCSAN_NR_PAIRS]; /* [a] hashes of pairs */

/* @other is 0 if nobody was seen. */
static bool
kcsan_is_new(uintptr_t pc, uintptr_t other)
{
    uint64_t pair = hash_u64(MIN(pc, other)) + MAX(pc, other);

    if (sanitizer_is_expecting()) {
        return true;
    }
    if (atomic_exchange_explicit(&kcsan_pairs[hash_u64(pair) % KCSAN_NR_PAIRS],
                                 pair, memory_order_relaxed) == pair) {
        sanitizer_report_again();
        return false;
    }
    return true;
}

/* "marked write of size 4 at 0x1234 by CPU 1 in function+0x12 file:line" */
static void
kcsan_describe(char text[KCSAN_TEXT_MAX], const struct kcsan_access *access,
               uint32_t cpu, uintptr_t pc)
{
    struct symtab_entry entry;
    int length;

    length = fmt_snprintf(text, KCSAN_TEXT_MAX,
                          "%s%s of size %zu at %#lx by CPU %u in ",
                          access->kind & KCSAN_MARKED ? "marked " : "",
                          access->kind & KCSAN_WRITE ? "write" : "read",
                          access->size, access->addr, cpu);
    text += length;
    if (!symtab_lookup(pc, &entry)) {
        fmt_snprintf(text, KCSAN_TEXT_MAX - (size_t)length, "%#lx", pc);
    } else if (entry.file == NULL) {
        fmt_snprintf(text, KCSAN_TEXT_MAX - (size_t)length, "%s+%#lx",
                     entry.name, entry.offset);
    } else {
        fmt_snprintf(text, KCSAN_TEXT_MAX - (size_t)length, "%s+%#lx %s:%u",
                     entry.name, entry.offset, entry.file, entry.line);
    }
}

void
kcsan_report(const struct kcsan_access *access,
             const struct sanitizer_place *place,
             const struct kcsan_change *change, const struct kcsan_event *other)
{
    struct sanitizer_place both = { place->pc, place->frame, &other->trace };
    char here[KCSAN_TEXT_MAX], there[KCSAN_TEXT_MAX], detail[LOG_LINE_MAX + 1];

    if (!kcsan_is_new(place->pc, other->trace.trace.pcs[0])) {
        return;
    }
    kcsan_describe(here, access, cpu_id(), place->pc);
    kcsan_describe(there, &other->access, other->trace.cpu,
                   other->trace.trace.pcs[0]);
    fmt_snprintf(detail, sizeof(detail), "KCSAN: with %s; %#lx became %#lx",
                 there, change->before, change->after);
    sanitizer_report(&both, detail, "KCSAN: data race, %s", here);
}

void
kcsan_report_change(const struct kcsan_access *access,
                    const struct sanitizer_place *place,
                    const struct kcsan_change *change)
{
    char here[KCSAN_TEXT_MAX], detail[LOG_LINE_MAX + 1];

    if (!kcsan_is_new(place->pc, 0)) {
        return;
    }
    kcsan_describe(here, access, cpu_id(), place->pc);
    fmt_snprintf(detail, sizeof(detail),
                 "KCSAN: with nobody that is seen; %#lx became %#lx",
                 change->before, change->after);
    sanitizer_report(place, detail, "KCSAN: data race, %s", here);
}
