/* SPDX-License-Identifier: MIT */
/*
 * Workloads whose figures are known: they check the measurement itself.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <test/sharing/share.h>

struct selftest_line {
    atomic_uint value;
} __aligned(CACHE_LINE);

static struct selftest_line selftest_own[SHARE_CPUS_MAX];
static struct selftest_line selftest_shared;
static struct selftest_line selftest_constant;
static __aligned(CACHE_LINE) uint32_t selftest_packed[SHARE_CPUS_MAX];

/* No conflict. */
SHARE(selftest, own_lines)
{
    SHARE_LOOP(s)
    {
        atomic_fetch_add(&selftest_own[s->index].value, 1);
    }
}

/* One conflict: a line that all write. */
SHARE(selftest, shared_counter)
{
    SHARE_LOOP(s)
    {
        atomic_fetch_add(&selftest_shared.value, 1);
    }
}

/* One conflict: words of their own, in one line. */
SHARE(selftest, false_sharing)
{
    SHARE_LOOP(s)
    {
        WRITE_ONCE(selftest_packed[s->index], (uint32_t)s->nr_begun);
    }
}

/* No conflict: all read a line that nobody writes. */
SHARE(selftest, read_sharing)
{
    SHARE_LOOP(s)
    {
        (void)atomic_load(&selftest_constant.value);
    }
}

/*
 * One conflict, and two transfers an operation when two CPUs pass a word to
 * and fro: one to read that it is my turn, one to write that it is yours.
 */
SHARE(selftest, hand_over)
{
    static struct selftest_line turn;

    SHARE_LOOP(s)
    {
        while (atomic_load(&turn.value) % s->nr_cpus != s->index) {
            cpu_pause();
        }
        atomic_fetch_add(&turn.value, 1);
    }
}
