/* SPDX-License-Identifier: MIT */
/*
 * Small helpers that the language lacks.
 */
#ifndef LIB_MACROS_H
#define LIB_MACROS_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define MIN(a, b)                                                              \
    ({                                                                         \
        __typeof__(a) min_a = (a);                                             \
        __typeof__(b) min_b = (b);                                             \
        min_a < min_b ? min_a : min_b;                                         \
    })
#define MAX(a, b)                                                              \
    ({                                                                         \
        __typeof__(a) max_a = (a);                                             \
        __typeof__(b) max_b = (b);                                             \
        max_a > max_b ? max_a : max_b;                                         \
    })

/* @align must be a power of two; neither argument may have side effects. */
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align) - 1))
#define ALIGN_UP(x, align)   (-ALIGN_DOWN(-(x), align))
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align) - 1)) == 0)
#define IS_POWER_OF_2(x)     ((x) != 0 && ((x) & ((x) - 1)) == 0)
#define DIV_ROUND_UP(n, d)   (((n) + (d) - 1) / (d))

#define container_of(ptr, type, member)                                        \
    ((type *)((uintptr_t)(ptr) - offsetof(type, member)))

#define STRINGIFY_(x) #x
#define STRINGIFY(x)  STRINGIFY_(x)
#define CONCAT_(a, b) a##b
#define CONCAT(a, b)  CONCAT_(a, b)

#define likely(x)        __builtin_expect(!!(x), 1)
#define unlikely(x)      __builtin_expect((x), 0)
#define barrier()        __asm__ volatile("" ::: "memory")
#define unreachable()    __builtin_unreachable()
#define static_assert    _Static_assert
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Add to what others may read meanwhile, but only the caller may write. */
#define ADD_ONCE(x, n) WRITE_ONCE(x, (x) + (n))

/* Host C libraries define some of these, in their own words. */
#undef __always_inline

#define __packed        __attribute__((packed))
#define __aligned(n)    __attribute__((aligned(n)))
#define __noreturn      __attribute__((noreturn))
#define __noinline      __attribute__((noinline))
#define __always_inline inline __attribute__((always_inline))
#define __unused        __attribute__((unused))
#define __used          __attribute__((used))
#define __must_check    __attribute__((warn_unused_result))
#define __cold          __attribute__((cold))
#define __section(s)    __attribute__((section(s)))
#define __printf(f, a)  __attribute__((format(printf, f, a)))

/* For functions whose accesses no sanitizer checks: their callers did. */
#define __no_access_checks                                                     \
    __attribute__((no_sanitize("kernel-address"), no_sanitize("thread")))

/* A line of the caches of all supported processors, bytes. */
#define CACHE_LINE 64

/*
 * An array that the linker gathers from all files: SECTION_ENTRY() adds a
 * pointer to @object, section_for_each() visits them in no promised order.
 */
#define SECTION_ENTRY(section, object)                                         \
    static __typeof__(object) *const CONCAT(section##_entry_, __LINE__)        \
        __used __section(".table." #section) = &(object)

#define SECTION_DECLARE(section, type)                                         \
    extern type *const __start_table_##section[];                              \
    extern type *const __stop_table_##section[]

#define section_for_each(section, var)                                         \
    for ((var) = __start_table_##section; (var) < __stop_table_##section;      \
         (var)++)

#endif /* LIB_MACROS_H */
