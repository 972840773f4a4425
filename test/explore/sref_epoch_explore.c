/* SPDX-License-Identifier: MIT */
/*
 * The tree of epochs alone, of CPUs so far apart that there are two leaves.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/sref_epoch.h>
#include <lib/macros.h>
#include <test/explore/explore.h>

/* Two of a leaf, one of another. */
static const uint32_t sref_epoch_cpus[] = { 0, 8, 16 };

#define SREF_EPOCH_NR     ARRAY_SIZE(sref_epoch_cpus)
#define SREF_EPOCH_ROUNDS 2

/* Of each: it takes part; in which epoch it has reported, or is about to. */
static atomic_bool sref_epoch_is_member[SREF_EPOCH_NR];
static _Atomic uint64_t sref_epoch_reported[SREF_EPOCH_NR];

/* All members have reported in the last epoch. */
static void
sref_epoch_check(uint64_t epoch)
{
    unsigned i;

    for (i = 0; i < SREF_EPOCH_NR; i++) {
        if (sref_epoch_is_member[i]) {
            explore_expect(sref_epoch_reported[i] + 1 >= epoch);
        }
    }
}

static uint64_t
sref_epoch_take_part(unsigned i)
{
    uint64_t flags, epoch;

    flags = cpu_irq_save();
    epoch = sref_epoch_join(sref_epoch_cpus[i]);
    cpu_irq_restore(flags);
    sref_epoch_reported[i] = epoch;
    sref_epoch_is_member[i] = true;
    return epoch;
}

static void
sref_epoch_stop(unsigned i)
{
    uint64_t flags;

    sref_epoch_is_member[i] = false;
    flags = cpu_irq_save();
    sref_epoch_leave(sref_epoch_cpus[i]);
    cpu_irq_restore(flags);
}

static void
sref_epoch_run(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    uint64_t epoch, now;
    unsigned round;

    for (round = 0; round < SREF_EPOCH_ROUNDS; round++) {
        epoch = sref_epoch_take_part(i);
        explore_expect(sref_epoch_now() - epoch <= 1);
        do {
            while (sref_epoch_now() == epoch) {
                cpu_pause();
            }
            now = sref_epoch_now();
            explore_expect(now == epoch + 1);
            sref_epoch_check(now);
            sref_epoch_enter(sref_epoch_cpus[i], now);
            epoch = now;
            sref_epoch_reported[i] = epoch;
            sref_epoch_report(sref_epoch_cpus[i]);
        } while (explore_random(2) == 0);
        sref_epoch_stop(i);
    }
}

/* An epoch ends when all members have reported, and then it does. */
EXPLORE(sref_epoch, members)
{
    uintptr_t i;

    explore_cpus_apart(SREF_EPOCH_NR, 8);
    explore_expect(sref_epoch_init() == OK);
    for (i = 0; i < SREF_EPOCH_NR; i++) {
        explore_fibre(sref_epoch_run, (void *)i);
    }
    explore_run();
}
