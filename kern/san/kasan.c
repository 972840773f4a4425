/* SPDX-License-Identifier: MIT */
/*
 * The address sanitizer's run-time part: looks at the shadow and changes it.
 *
 * A byte of shadow tells about 8 bytes: 0, all may be touched; 1 to 7, only so
 * many at the start; else none, and the value says why.  The compilers call a
 * function here for each access, and themselves write the shadow of what is
 * on the stack.  The whole upper half has a shadow, so nothing here faults;
 * the lower half is left to the processor.
 *
 * Serebryany et al., "AddressSanitizer: A Fast Address Sanity Checker",
 * USENIX ATC 2012.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/layout.h>
#include <kern/kasan.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "kasan.h"

/* Bytes that a word of shadow tells about. */
#define KASAN_WORD 64

/* Shadow of arrays of variable length; the compilers leave it to us. */
#define KASAN_ALLOCA_LEFT     0xca
#define KASAN_ALLOCA_RIGHT    0xcb
#define KASAN_ALLOCA_REDZONE  32
#define KASAN_GLOBAL_REDZONE  0xf9
#define KASAN_STACK_OUT_SCOPE 0xf8

static inline int8_t
kasan_read(uintptr_t addr)
{
    return *(const int8_t *)kasan_shadow(addr);
}

/* No memset(): that is checked, and may be what called us. */
static inline void
kasan_fill(uintptr_t shadow, uint8_t value, size_t size)
{
    uint64_t pattern = UINT64_C(0x0101010101010101) * value;
    size_t words = size / sizeof(pattern);
    size_t rest = size % sizeof(pattern);

    __asm__ volatile("rep stosq"
                     : "+D"(shadow), "+c"(words)
                     : "a"(pattern)
                     : "memory");
    __asm__ volatile("rep stosb"
                     : "+D"(shadow), "+c"(rest)
                     : "a"(pattern)
                     : "memory");
}

static inline bool
kasan_byte_is_bad(uintptr_t addr)
{
    int8_t shadow = kasan_read(addr);

    return unlikely(shadow != 0) && (int8_t)(addr % KASAN_GRANULE) >= shadow;
}

/* Whether the next KASAN_WORD bytes may be touched, if that is one look. */
static inline bool
kasan_is_word_good(uintptr_t addr, size_t size)
{
    return size >= KASAN_WORD && IS_ALIGNED(addr, KASAN_WORD) &&
           *(const uint64_t *)kasan_shadow(addr) == 0;
}

bool
kasan_find_bad(uintptr_t addr, size_t size, uintptr_t *bad)
{
    uintptr_t end = addr + size;

    if (size == 0 || addr < DIRECT_MAP_BASE) {
        return false;
    }
    if (end < addr && end != 0) {
        *bad = addr;
        return true;
    }
    while (addr != end) {
        uintptr_t next = ALIGN_DOWN(addr, KASAN_GRANULE) + KASAN_GRANULE;

        if (kasan_is_word_good(addr, end - addr)) {
            addr += KASAN_WORD;
            continue;
        }
        next = next - addr > end - addr ? end : next;
        if (kasan_byte_is_bad(next - 1)) {
            while (!kasan_byte_is_bad(addr)) {
                addr++;
            }
            *bad = addr;
            return true;
        }
        addr = next;
    }
    return false;
}

static inline void
kasan_check_slow(uintptr_t addr, size_t size, bool is_write,
                 const struct sanitizer_place *place)
{
    struct kasan_access access = { addr, size, is_write };
    uintptr_t bad;

    if (kasan_find_bad(addr, size, &bad)) {
        kasan_report(&access, bad, place);
    }
}

/* Whether up to 8 bytes may be touched, for all that is common. */
static inline bool
kasan_is_quickly_good(uintptr_t addr, size_t size)
{
    uintptr_t last = addr + size - 1;

    return addr < DIRECT_MAP_BASE ||
           (kasan_read(addr) == 0 && kasan_read(last) == 0);
}

#define KASAN_CHECK(addr, size, is_write)                                      \
    do {                                                                       \
        if (unlikely(!kasan_is_quickly_good(addr, size))) {                    \
            struct sanitizer_place place_ = SANITIZER_CALLER();                \
                                                                               \
            kasan_check_slow(addr, size, is_write, &place_);                   \
        }                                                                      \
    } while (0)

#define KASAN_ACCESS(size)                                                     \
    void __asan_load##size##_noabort(uintptr_t addr)                           \
    {                                                                          \
        KASAN_CHECK(addr, size, false);                                        \
    }                                                                          \
                                                                               \
    void __asan_store##size##_noabort(uintptr_t addr)                          \
    {                                                                          \
        KASAN_CHECK(addr, size, true);                                         \
    }

/* At most 9 bytes have two bytes of shadow: first and last tell all. */
KASAN_ACCESS(1)
KASAN_ACCESS(2)
KASAN_ACCESS(4)
KASAN_ACCESS(8)

#define KASAN_CHECK_RANGE(addr, size, is_write)                                \
    do {                                                                       \
        struct sanitizer_place place_ = SANITIZER_CALLER();                    \
                                                                               \
        kasan_check_slow(addr, size, is_write, &place_);                       \
    } while (0)

void
__asan_load16_noabort(uintptr_t addr)
{
    KASAN_CHECK_RANGE(addr, 16, false);
}

void
__asan_store16_noabort(uintptr_t addr)
{
    KASAN_CHECK_RANGE(addr, 16, true);
}

void
__asan_loadN_noabort(uintptr_t addr, size_t size)
{
    KASAN_CHECK_RANGE(addr, size, false);
}

void
__asan_storeN_noabort(uintptr_t addr, size_t size)
{
    KASAN_CHECK_RANGE(addr, size, true);
}

void
kasan_check_read(const void *ptr, size_t size)
{
    KASAN_CHECK_RANGE((uintptr_t)ptr, size, false);
}

void
kasan_check_write(const void *ptr, size_t size)
{
    KASAN_CHECK_RANGE((uintptr_t)ptr, size, true);
}

void *
memcpy(void *dst, const void *src, size_t n)
{
    KASAN_CHECK_RANGE((uintptr_t)src, n, false);
    KASAN_CHECK_RANGE((uintptr_t)dst, n, true);
    return __memcpy(dst, src, n);
}

void *
memmove(void *dst, const void *src, size_t n)
{
    KASAN_CHECK_RANGE((uintptr_t)src, n, false);
    KASAN_CHECK_RANGE((uintptr_t)dst, n, true);
    return __memmove(dst, src, n);
}

void *
memset(void *dst, int value, size_t n)
{
    KASAN_CHECK_RANGE((uintptr_t)dst, n, true);
    return __memset(dst, value, n);
}

/* Set the shadow of [addr, addr + size), both multiples of the granule. */
static void
kasan_mark(uintptr_t addr, size_t size, uint8_t value)
{
    kasan_fill(kasan_shadow(addr), value, size / KASAN_GRANULE);
}

static void
kasan_unpoison_range(uintptr_t addr, size_t size)
{
    size_t rest = size % KASAN_GRANULE;

    kasan_mark(addr, size - rest, 0);
    if (rest != 0) {
        kasan_fill(kasan_shadow(addr + size), (uint8_t)rest, 1);
    }
}

void
kasan_unpoison(const void *ptr, size_t size)
{
    kasan_unpoison_range((uintptr_t)ptr, size);
}

void
kasan_poison(const void *ptr, size_t size, enum kasan_kind kind)
{
    uintptr_t addr = (uintptr_t)ptr;
    uintptr_t end = ALIGN_UP(addr + size, KASAN_GRANULE);
    size_t below = addr % KASAN_GRANULE;

    if (size == 0) {
        return;
    }
    if (below != 0) {
        int8_t shadow = kasan_read(addr);

        if (shadow == 0 || shadow > (int8_t)below) {
            kasan_fill(kasan_shadow(addr), (uint8_t)below, 1);
        }
        addr += KASAN_GRANULE - below;
    }
    kasan_mark(addr, end - addr, (uint8_t)kind);
}

bool
kasan_check_free(const void *ptr)
{
    /* Objects of no size have red zones from the start. */
    if ((uint8_t)kasan_read((uintptr_t)ptr) == KASAN_FREE_OBJECT) {
        struct sanitizer_place place = SANITIZER_CALLER();

        kasan_report_free((uintptr_t)ptr, &place);
        return false;
    }
    return true;
}

void
__asan_register_globals(const struct kasan_global *globals, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        uintptr_t addr = (uintptr_t)globals[i].ptr;
        size_t used = ALIGN_UP(globals[i].size, KASAN_GRANULE);

        kasan_unpoison_range(addr, globals[i].size);
        kasan_mark(addr + used, globals[i].size_with_redzone - used,
                   KASAN_GLOBAL_REDZONE);
    }
}

void
__asan_unregister_globals(const struct kasan_global *globals __unused,
                          size_t nr __unused)
{
}

void
__asan_handle_no_return(void)
{
}

void
__asan_unpoison_stack_memory(uintptr_t addr, size_t size)
{
    kasan_unpoison_range(addr, size);
}

void
__asan_poison_stack_memory(uintptr_t addr, size_t size)
{
    kasan_mark(addr, ALIGN_UP(size, KASAN_GRANULE), KASAN_STACK_OUT_SCOPE);
}

void
__asan_alloca_poison(uintptr_t addr, size_t size)
{
    size_t used = ALIGN_UP(size, KASAN_GRANULE);
    uintptr_t end = ALIGN_UP(addr + size, KASAN_ALLOCA_REDZONE);

    kasan_unpoison_range(addr, size);
    kasan_mark(addr - KASAN_ALLOCA_REDZONE, KASAN_ALLOCA_REDZONE,
               KASAN_ALLOCA_LEFT);
    kasan_mark(addr + used, end + KASAN_ALLOCA_REDZONE - (addr + used),
               KASAN_ALLOCA_RIGHT);
}

void
__asan_allocas_unpoison(uintptr_t top, uintptr_t bottom)
{
    if (top != 0 && top < bottom) {
        kasan_mark(top, ALIGN_UP(bottom - top, KASAN_GRANULE), 0);
    }
}

#define KASAN_SET_SHADOW(value)                                                \
    void __asan_set_shadow_##value(uintptr_t shadow, size_t size)              \
    {                                                                          \
        kasan_fill(shadow, 0x##value, size);                                   \
    }

KASAN_SET_SHADOW(00)
KASAN_SET_SHADOW(f1)
KASAN_SET_SHADOW(f2)
KASAN_SET_SHADOW(f3)
KASAN_SET_SHADOW(f5)
KASAN_SET_SHADOW(f8)
