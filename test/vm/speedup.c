/* SPDX-License-Identifier: MIT */
/*
 * How much faster two CPUs are than one, on ranges of their own in one space.
 *
 * Rounds are short, and the fastest of each kind counts: the host has other
 * work.  What two host processors gain without sharing anything is measured
 * in the same way, beside it.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/clock.h>
#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/console.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/main.h>
#include <kern/option.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <vm/space.h>

#define SPEEDUP_CPUS    2
#define SPEEDUP_ROUNDS  600
#define SPEEDUP_WARM_UP 50
#define SPEEDUP_PASSES  800 /* some ten milliseconds */

/* Additions in a pass of what shares nothing. */
#define SPEEDUP_SUM 2000

#define SPEEDUP_PROT (PMAP_READ | PMAP_WRITE)

/*
 * One round.
 *
 * Keys: [c] constant   [a] atomic   [O] of that CPU, until it is joined
 */
struct speedup {
    const struct speedup_case *what; /* [c] */
    struct vm_space *space;          /* [c] */
    uint32_t nr_cpus;                /* [c] that work */
    _Atomic uint32_t nr_ready;       /* [a] */
    uint64_t ticks[SPEEDUP_CPUS];    /* [O] that all passes took */
};

struct speedup_case {
    const char *name;
    /* One pass; @va is mapped, one page, for whoever does not map itself. */
    void (*fn)(struct vm_space *space, uintptr_t va, uint64_t i);
};

static uintptr_t
speedup_map(struct vm_space *space)
{
    struct space_mapping mapping = { .size = PAGE_SIZE, .prot = SPEEDUP_PROT };
    uintptr_t va;

    verify(space_map(space, &mapping, &va) == OK);
    return va;
}

static void
speedup_nothing(struct vm_space *space __unused, uintptr_t va, uint64_t i)
{
    for (uint64_t k = 0; k < SPEEDUP_SUM; k++) {
        va += i ^ k;
        __asm__ volatile("" : "+r"(va));
    }
}

static void
speedup_map_touch_unmap(struct vm_space *space, uintptr_t va __unused,
                        uint64_t i)
{
    uintptr_t own = speedup_map(space);

    verify(user_write_u64(own, i) == OK);
    verify(space_unmap(space, own, PAGE_SIZE) == OK);
}

static void
speedup_fault(struct vm_space *space, uintptr_t va, uint64_t i)
{
    verify(user_write_u64(va, i) == OK);
    verify(space_discard(space, va, PAGE_SIZE) == OK);
}

static void
speedup_protect(struct vm_space *space, uintptr_t va, uint64_t i)
{
    verify(space_protect(space, va, PAGE_SIZE,
                         (i & 1) ? PMAP_READ : SPEEDUP_PROT) == OK);
}

static const struct speedup_case speedup_cases[] = {
    { "ground.sum", speedup_nothing },
    { "vm.map_touch_unmap", speedup_map_touch_unmap },
    { "vm.fault", speedup_fault },
    { "vm.protect", speedup_protect },
};

/* On each CPU that works. */
static void
speedup_work(void *arg)
{
    struct speedup *speedup = arg;
    uint64_t start = 0;
    uintptr_t va;

    space_use(speedup->space);
    va = speedup_map(speedup->space);
    for (uint64_t i = 0; i < SPEEDUP_WARM_UP + SPEEDUP_PASSES; i++) {
        if (i == SPEEDUP_WARM_UP) {
            atomic_fetch_add(&speedup->nr_ready, 1);
            while (atomic_load(&speedup->nr_ready) < speedup->nr_cpus) {
                cpu_pause();
            }
            start = clock_counter();
        }
        speedup->what->fn(speedup->space, va, i);
    }
    speedup->ticks[cpu_id()] = clock_counter() - start;
    verify(space_unmap(speedup->space, va, PAGE_SIZE) == OK);
    space_use(NULL);
}

/* Returns: ticks until the last one of the first @nr_cpus CPUs was done */
static uint64_t
speedup_round(const struct speedup_case *what, struct vm_space *space,
              uint32_t nr_cpus)
{
    struct speedup speedup = { .what = what,
                               .space = space,
                               .nr_cpus = nr_cpus };
    struct thread_attr attr = { .pinned = true };
    struct thread *threads[SPEEDUP_CPUS];
    uint64_t ticks = 0;

    for (uint32_t i = 0; i < nr_cpus; i++) {
        attr.cpu = i;
        threads[i] = thread_create("speedup", speedup_work, &speedup, &attr);
        verify(threads[i] != NULL);
    }
    for (uint32_t i = 0; i < nr_cpus; i++) {
        thread_join(threads[i]);
        ticks = MAX(ticks, speedup.ticks[i]);
    }
    return ticks;
}

static void
speedup_measure(const struct speedup_case *what)
{
    uint64_t least[SPEEDUP_CPUS] = { UINT64_MAX, UINT64_MAX };
    struct vm_space *space;
    uint64_t percent;

    verify(space_create(&space, container_root, "speedup") == OK);
    for (unsigned int i = 0; i < SPEEDUP_ROUNDS; i++) {
        for (uint32_t n = 0; n < SPEEDUP_CPUS; n++) {
            least[n] = MIN(least[n], speedup_round(what, space, n + 1));
        }
    }
    space_put(space);
    percent = SPEEDUP_CPUS * least[0] * 100 / least[1];
    console_printf("BENCH %s.speedup.%u %lu percent n=%u min=%lu\n", what->name,
                   SPEEDUP_CPUS, percent, SPEEDUP_ROUNDS, percent);
}

static bool speedup_is_wanted;

static bool
speedup_stage(void)
{
    if (!speedup_is_wanted) {
        return true;
    }
    if (cpu_nr_online() < SPEEDUP_CPUS || clock_counts_instructions()) {
        console_printf("# speedup: no CPUs that run at the same time\n");
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(speedup_cases); i++) {
        speedup_measure(&speedup_cases[i]);
    }
    return true;
}

MAIN_STAGE(MAIN_BENCHMARKS, speedup_stage);

static status_t
speedup_option(const char *value)
{
    speedup_is_wanted = true;
    return value[0] == '\0' ? OK : ERR_INVALID;
}

OPTION(speedup, "nothing", "measure how much two CPUs gain on ranges apart",
       speedup_option);
