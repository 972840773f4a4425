/* SPDX-License-Identifier: MIT */
/*
 * The race detector's run-time part: watchpoints in software.
 *
 * The compilers call a function here before each access.  Once in a while a
 * plain access of a CPU is watched: its bytes are put into a table, the CPU
 * dawdles for a random time, and then looks who came.  Each access of each CPU
 * looks into the table.  Two accesses race if they overlap, one of them
 * writes, and not both are marked, that is atomic or volatile.  As one is
 * under way while the other happens, nothing orders them: what is found is
 * true, and what is not found was not looked at.  If nobody came but the value
 * is another, somebody wrote it who is not seen, such as assembly.
 *
 * The table is addressed by the hash of a granule of 8 bytes and has one word
 * for each slot:
 *
 *   KCSAN_FREE     nobody watches
 *   a watchpoint   granule, bytes of it, whether the access writes
 *   KCSAN_FILLING  another CPU found the watchpoint, and tells of itself
 *   KCSAN_HIT      it has told
 *
 * Who watches makes a watchpoint of a free word, who finds it moves it to
 * KCSAN_FILLING, both by compare and swap, so there is one of each.  Of a long
 * access one granule is watched and all are looked up.
 *
 * While it dawdles a CPU is not preempted, and its interrupts come as before;
 * what they do to the watched bytes is no race with another CPU.  Time is
 * counted in pauses, which let other CPUs run where they share a processor of
 * an emulator; with interrupts disabled there are few.
 *
 * "Kernel Concurrency Sanitizer (KCSAN)", Linux kernel documentation; Erickson
 * et al., "Effective Data-Race Detection for the Kernel", OSDI 2010.
 */
#include <stdatomic.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <kern/backtrace.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kcsan.h>
#include <kern/option.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <lib/hash.h>
#include <lib/macros.h>
#include <lib/string.h>

#include "kcsan.h"

#define KCSAN_GRANULE 8

/* A power of two; more than CPUs that watch at a time. */
#define KCSAN_SLOT_BITS 8
#define KCSAN_NR_SLOTS  (1u << KCSAN_SLOT_BITS)
#define KCSAN_NO_SLOT   KCSAN_NR_SLOTS

/* Words of the table: the address of a granule is above its bytes' bits. */
#define KCSAN_FREE       UINT64_C(0)
#define KCSAN_FILLING    UINT64_C(1)
#define KCSAN_HIT        UINT64_C(3)
#define KCSAN_BYTE_SHIFT 2
#define KCSAN_ADDR_SHIFT 7
#define KCSAN_ADDR_MASK  (~UINT64_C(0x3ff))

/* Bounds of kcsan=. */
#define KCSAN_INTERVAL_DEFAULT 500
#define KCSAN_INTERVAL_MAX     1000000

/* How long, in pauses, at most. */
#define KCSAN_PAUSES          16
#define KCSAN_PAUSES_IRQS_OFF 4

/*
 * If it took so many ticks of the counter nevertheless, so many times fewer
 * accesses are watched for a while.
 */
#define KCSAN_TICKS_MAX   UINT64_C(20000000)
#define KCSAN_SLOW_FACTOR 32

static _Atomic uint64_t kcsan_words[KCSAN_NR_SLOTS]; /* [a] */

/* Who found the watchpoint; whoever moved the word owns it. */
static struct kcsan_event kcsan_events[KCSAN_NR_SLOTS];

static _Atomic uint64_t kcsan_count; /* [a] watched so far */

/* Constant once CPUs start. */
static uint64_t kcsan_seed_value = 1;
static uint64_t kcsan_interval = KCSAN_INTERVAL_DEFAULT;

/* Accesses until one is watched; none is before kcsan_setup(). */
static PERCPU(int64_t, kcsan_left) = INT64_MAX;

/* The slot that this CPU has. */
static PERCPU(uint32_t, kcsan_slot) = KCSAN_NO_SLOT;

/* The last random number; if an interrupt draws one too, that is fine. */
static PERCPU(uint64_t, kcsan_rand);

static inline uintptr_t
kcsan_granule(uintptr_t addr)
{
    return ALIGN_DOWN(addr, KCSAN_GRANULE);
}

static inline uint32_t
kcsan_slot_of(uintptr_t granule)
{
    /* Fibonacci hashing: Knuth, TAOCP vol. 3, "Hashing". */
    return (
        uint32_t)((granule / KCSAN_GRANULE * UINT64_C(0x9e3779b97f4a7c15)) >>
                  (64 - KCSAN_SLOT_BITS));
}

/* The bytes of a granule that an access touches, bit by bit. */
static uint64_t
kcsan_bytes(const struct kcsan_access *access, uintptr_t granule)
{
    uintptr_t first = MAX(access->addr, granule);
    uintptr_t end = MIN(access->addr + access->size, granule + KCSAN_GRANULE);

    return first < end ? ((UINT64_C(1) << (end - granule)) - 1) &
                             ~((UINT64_C(1) << (first - granule)) - 1)
                       : 0;
}

static inline uintptr_t
kcsan_word_granule(uint64_t word)
{
    return (uintptr_t)((int64_t)(word & KCSAN_ADDR_MASK) >> KCSAN_ADDR_SHIFT);
}

static inline uint64_t
kcsan_word(const struct kcsan_access *access, uintptr_t granule)
{
    return (uint64_t)granule << KCSAN_ADDR_SHIFT |
           kcsan_bytes(access, granule) << KCSAN_BYTE_SHIFT |
           (access->kind & KCSAN_WRITE);
}

/* Whether an access races with what a word of the table tells. */
static bool
kcsan_is_race(const struct kcsan_access *access, uint64_t word)
{
    uint64_t bytes = kcsan_bytes(access, kcsan_word_granule(word));

    return (word & bytes << KCSAN_BYTE_SHIFT) != 0 &&
           ((word | access->kind) & KCSAN_WRITE) != 0;
}

/* -------------------------------------------------------- who finds one */

/* Tell the CPU that watches who came. */
static void
kcsan_tell(uint32_t slot, const struct kcsan_access *access,
           const struct sanitizer_place *place)
{
    struct kcsan_event *event = &kcsan_events[slot];

    event->access = *access;
    event->trace.cpu = cpu_id();
    backtrace_take(&event->trace.trace, place->pc, place->frame);
    /* Pairs with the acquire in kcsan_watch_end(). */
    atomic_store_explicit(&kcsan_words[slot], KCSAN_HIT, memory_order_release);
}

__noinline static void
kcsan_look(uint32_t slot, const struct kcsan_access *access,
           const struct sanitizer_place *place)
{
    uint64_t word, flags;

    word = atomic_load_explicit(&kcsan_words[slot], memory_order_relaxed);
    if (!kcsan_is_race(access, word)) {
        return;
    }

    /* The other CPU waits for us, so nothing may come in between. */
    flags = cpu_irq_save();
    /* Pairs with the release in kcsan_watch_begin(): the slot is theirs. */
    if (percpu_read(kcsan_slot) != slot &&
        atomic_compare_exchange_strong_explicit(&kcsan_words[slot], &word,
                                                KCSAN_FILLING,
                                                memory_order_acquire,
                                                memory_order_relaxed)) {
        kcsan_tell(slot, access, place);
    }
    cpu_irq_restore(flags);
}

/* --------------------------------------------------------- who watches */

/*
 * A watchpoint of this CPU.
 */
struct kcsan_watch {
    uint32_t slot;
    uint64_t word;
    int64_t left; /* kcsan_left, to see whether an interrupt came */
    struct kcsan_change change;
};

static uint64_t
kcsan_draw(uint64_t limit)
{
    uint64_t next = percpu_read(kcsan_rand) + UINT64_C(0x9e3779b97f4a7c15);

    percpu_write(kcsan_rand, next);
    return hash_u64(next) % limit;
}

/* Choose when the next access is watched, @factor times as late as usual. */
static void
kcsan_renew(uint64_t factor)
{
    percpu_write(kcsan_left, (int64_t)kcsan_draw(2 * factor * kcsan_interval));
}

/* The watched bytes as they are now, the others as zeros. */
static uint64_t
kcsan_value(uint64_t word)
{
    uint64_t value = READ_ONCE(*(const uint64_t *)kcsan_word_granule(word));
    uint64_t mask = 0;

    for (unsigned int i = 0; i < KCSAN_GRANULE; i++) {
        if (word & UINT64_C(1) << (KCSAN_BYTE_SHIFT + i)) {
            mask |= UINT64_C(0xff) << (8 * i);
        }
    }
    return value & mask;
}

/* One of the granules that an access touches. */
static uintptr_t
kcsan_choose(const struct kcsan_access *access)
{
    uintptr_t first = kcsan_granule(access->addr);
    uintptr_t last = kcsan_granule(access->addr + access->size - 1);

    return first == last
               ? first
               : first + KCSAN_GRANULE *
                             kcsan_draw((last - first) / KCSAN_GRANULE + 1);
}

/*
 * Put a watchpoint into the table.
 *
 * Returns: false if its slot is taken
 */
static bool
kcsan_watch_begin(struct kcsan_watch *watch, const struct kcsan_access *access)
{
    uintptr_t granule = kcsan_choose(access);
    uint64_t free = KCSAN_FREE;

    watch->slot = kcsan_slot_of(granule);
    watch->word = kcsan_word(access, granule);
    percpu_write(kcsan_slot, watch->slot);
    watch->left = percpu_read(kcsan_left);
    watch->change.before = kcsan_value(watch->word);
    /* Pairs with the acquire in kcsan_look(). */
    if (!atomic_compare_exchange_strong_explicit(&kcsan_words[watch->slot],
                                                 &free, watch->word,
                                                 memory_order_acq_rel,
                                                 memory_order_relaxed)) {
        return false;
    }
    atomic_fetch_add_explicit(&kcsan_count, 1, memory_order_relaxed);
    return true;
}

/*
 * Wait for somebody to come.
 *
 * Returns: whether others run without a pause, where that makes pauses long
 */
static bool
kcsan_dawdle(const struct kcsan_watch *watch)
{
    uint64_t end = clock_counter() + KCSAN_TICKS_MAX;
    bool is_slow = false;
    uint64_t nr_pauses = 1 + kcsan_draw(cpu_irq_is_enabled()
                                            ? KCSAN_PAUSES
                                            : KCSAN_PAUSES_IRQS_OFF);

    while (nr_pauses-- > 0 && !is_slow &&
           atomic_load_explicit(&kcsan_words[watch->slot],
                                memory_order_relaxed) == watch->word) {
        cpu_pause();
        is_slow = clock_counter() > end;
    }
    return is_slow;
}

/* Whether the bytes have changed, and no interrupt of this CPU did it. */
static bool
kcsan_has_changed(const struct kcsan_watch *watch)
{
    return watch->change.before != watch->change.after &&
           percpu_read(kcsan_left) == watch->left;
}

/* Look who came, report it, and free the slot. */
static void
kcsan_watch_end(struct kcsan_watch *watch, const struct kcsan_access *access,
                const struct sanitizer_place *place)
{
    _Atomic uint64_t *wordp = &kcsan_words[watch->slot];
    uint64_t word = watch->word;

    watch->change.after = kcsan_value(word);
    if (atomic_compare_exchange_strong_explicit(wordp, &word, KCSAN_FREE,
                                                memory_order_relaxed,
                                                memory_order_relaxed)) {
        if (kcsan_has_changed(watch)) {
            kcsan_report_change(access, place, &watch->change);
        }
        return;
    }

    /* Pairs with the release in kcsan_tell(). */
    while (atomic_load_explicit(wordp, memory_order_acquire) != KCSAN_HIT) {
        cpu_pause();
    }
    kcsan_report(access, place, &watch->change, &kcsan_events[watch->slot]);
    /* Pairs with the acquire in kcsan_watch_begin(). */
    atomic_store_explicit(wordp, KCSAN_FREE, memory_order_release);
}

/* Watch an access that is about to happen. */
__noinline static void
kcsan_watch(const struct kcsan_access *access,
            const struct sanitizer_place *place)
{
    struct kcsan_watch watch;
    bool is_slow;

    /* The recorder of long stretches is not told: it would count these. */
    preempt_count_inc();
    if (percpu_read(kcsan_slot) == KCSAN_NO_SLOT &&
        access->addr >= DIRECT_MAP_BASE) {
        kcsan_renew(1);
        if (kcsan_watch_begin(&watch, access)) {
            is_slow = kcsan_dawdle(&watch);
            kcsan_watch_end(&watch, access, place);
            kcsan_renew(is_slow ? KCSAN_SLOW_FACTOR : 1);
        }
        percpu_write(kcsan_slot, KCSAN_NO_SLOT);
    }
    if (unlikely(preempt_count_dec())) {
        preempt_now();
    }
}

/* --------------------------------------------------------------- accesses */

/* An access within a granule. */
static __always_inline void
kcsan_access(const volatile void *ptr, size_t size, unsigned int kind)
{
    uint32_t slot = kcsan_slot_of(kcsan_granule((uintptr_t)ptr));

    if (unlikely(atomic_load_explicit(&kcsan_words[slot],
                                      memory_order_relaxed) != KCSAN_FREE)) {
        struct kcsan_access access = { (uintptr_t)ptr, size, kind };
        struct sanitizer_place place = SANITIZER_CALLER();

        kcsan_look(slot, &access, &place);
    }
    if ((kind & KCSAN_MARKED) == 0 &&
        unlikely(percpu_add_is_negative(&kcsan_left, -1))) {
        struct kcsan_access access = { (uintptr_t)ptr, size, kind };
        struct sanitizer_place place = SANITIZER_CALLER();

        kcsan_watch(&access, &place);
    }
}

/* Look for watchpoints of any granule of an access. */
static void
kcsan_look_range(const struct kcsan_access *access,
                 const struct sanitizer_place *place)
{
    uintptr_t first = kcsan_granule(access->addr);
    uintptr_t last = kcsan_granule(access->addr + access->size - 1);

    if ((last - first) / KCSAN_GRANULE >= KCSAN_NR_SLOTS) {
        for (uint32_t slot = 0; slot < KCSAN_NR_SLOTS; slot++) {
            kcsan_look(slot, access, place);
        }
        return;
    }
    for (uintptr_t granule = first; granule <= last; granule += KCSAN_GRANULE) {
        kcsan_look(kcsan_slot_of(granule), access, place);
    }
}

/* An access to any number of bytes anywhere. */
static void
kcsan_range(const struct kcsan_access *access,
            const struct sanitizer_place *place)
{
    if (access->size == 0) {
        return;
    }
    kcsan_look_range(access, place);
    if ((access->kind & KCSAN_MARKED) == 0 &&
        unlikely(percpu_add_is_negative(&kcsan_left, -1))) {
        kcsan_watch(access, place);
    }
}

#define KCSAN_RANGE(ptr, size, kind)                                           \
    do {                                                                       \
        struct kcsan_access access_ = { (uintptr_t)(ptr), size, kind };        \
        struct sanitizer_place place_ = SANITIZER_CALLER();                    \
                                                                               \
        kcsan_range(&access_, &place_);                                        \
    } while (0)

#define KCSAN_ALIGNED(prefix, bytes, mark)                                     \
    void __tsan_##prefix##read##bytes(void *ptr)                               \
    {                                                                          \
        kcsan_access(ptr, bytes, KCSAN_READ | (mark));                         \
    }                                                                          \
                                                                               \
    void __tsan_##prefix##write##bytes(void *ptr)                              \
    {                                                                          \
        kcsan_access(ptr, bytes, KCSAN_WRITE | (mark));                        \
    }

#define KCSAN_ANYWHERE(prefix, bytes, mark)                                    \
    void __tsan_##prefix##read##bytes(void *ptr)                               \
    {                                                                          \
        KCSAN_RANGE(ptr, bytes, KCSAN_READ | (mark));                          \
    }                                                                          \
                                                                               \
    void __tsan_##prefix##write##bytes(void *ptr)                              \
    {                                                                          \
        KCSAN_RANGE(ptr, bytes, KCSAN_WRITE | (mark));                         \
    }

#define KCSAN_SIZE(bytes)                                                      \
    KCSAN_ALIGNED(, bytes, 0)                                                  \
    KCSAN_ALIGNED(volatile_, bytes, KCSAN_MARKED)                              \
    KCSAN_ANYWHERE(unaligned_, bytes, 0)                                       \
    KCSAN_ANYWHERE(unaligned_volatile_, bytes, KCSAN_MARKED)

KCSAN_SIZE(1)
KCSAN_SIZE(2)
KCSAN_SIZE(4)
KCSAN_SIZE(8)
KCSAN_ANYWHERE(, 16, 0)
KCSAN_ANYWHERE(volatile_, 16, KCSAN_MARKED)
KCSAN_ANYWHERE(unaligned_, 16, 0)
KCSAN_ANYWHERE(unaligned_volatile_, 16, KCSAN_MARKED)

void
__tsan_read_range(void *ptr, size_t size)
{
    KCSAN_RANGE(ptr, size, KCSAN_READ);
}

void
__tsan_write_range(void *ptr, size_t size)
{
    KCSAN_RANGE(ptr, size, KCSAN_WRITE);
}

void *
memcpy(void *dst, const void *src, size_t n)
{
    KCSAN_RANGE(src, n, KCSAN_READ);
    KCSAN_RANGE(dst, n, KCSAN_WRITE);
    return __memcpy(dst, src, n);
}

void *
memmove(void *dst, const void *src, size_t n)
{
    KCSAN_RANGE(src, n, KCSAN_READ);
    KCSAN_RANGE(dst, n, KCSAN_WRITE);
    return __memmove(dst, src, n);
}

void *
memset(void *dst, int value, size_t n)
{
    KCSAN_RANGE(dst, n, KCSAN_WRITE);
    return __memset(dst, value, n);
}

/* --------------------------------------------------------------- atomics */

/*
 * This processor's loads, stores and operations are ordered as each order but
 * one wants them; a sequentially consistent store is an exchange.
 */

#define KCSAN_RMW_KIND (KCSAN_WRITE | KCSAN_MARKED)

#define KCSAN_RMW(bits, name, builtin)                                         \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *ptr,  \
                                                uint##bits##_t value,          \
                                                int order __unused)            \
    {                                                                          \
        kcsan_access(ptr, (bits) / 8, KCSAN_RMW_KIND);                         \
        return builtin(ptr, value, __ATOMIC_SEQ_CST);                          \
    }

#define KCSAN_CAS(bits, name)                                                  \
    int __tsan_atomic##bits##_compare_exchange_##name(                         \
        volatile uint##bits##_t *ptr, uint##bits##_t *expected,                \
        uint##bits##_t value, int order __unused, int failure __unused)        \
    {                                                                          \
        kcsan_access(ptr, (bits) / 8, KCSAN_RMW_KIND);                         \
        return __atomic_compare_exchange_n(ptr, expected, value, false,        \
                                           __ATOMIC_SEQ_CST,                   \
                                           __ATOMIC_SEQ_CST);                  \
    }

#define KCSAN_ATOMIC(bits)                                                     \
    uint##bits##_t __tsan_atomic##bits##_load(                                 \
        const volatile uint##bits##_t *ptr, int order __unused)                \
    {                                                                          \
        kcsan_access(ptr, (bits) / 8, KCSAN_READ | KCSAN_MARKED);              \
        return __atomic_load_n(ptr, __ATOMIC_SEQ_CST);                         \
    }                                                                          \
                                                                               \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *ptr,             \
                                     uint##bits##_t value, int order)          \
    {                                                                          \
        kcsan_access(ptr, (bits) / 8, KCSAN_WRITE | KCSAN_MARKED);             \
        if (order == __ATOMIC_SEQ_CST) {                                       \
            __atomic_store_n(ptr, value, __ATOMIC_SEQ_CST);                    \
        } else {                                                               \
            __atomic_store_n(ptr, value, __ATOMIC_RELEASE);                    \
        }                                                                      \
    }                                                                          \
                                                                               \
    KCSAN_RMW(bits, exchange, __atomic_exchange_n)                             \
    KCSAN_RMW(bits, fetch_add, __atomic_fetch_add)                             \
    KCSAN_RMW(bits, fetch_sub, __atomic_fetch_sub)                             \
    KCSAN_RMW(bits, fetch_and, __atomic_fetch_and)                             \
    KCSAN_RMW(bits, fetch_or, __atomic_fetch_or)                               \
    KCSAN_RMW(bits, fetch_xor, __atomic_fetch_xor)                             \
    KCSAN_CAS(bits, strong)                                                    \
    KCSAN_CAS(bits, weak)                                                      \
                                                                               \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                 \
        volatile uint##bits##_t *ptr, uint##bits##_t expected,                 \
        uint##bits##_t value, int order __unused, int failure __unused)        \
    {                                                                          \
        kcsan_access(ptr, (bits) / 8, KCSAN_RMW_KIND);                         \
        __atomic_compare_exchange_n(ptr, &expected, value, false,              \
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
        return expected;                                                       \
    }

KCSAN_ATOMIC(8)
KCSAN_ATOMIC(16)
KCSAN_ATOMIC(32)
KCSAN_ATOMIC(64)

void
__tsan_atomic_thread_fence(int order)
{
    if (order == __ATOMIC_SEQ_CST) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } else {
        __atomic_thread_fence(__ATOMIC_ACQ_REL);
    }
}

void
__tsan_atomic_signal_fence(int order __unused)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *pc __unused)
{
}

void
__tsan_func_exit(void)
{
}

/* ------------------------------------------------------------------ set-up */

void
kcsan_seed(uint64_t seed)
{
    kcsan_seed_value = seed;
}

uint64_t
kcsan_nr_watches(void)
{
    return atomic_load_explicit(&kcsan_count, memory_order_relaxed);
}

/* From now on accesses of this CPU are watched. */
static status_t
kcsan_setup(void)
{
    percpu_write(kcsan_rand, hash_u64(kcsan_seed_value) + cpu_id());
    kcsan_renew(1);
    return OK;
}

INIT_OP(kcsan_setup, INIT_EACH_CPU, AFTER(percpu_setup));

static status_t
kcsan_option(const char *value)
{
    uint64_t interval;
    status_t status;

    status = option_number(value, KCSAN_INTERVAL_MAX, &interval);
    if (status == OK && interval == 0) {
        status = ERR_RANGE;
    }
    if (status == OK) {
        kcsan_interval = interval;
    }
    return status;
}

OPTION(kcsan, "1..1000000", "of how many accesses one is watched",
       kcsan_option);
