/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls under -fsanitize=thread, before each access: a
 * possible switch.  Loads and plain stores are then made by the program,
 * atomic operations are made here.
 *
 * As on x86, a load needs nothing for its order, a store goes through the
 * store buffer whatever its order is, but a sequentially consistent one is an
 * xchg; a read-modify-write is locked and drains the buffer.
 */
#include <arch/cpu.h>
#include <arch/local.h>
#include <kern/cpu.h>
#include <lib/string.h>
#include "engine.h"

#define PC() ((uintptr_t)__builtin_return_address(0))

static inline bool
runtime_is_own_stack(uintptr_t addr)
{
    uintptr_t offset;

    offset = addr - (uintptr_t)engine_stacks;
    return offset < sizeof(engine_stacks) &&
           offset / ENGINE_STACK_SIZE == engine.cpu->stack;
}

/* Whether there is something at an address. */
static inline void
runtime_check(uintptr_t addr, unsigned size)
{
    uintptr_t offset;
    size_t stack;

    offset = addr - heap_base();
    if (offset < engine.heap_used) {
        heap_check(offset, size);
        return;
    }

    offset = addr - (uintptr_t)engine_stacks;
    if (offset >= sizeof(engine_stacks)) {
        return;
    }
    stack = offset / ENGINE_STACK_SIZE;
    if (stack != engine.cpu->stack && addr < engine.stack_tops[stack]) {
        explore_fail("access to a frame of stack %zu that is left", stack);
    }
}

/* A possible switch; behind it, the access must be allowed. */
static inline void
runtime_access(enum access access, uintptr_t addr, unsigned size, uintptr_t pc)
{
    if (!engine.active ||
        (access <= ACCESS_WRITE && runtime_is_own_stack(addr))) {
        return;
    }
    if (unlikely(++engine.steps >= engine.next_event)) {
        engine_event(access, addr, size, pc);
    }
    runtime_check(addr, size);
}

static inline void
runtime_load(const volatile void *addr, unsigned size, uintptr_t pc)
{
    runtime_access(ACCESS_READ, (uintptr_t)addr, size, pc);
}

static inline void
runtime_store(const volatile void *addr, unsigned size, uintptr_t pc)
{
    runtime_access(ACCESS_WRITE, (uintptr_t)addr, size, pc);
    buffer_push((uintptr_t)addr, size);
}

/* The prototypes are the compiler's own. */
#define RUNTIME_PLAIN(prefix, size)                                            \
    void __tsan_##prefix##read##size(void *addr);                              \
    void __tsan_##prefix##write##size(void *addr);                             \
    void __tsan_##prefix##read##size(void *addr)                               \
    {                                                                          \
        runtime_load(addr, size, PC());                                        \
    }                                                                          \
    void __tsan_##prefix##write##size(void *addr)                              \
    {                                                                          \
        runtime_store(addr, size, PC());                                       \
    }

RUNTIME_PLAIN(, 1)
RUNTIME_PLAIN(, 2)
RUNTIME_PLAIN(, 4)
RUNTIME_PLAIN(, 8)
RUNTIME_PLAIN(, 16)
RUNTIME_PLAIN(unaligned_, 2)
RUNTIME_PLAIN(unaligned_, 4)
RUNTIME_PLAIN(unaligned_, 8)
RUNTIME_PLAIN(unaligned_, 16)
RUNTIME_PLAIN(volatile_, 1)
RUNTIME_PLAIN(volatile_, 2)
RUNTIME_PLAIN(volatile_, 4)
RUNTIME_PLAIN(volatile_, 8)
RUNTIME_PLAIN(volatile_, 16)

void __tsan_read_range(void *addr, size_t size);
void __tsan_write_range(void *addr, size_t size);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_init(void);
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void
__tsan_read_range(void *addr, size_t size)
{
    runtime_load(addr, (unsigned)size, PC());
}

void
__tsan_write_range(void *addr, size_t size)
{
    runtime_store(addr, (unsigned)size, PC());
}

void
__tsan_func_entry(void *pc __unused)
{
}

void
__tsan_func_exit(void)
{
}

void
__tsan_init(void)
{
}

void
__tsan_atomic_thread_fence(int order)
{
    runtime_access(ACCESS_FENCE, 0, 0, PC());
    if (order == __ATOMIC_SEQ_CST) {
        buffer_drain();
    }
}

void
__tsan_atomic_signal_fence(int order __unused)
{
}

#define RUNTIME_RMW(bits, type, name, expr)                                    \
    type __tsan_atomic##bits##_##name(volatile type *addr, type value,         \
                                      int order);                              \
    type __tsan_atomic##bits##_##name(volatile type *addr, type value,         \
                                      int order __unused)                      \
    {                                                                          \
        type old;                                                              \
                                                                               \
        runtime_access(ACCESS_RMW, (uintptr_t)addr, bits / 8, PC());           \
        buffer_drain();                                                        \
        old = *addr;                                                           \
        *addr = (type)(expr);                                                  \
        return old;                                                            \
    }

#define RUNTIME_CAS(bits, type, name)                                          \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile type *addr,     \
                                                      type *expected,          \
                                                      type desired, int order, \
                                                      int failure);            \
    int __tsan_atomic##bits##_compare_exchange_##name(                         \
        volatile type *addr, type *expected, type desired, int order __unused, \
        int failure __unused)                                                  \
    {                                                                          \
        type old;                                                              \
                                                                               \
        runtime_access(ACCESS_RMW, (uintptr_t)addr, bits / 8, PC());           \
        buffer_drain();                                                        \
        old = *addr;                                                           \
        if (old != *expected) {                                                \
            *expected = old;                                                   \
            return 0;                                                          \
        }                                                                      \
        *addr = desired;                                                       \
        return 1;                                                              \
    }

/* What clang prefers. */
#define RUNTIME_CAS_VALUE(bits, type)                                          \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *addr,       \
                                                    type expected,             \
                                                    type desired, int order,   \
                                                    int failure);              \
    type __tsan_atomic##bits##_compare_exchange_val(                           \
        volatile type *addr, type expected, type desired, int order __unused,  \
        int failure __unused)                                                  \
    {                                                                          \
        type old;                                                              \
                                                                               \
        runtime_access(ACCESS_RMW, (uintptr_t)addr, bits / 8, PC());           \
        buffer_drain();                                                        \
        old = *addr;                                                           \
        if (old == expected) {                                                 \
            *addr = desired;                                                   \
        }                                                                      \
        return old;                                                            \
    }

#define RUNTIME_ATOMIC(bits, type)                                             \
    type __tsan_atomic##bits##_load(const volatile type *addr, int order);     \
    void __tsan_atomic##bits##_store(volatile type *addr, type value,          \
                                     int order);                               \
    type __tsan_atomic##bits##_load(const volatile type *addr,                 \
                                    int order __unused)                        \
    {                                                                          \
        runtime_access(ACCESS_ATOMIC_READ, (uintptr_t)addr, bits / 8, PC());   \
        return *addr;                                                          \
    }                                                                          \
    void __tsan_atomic##bits##_store(volatile type *addr, type value,          \
                                     int order)                                \
    {                                                                          \
        runtime_access(ACCESS_ATOMIC_WRITE, (uintptr_t)addr, bits / 8, PC());  \
        if (order == __ATOMIC_SEQ_CST) {                                       \
            buffer_drain();                                                    \
        } else {                                                               \
            buffer_push((uintptr_t)addr, bits / 8);                            \
        }                                                                      \
        *addr = value;                                                         \
    }                                                                          \
    RUNTIME_RMW(bits, type, exchange, value)                                   \
    RUNTIME_RMW(bits, type, fetch_add, old + value)                            \
    RUNTIME_RMW(bits, type, fetch_sub, old - value)                            \
    RUNTIME_RMW(bits, type, fetch_and, old &value)                             \
    RUNTIME_RMW(bits, type, fetch_or, old | value)                             \
    RUNTIME_RMW(bits, type, fetch_xor, old ^ value)                            \
    RUNTIME_CAS(bits, type, strong)                                            \
    RUNTIME_CAS_VALUE(bits, type)                                              \
    RUNTIME_CAS(bits, type, weak)

RUNTIME_ATOMIC(8, uint8_t)
RUNTIME_ATOMIC(16, uint16_t)
RUNTIME_ATOMIC(32, uint32_t)
RUNTIME_ATOMIC(64, uint64_t)

void *
explore_percpu(void *var, size_t size, bool store)
{
    char *copy;

    copy = (char *)var + engine.percpu_base;
    /* These never change. */
    if (var == &percpu_offset || var == &cpu_number) {
        return copy;
    }
    runtime_access(store ? ACCESS_WRITE : ACCESS_READ, (uintptr_t)copy,
                   (unsigned)size, PC());
    /* The switch may have led to another CPU: its copy is written, not that. */
    copy = (char *)var + engine.percpu_base;
    if (store) {
        buffer_push((uintptr_t)copy, size);
    }
    return copy;
}

void
explore_local(uint32_t *word)
{
    runtime_store(word, sizeof(*word), PC());
}

void *
explore_memcpy(void *dst, const void *src, size_t n)
{
    runtime_load(src, (unsigned)n, PC());
    runtime_store(dst, (unsigned)n, PC());
    return __builtin_memcpy(dst, src, n);
}

void *
explore_memmove(void *dst, const void *src, size_t n)
{
    runtime_load(src, (unsigned)n, PC());
    runtime_store(dst, (unsigned)n, PC());
    return __builtin_memmove(dst, src, n);
}

void *
explore_memset(void *dst, int value, size_t n)
{
    runtime_store(dst, (unsigned)n, PC());
    return __builtin_memset(dst, value, n);
}

int
explore_memcmp(const void *a, const void *b, size_t n)
{
    runtime_load(a, (unsigned)n, PC());
    runtime_load(b, (unsigned)n, PC());
    return __builtin_memcmp(a, b, n);
}

/* Before an instruction that changes whether interrupts come. */
static inline void
runtime_irq_point(uintptr_t pc)
{
    runtime_access(ACCESS_IRQ_STATE, 0, 0, pc);
}

uint64_t
cpu_irq_save(void)
{
    uint64_t flags;

    runtime_irq_point(PC());
    flags = engine.cpu->irq_on ? CPU_FLAGS_IF : 0;
    engine.cpu->irq_on = false;
    return flags;
}

void
cpu_irq_restore(uint64_t flags)
{
    if (flags & CPU_FLAGS_IF) {
        cpu_irq_enable();
    }
}

void
cpu_irq_enable(void)
{
    engine.cpu->irq_on = true;
    if (engine.active) {
        engine_plan_event();
        runtime_irq_point(PC());
    }
}

void
cpu_irq_disable(void)
{
    runtime_irq_point(PC());
    engine.cpu->irq_on = false;
}

bool
cpu_irq_is_enabled(void)
{
    return engine.cpu->irq_on;
}

void
cpu_pause(void)
{
    if (!engine.active) {
        explore_fail("the set-up waits for something");
    }
    engine.steps++;
    engine_event(ACCESS_PAUSE, 0, 0, PC());
    engine_pause();
}

void
cpu_idle_wait(void)
{
    if (!engine.active) {
        explore_fail("the set-up waits for an interrupt");
    }
    /* With interrupts enabled one may come before the wait, and not end it. */
    runtime_irq_point(PC());
    engine_halt();
}

void
cpu_stop(void)
{
    explore_fail("a CPU stopped for good");
}

void
explore_fence(void)
{
    buffer_drain();
}
