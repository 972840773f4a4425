/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <kern/fail.h>
#include <kern/percpu.h>
#include <kern/thread_types.h>
#include <lib/assert.h>

static void
fail_begin(struct fail *fail)
{
    struct thread *thread = percpu_read(thread_current);

    assert(thread->fail == NULL);
    thread->fail = fail;
}

void
fail_begin_at(struct fail *fail, uint64_t at)
{
    *fail = (struct fail){ .at = at };
    fail_begin(fail);
}

void
fail_begin_random(struct fail *fail, uint64_t seed, uint64_t one_in)
{
    *fail = (struct fail){ .at = UINT64_MAX, .one_in = one_in };
    rand_init(&fail->rand, seed);
    fail_begin(fail);
}

void
fail_end(struct fail *fail)
{
    struct thread *thread = percpu_read(thread_current);

    assert(thread->fail == fail);
    thread->fail = NULL;
}

#ifdef CONFIG_DEBUG

bool
fail_now(void)
{
    struct thread *thread = percpu_read(thread_current);
    struct fail *fail;
    bool fails;

    if (thread == NULL || thread->fail == NULL) {
        return false;
    }
    fail = thread->fail;
    fails = fail->nr_sites++ == fail->at ||
            (fail->one_in != 0 && rand_below(&fail->rand, fail->one_in) == 0);
    fail->nr_failed += fails;
    return fails;
}

#endif /* CONFIG_DEBUG */
