/* SPDX-License-Identifier: MIT */
/*
 * Access to per-CPU variables.
 *
 * The linker gathers them in a template; each CPU has a copy, and its %gs
 * base is the distance from the template to the copy, so that an access is
 * one instruction with the template's address and a %gs prefix.  Until its
 * own copy exists the boot CPU uses the template, with a base of zero.
 *
 * The compiler does not know that an access here and one through percpu_ptr()
 * or percpu_this() may be of the same copy: between the two a barrier() is
 * needed.
 *
 * The inline assembly is deliberate: gcc 12 instruments __seg_gs accesses
 * with the wrong address under KASAN.
 */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>

/*
 * Read a variable of this CPU, of 1, 2, 4 or 8 bytes, in one instruction.
 */
#define percpu_read(var)                                                       \
    ({                                                                         \
        __typeof__(var) percpu_value_;                                         \
        __asm__ volatile("mov %%gs:%1, %0" : "=r"(percpu_value_) : "m"(var));  \
        percpu_value_;                                                         \
    })

/* Write a variable of this CPU, in one instruction. */
#define percpu_write(var, value)                                               \
    do {                                                                       \
        __typeof__(var) percpu_value_ = (value);                               \
        __asm__ volatile("mov %1, %%gs:%0"                                     \
                         : "=m"(var)                                           \
                         : "r"(percpu_value_)                                  \
                         : "memory");                                          \
    } while (0)

/* Add to an integer of this CPU; atomic against interrupts of this CPU. */
#define percpu_add(var, value)                                                 \
    do {                                                                       \
        __typeof__(var) percpu_value_ = (__typeof__(var))(value);              \
        __asm__ volatile("add %1, %%gs:%0"                                     \
                         : "+m"(var)                                           \
                         : "r"(percpu_value_)                                  \
                         : "memory", "cc");                                    \
    } while (0)

/* Add one to a 64-bit counter of this CPU, in one instruction. */
#define percpu_count(var)                                                      \
    do {                                                                       \
        static_assert(sizeof(var) == 8, "a counter");                          \
        __asm__ volatile("incq %%gs:%0" : "+m"(var) : : "memory", "cc");       \
    } while (0)

/* Whether a flag of this CPU is set, or a pointer not NULL. */
#define percpu_is_set(var)                                                     \
    ({                                                                         \
        bool percpu_set_;                                                      \
        if (sizeof(var) == 1) {                                                \
            __asm__ volatile("cmpb $0, %%gs:%1"                                \
                             : "=@ccne"(percpu_set_)                           \
                             : "m"(var));                                      \
        } else {                                                               \
            static_assert(sizeof(var) == 1 || sizeof(var) == 8,                \
                          "a flag or a pointer");                              \
            __asm__ volatile("cmpq $0, %%gs:%1"                                \
                             : "=@ccne"(percpu_set_)                           \
                             : "m"(var));                                      \
        }                                                                      \
        percpu_set_;                                                           \
    })

/* Set a flag of this CPU, in one instruction. */
#define percpu_set(var)                                                        \
    do {                                                                       \
        static_assert(sizeof(var) == 1, "a flag");                             \
        __asm__ volatile("movb $1, %%gs:%0" : "=m"(var) : : "memory");         \
    } while (0)

/*
 * Add to an integer in memory that only this CPU changes, in one instruction:
 * an interrupt comes before or after it.
 */
static inline void
percpu_add_own(int32_t *ptr, int32_t value)
{
    __asm__ volatile("addl %1, %0" : "+m"(*ptr) : "er"(value) : "cc");
}

/*
 * Add to this CPU's copy of the integer at @ptr in the template, in one
 * instruction; the caller may move between CPUs before and after it.
 *
 * Returns: whether the sum is negative
 */
static inline bool
percpu_add_is_negative(int64_t *ptr, int64_t value)
{
    bool negative;

    __asm__ volatile("addq %2, %%gs:%1"
                     : "=@ccs"(negative), "+m"(*ptr)
                     : "er"(value)
                     : "memory");
    return negative;
}

/*
 * Read this CPU's copy of the integer at @ptr in the template, in one
 * instruction.
 */
static inline uint32_t
percpu_read_at(const uint32_t *ptr)
{
    uint32_t value;

    __asm__ volatile("movl %%gs:%1, %0" : "=r"(value) : "m"(*ptr));
    return value;
}

/*
 * Replace this CPU's copy of the integer at @ptr in the template if it has an
 * expected value, in one instruction that does not lock the bus: whole for
 * interrupts of this CPU.  A caller who has moved to another CPU since it read
 * the integer compares with that CPU's.
 *
 * Returns: whether it was as expected
 */
static inline bool
percpu_replace_at(uint32_t *ptr, uint32_t expected, uint32_t value)
{
    bool equal;

    __asm__ volatile("cmpxchgl %3, %%gs:%1"
                     : "=@ccz"(equal), "+m"(*ptr), "+a"(expected)
                     : "r"(value)
                     : "memory");
    return equal;
}

/* The same as percpu_read_at() for a pointer. */
static inline void *
percpu_read_ptr_at(void *const *ptr)
{
    void *value;

    __asm__ volatile("movq %%gs:%1, %0" : "=r"(value) : "m"(*ptr));
    return value;
}

/* The same as percpu_replace_at() for a pointer. */
static inline bool
percpu_replace_ptr_at(void **ptr, void *expected, void *value)
{
    bool equal;

    __asm__ volatile("cmpxchgq %3, %%gs:%1"
                     : "=@ccz"(equal), "+m"(*ptr), "+a"(expected)
                     : "r"(value)
                     : "memory");
    return equal;
}

#endif /* ARCH_PERCPU_H */
