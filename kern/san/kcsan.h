/* SPDX-License-Identifier: MIT */
/*
 * What the compilers call in KCSAN builds, and what is between the files here.
 *
 * Context of all: any
 *
 * Source: LLVM, compiler-rt/lib/tsan/rtl/tsan_interface.h and
 * tsan_interface_atomic.h.
 */
#ifndef KERN_SAN_KCSAN_H
#define KERN_SAN_KCSAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/sanitizer.h>

#include "report.h"

/* What kind of access, in bits. */
#define KCSAN_READ   0u
#define KCSAN_WRITE  2u
#define KCSAN_MARKED 4u /* atomic or volatile */

struct kcsan_access {
    uintptr_t addr;
    size_t size;
    unsigned int kind; /* KCSAN_WRITE, KCSAN_MARKED */
};

/* An access that has happened, to tell of. */
struct kcsan_event {
    struct kcsan_access access;
    struct sanitizer_trace trace;
};

/* Bytes of memory, of which some were watched, before and after. */
struct kcsan_change {
    uint64_t before;
    uint64_t after;
};

/*
 * Report a race of an access here with one of another CPU, unless this pair
 * of places was reported before.
 *
 * @place  of the access here
 */
void kcsan_report(const struct kcsan_access *access,
                  const struct sanitizer_place *place,
                  const struct kcsan_change *change,
                  const struct kcsan_event *other);

/*
 * Report that memory changed during an access, nobody knows by whom, unless
 * this place was reported before.
 */
void kcsan_report_change(const struct kcsan_access *access,
                         const struct sanitizer_place *place,
                         const struct kcsan_change *change);

/* Called by a constructor of each file. */
void __tsan_init(void);

/* Called at the begin and the end of functions, if not told otherwise. */
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);

/* Called before an access to many bytes, such as an assignment of a struct. */
void __tsan_read_range(void *ptr, size_t size);
void __tsan_write_range(void *ptr, size_t size);

/* Called instead of the fences. */
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

/* Called before a load or a store of so many bytes. */
#define KCSAN_DECLARE_PLAIN(size)                                              \
    void __tsan_read##size(void *ptr);                                         \
    void __tsan_write##size(void *ptr);                                        \
    void __tsan_unaligned_read##size(void *ptr);                               \
    void __tsan_unaligned_write##size(void *ptr);                              \
    void __tsan_volatile_read##size(void *ptr);                                \
    void __tsan_volatile_write##size(void *ptr);                               \
    void __tsan_unaligned_volatile_read##size(void *ptr);                      \
    void __tsan_unaligned_volatile_write##size(void *ptr)

KCSAN_DECLARE_PLAIN(1);
KCSAN_DECLARE_PLAIN(2);
KCSAN_DECLARE_PLAIN(4);
KCSAN_DECLARE_PLAIN(8);
KCSAN_DECLARE_PLAIN(16);

/*
 * Called instead of an atomic operation, which is done here.  Orders are the
 * compilers' constants.
 */
#define KCSAN_DECLARE_ATOMIC(bits)                                             \
    uint##bits##_t __tsan_atomic##bits##_load(                                 \
        const volatile uint##bits##_t *ptr, int order);                        \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *ptr,             \
                                     uint##bits##_t value, int order);         \
    uint##bits##_t __tsan_atomic##bits##_exchange(                             \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    uint##bits##_t __tsan_atomic##bits##_fetch_add(                            \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    uint##bits##_t __tsan_atomic##bits##_fetch_sub(                            \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    uint##bits##_t __tsan_atomic##bits##_fetch_and(                            \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    uint##bits##_t __tsan_atomic##bits##_fetch_or(                             \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    uint##bits##_t __tsan_atomic##bits##_fetch_xor(                            \
        volatile uint##bits##_t *ptr, uint##bits##_t value, int order);        \
    int __tsan_atomic##bits##_compare_exchange_strong(                         \
        volatile uint##bits##_t *ptr, uint##bits##_t *expected,                \
        uint##bits##_t value, int order, int failure);                         \
    int __tsan_atomic##bits##_compare_exchange_weak(                           \
        volatile uint##bits##_t *ptr, uint##bits##_t *expected,                \
        uint##bits##_t value, int order, int failure);                         \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                 \
        volatile uint##bits##_t *ptr, uint##bits##_t expected,                 \
        uint##bits##_t value, int order, int failure)

KCSAN_DECLARE_ATOMIC(8);
KCSAN_DECLARE_ATOMIC(16);
KCSAN_DECLARE_ATOMIC(32);
KCSAN_DECLARE_ATOMIC(64);

/* lib/string.c's functions without checks. */
void *__memcpy(void *dst, const void *src, size_t n);
void *__memmove(void *dst, const void *src, size_t n);
void *__memset(void *dst, int value, size_t n);

#endif /* KERN_SAN_KCSAN_H */
