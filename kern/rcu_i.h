/* SPDX-License-Identifier: MIT */
/*
 * Inlined parts of rcu.h: the reader's side, three instructions at most.
 *
 * The counter is the thread's own memory and changed by its CPU only, in one
 * instruction, so that an interrupt sees it before or after.  The reader has
 * no barrier: whoever looks at the counter does so on the same CPU, in the
 * switch or in an interrupt, and reports under a lock.
 */
#ifndef KERN_RCU_I_H
#define KERN_RCU_I_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/local.h>
#include <kern/percpu.h>
#include <kern/thread_types.h>
#include <lib/assert.h>
#include <lib/macros.h>

/* In rcu_depth: the end of the outermost section is to be reported. */
#define RCU_REPORT UINT32_C(0x80000000)

/* The rest of rcu_read_unlock(), when somebody waits for it. */
void rcu_read_unlock_slow(void);

static __always_inline void
rcu_read_lock(void)
{
    local_inc(&percpu_read(thread_current)->rcu_depth);
}

static __always_inline void
rcu_read_unlock(void)
{
    assert((percpu_read(thread_current)->rcu_depth & ~RCU_REPORT) != 0);
    if (unlikely(
            local_dec_is_negative(&percpu_read(thread_current)->rcu_depth))) {
        rcu_read_unlock_slow();
    }
}

static inline bool
rcu_read_is_held(void)
{
    return (percpu_read(thread_current)->rcu_depth & ~RCU_REPORT) != 0;
}

#endif /* KERN_RCU_I_H */
