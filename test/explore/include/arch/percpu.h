/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU variables of simulated CPUs: the template's address and a distance,
 * as on the machine, where %gs holds the distance.
 *
 * The accesses are inline assembly, which no instrumentation sees, behind one
 * call that may switch: so each is a single instruction here as well.
 */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

/*
 * A possible switch, then the address of the running CPU's copy.
 *
 * @var    address of the template
 * @store  whether it is about to be written, in one instruction
 */
void *explore_percpu(void *var, size_t size, bool store);

/* A possible switch before a plain store. */
void explore_local(uint32_t *word);

#define percpu_read(var)                                                       \
    ({                                                                         \
        __typeof__(var) percpu_value_;                                         \
        __asm__ volatile("mov (%1), %0"                                        \
                         : "=r"(percpu_value_)                                 \
                         : "r"(explore_percpu(&(var), sizeof(var), false))     \
                         : "memory");                                          \
        percpu_value_;                                                         \
    })

#define percpu_write(var, value)                                               \
    do {                                                                       \
        __typeof__(var) percpu_value_ = (value);                               \
        __asm__ volatile("mov %0, (%1)"                                        \
                         :                                                     \
                         : "r"(percpu_value_),                                 \
                           "r"(explore_percpu(&(var), sizeof(var), true))      \
                         : "memory");                                          \
    } while (0)

#define percpu_count(var)  percpu_add(var, 1)
#define percpu_set(var)    percpu_write(var, true)
#define percpu_is_set(var) (percpu_read(var) != 0)

#define percpu_add(var, value)                                                 \
    do {                                                                       \
        __typeof__(var) percpu_value_ = (__typeof__(var))(value);              \
        __asm__ volatile("add %0, (%1)"                                        \
                         :                                                     \
                         : "r"(percpu_value_),                                 \
                           "r"(explore_percpu(&(var), sizeof(var), true))      \
                         : "memory", "cc");                                    \
    } while (0)

static inline void
percpu_add_own(int32_t *ptr, int32_t value)
{
    explore_local((uint32_t *)ptr);
    __asm__ volatile("addl %0, (%1)" : : "r"(value), "r"(ptr) : "memory", "cc");
}

static inline bool
percpu_add_is_negative(int64_t *ptr, int64_t value)
{
    bool negative;

    __asm__ volatile("addq %1, (%2)"
                     : "=@ccs"(negative)
                     : "r"(value), "r"(explore_percpu(ptr, 8, true))
                     : "memory");
    return negative;
}

#endif /* ARCH_PERCPU_H */
