/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/percpu.h>

#include "user_kit.h"

/* Instead of a level: somebody's node. */
#define USER_KIT_NODE UINT32_MAX

/* One run at a time. */
static struct {
    struct test *t;
    user_kit_fn_t fn;
    struct container *container; /* of the tables */
    atomic_flag has_failed;
} user_kit_job;

static PERCPU(struct user_kit *, user_kit_current);

struct user_kit *
user_kit_this(void)
{
    return percpu_read(user_kit_current);
}

void
user_kit_check(struct user_kit *kit, bool holds, const char *file, int line,
               const char *text)
{
    if (holds) {
        return;
    }
    kit->has_failed = true;
    if (!atomic_flag_test_and_set(&user_kit_job.has_failed)) {
        test_fail(user_kit_job.t, file, line, "%s is false on cpu %u", text,
                  cpu_id());
    }
}

struct page *
user_kit_page(struct user_kit *kit)
{
    struct page *page = page_alloc(0, PAGE_ZERO);

    verify(page != NULL);
    list_insert_tail(&kit->pages, &page->node);
    return page;
}

/* @level  of a page that @word is for; or USER_KIT_NODE: @word is a node */
static status_t
user_kit_try(struct user_kit *kit, uintptr_t va, uint64_t word,
             unsigned int level, struct page **spare)
{
    uint64_t flags = cpu_irq_save();
    status_t status;

    if (level == USER_KIT_NODE) {
        status = utable_link(&kit->ut, va, word, spare);
    } else {
        status = utable_enter(&kit->ut, va, word, level, spare);
    }
    cpu_irq_restore(flags);
    return status;
}

status_t
user_kit_enter(struct user_kit *kit, uintptr_t va, uint64_t word,
               unsigned int level)
{
    struct page *spare = NULL;
    status_t status;

    while ((status = user_kit_try(kit, va, word, level, &spare)) == ERR_AGAIN) {
        spare = utable_spare_alloc(kit->ut.container);
        verify(spare != NULL);
    }
    utable_spare_free(kit->ut.container, spare);
    return status;
}

status_t
user_kit_link(struct user_kit *kit, uintptr_t va, paddr_t node)
{
    return user_kit_enter(kit, va, node, USER_KIT_NODE);
}

void *
user_kit_map(struct user_kit *kit, uintptr_t va, unsigned int prot)
{
    struct page *page = user_kit_page(kit);

    KIT_CHECK(kit, user_kit_enter(kit, va,
                                  uword_make(page_phys(page), prot, PMAP_WB, 0),
                                  0) == OK);
    return page_ptr(page);
}

void
user_kit_free_cut(struct utable_cut *cut)
{
    while (!list_is_empty(&cut->pages)) {
        struct page *page = list_first_entry(&cut->pages, struct page, node);

        list_remove(&page->node);
        utable_page_free(page);
    }
}

bool
user_kit_clear(struct user_kit *kit, uintptr_t va, uintptr_t end)
{
    struct utable_cut cut;
    bool is_done;

    utable_cut_init(&cut, va, end);
    do {
        uint64_t flags = cpu_irq_save();

        is_done = utable_clear(&kit->ut, &cut);
        utable_flush(&kit->ut, va, (end - va) / PAGE_SIZE);
        cpu_irq_restore(flags);
    } while (!is_done);
    user_kit_free_cut(&cut);
    return cut.is_found;
}

static void
user_kit_run_here(void *arg __unused)
{
    struct user_kit kit = { .iterations = user_kit_job.t->iterations };
    uint64_t flags;

    percpu_write(user_kit_current, &kit);
    list_init(&kit.pages);
    rand_init(&kit.rand, user_kit_job.t->rand.state[0] + cpu_id());
    verify(utable_init(&kit.ut, user_kit_job.container) == OK);
    flags = cpu_irq_save();
    utable_load(&kit.ut);
    cpu_irq_restore(flags);

    user_kit_job.fn(&kit);

    flags = cpu_irq_save();
    utable_unload();
    cpu_irq_restore(flags);
    utable_destroy(&kit.ut);
    KIT_CHECK(&kit, atomic_load(&kit.ut.nr_tables) == 0);
    while (!list_is_empty(&kit.pages)) {
        struct page *page = list_first_entry(&kit.pages, struct page, node);

        list_remove(&page->node);
        page_free(page, page->order);
    }
}

void
user_kit_run(struct test *t, user_kit_fn_t fn)
{
    /* Of its own: the kernel has tables made and freed at any time. */
    verify(container_create(&user_kit_job.container, container_root, "kits") ==
           OK);
    user_kit_job.t = t;
    user_kit_job.fn = fn;
    atomic_flag_clear(&user_kit_job.has_failed);
    all_cpus_run(user_kit_run_here, NULL);
    EXPECT_EQ(container_used(user_kit_job.container, CONTAINER_TABLES), 0);
    container_put(user_kit_job.container);
}
