/* SPDX-License-Identifier: MIT */
/*
 * Shootdown: faults that enter translations, while others take them away.
 *
 * Whoever uses a page that was freed is found by the heap; what was unmapped,
 * protected or cloned must not be used as before once that has returned.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/option.h>
#include <kern/rcu.h>
#include <kern/zero_pool.h>
#include <lib/bitmap.h>
#include <lib/macros.h>
#include <test/explore/container.h>
#include <test/explore/mmu.h>
#include <test/explore/threads.h>
#include <vm/kernel.h>
#include <vm/object.h>
#include <vm/region.h>
#include <vm/space_types.h>

#define SHOOT_PAGE  MMU_BASE
#define SHOOT_PAGES 5 /* more than one step of a shootdown */

/* A grace period may pass. */
#define SHOOT_GRACE_NS 1000000

static struct vm_space *shoot_space;
static atomic_bool shoot_is_done; /* what takes away has returned */

/* What no scenario is about. */

struct page *
zero_pool_get(void)
{
    return page_alloc(0, PAGE_ZERO);
}

void
page_register_shrinker(struct page_shrinker *shrinker __unused)
{
}

user_fault_fn_t
user_fault_register(user_fault_fn_t fn __unused)
{
    return NULL;
}

status_t
option_number(const char *value, uint64_t max __unused, uint64_t *number)
{
    *number = (uint64_t)(value[0] - '0');
    return OK;
}

/* No scenario has the kernel's space. */

status_t
kernel_enter(struct vm_node *node __unused, uint64_t *wordp __unused)
{
    return ERR_STATE;
}

void
pmap_unlink(uintptr_t va __unused, paddr_t node __unused)
{
}

void
pmap_flush_all(void)
{
}

/* No scenario has objects. */

struct vm_region *
region_create(struct container *container __unused,
              struct vm_object *object __unused, uintptr_t va __unused,
              uint64_t index __unused, bool is_private __unused)
{
    return NULL;
}

status_t
object_check_map(struct vm_object *object __unused, uint64_t index __unused,
                 uint64_t nr __unused, unsigned int prot __unused,
                 bool is_private __unused)
{
    return ERR_INVALID;
}

status_t
object_check_prot(struct vm_object *object __unused, unsigned int prot __unused,
                  bool is_private __unused)
{
    return ERR_INVALID;
}

paddr_t
object_phys(const struct vm_object *object __unused)
{
    return PADDR_NONE;
}

bool
object_is_run(const struct vm_object *object __unused, uint64_t index __unused,
              uint64_t nr __unused)
{
    return false;
}

status_t
object_get_frame(struct vm_object *object __unused, uint64_t index __unused,
                 bool is_write __unused, struct object_frame *frame __unused)
{
    return ERR_INVALID;
}

status_t
object_wait(struct vm_object *object __unused, uint64_t index __unused,
            uint64_t deadline __unused)
{
    return ERR_INVALID;
}

void
object_get(struct vm_object *object __unused)
{
}

void
object_put(struct vm_object *object __unused)
{
}

static void
shoot_map(void)
{
    struct space_mapping mapping = {
        .va = SHOOT_PAGE,
        .size = SHOOT_PAGES * PAGE_SIZE,
        .prot = PMAP_READ | PMAP_WRITE,
        .flags = SPACE_MAP_FIXED,
    };
    uintptr_t va;

    explore_expect(space_map(shoot_space, &mapping, &va) == OK);
}

/* With an empty space; slots are locked by threads alone. */
static void
shoot_setup_machine(unsigned nr_cpus)
{
    threads_setup(nr_cpus);
    explore_init_op("xcall_setup");
    explore_init_op("work_setup");
    explore_init_op("rcu_setup");
    explore_init_op("slot_setup");
    explore_init_op("shoot_setup");
    explore_init_op("space_setup");
    explore_expect(space_create(&shoot_space, NULL, "explored") == OK);
}

static uintptr_t
shoot_page(size_t i)
{
    return SHOOT_PAGE + i * PAGE_SIZE;
}

/* At the end so many pages are left; to destroy the space takes too long. */
static void
shoot_end(uint64_t nr_pages)
{
    space_use(NULL);
    explore_expect(container_counts[CONTAINER_PAGES] == nr_pages);
}

/* ------------------------------------------------------------------- unmap */

/* Write to the last page and the first until they are gone, or for a while. */
static void
shoot_write(void *arg __unused)
{
    status_t status = OK;

    space_use(shoot_space);
    for (uint64_t i = 0; i < 4 && status == OK; i++) {
        bool is_done = shoot_is_done;

        status = mmu_write(shoot_page(i % 2 == 0 ? SHOOT_PAGES - 1 : 0), i);
        explore_expect(status == OK || status == ERR_FAULT);
        explore_expect(status != OK || !is_done);
    }
    space_use(NULL);
}

static void
shoot_unmap(void)
{
    explore_expect(
        space_unmap(shoot_space, SHOOT_PAGE, SHOOT_PAGES * PAGE_SIZE) == OK);
    shoot_is_done = true;
}

static void
shoot_main_unmaps(void *arg)
{
    unsigned nr_cpus = (unsigned)(uintptr_t)arg;
    struct thread *threads[EXPLORE_CPUS_MAX];

    shoot_map();
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++) {
        threads[cpu] = threads_create_on(cpu, shoot_write, NULL);
    }
    space_use(shoot_space);
    if (explore_random(2) == 0) {
        explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    }
    threads_sleep_below(1000);
    shoot_unmap();
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++) {
        thread_join(threads[cpu]);
    }
    shoot_end(0);
}

/* Nobody uses a page that was unmapped. */
EXPLORE(shoot, unmap)
{
    shoot_setup_machine(3);
    threads_go(3, shoot_main_unmaps, (void *)3);
}

/* The same where two CPUs share a bit. */
EXPLORE(shoot, groups)
{
    explore_option("vm_groups", "2");
    shoot_setup_machine(3);
    threads_go(3, shoot_main_unmaps, (void *)3);
}

/* ----------------------------------------------------- a thread that moves */

static void
shoot_go(struct thread *thread, uint32_t cpu)
{
    unsigned long mask[BITMAP_LONGS(EXPLORE_CPUS_MAX)] = { 0 };

    bitmap_set(mask, cpu);
    explore_expect(thread_set_affinity(thread, mask) == OK);
}

static void
shoot_write_and_unmap(void *arg __unused)
{
    space_use(shoot_space);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    shoot_unmap();
    space_use(NULL);
}

static void
shoot_main_moves(void *arg __unused)
{
    struct thread *moves, *writes;

    shoot_map();
    moves = threads_create(shoot_write_and_unmap, NULL, NULL);
    writes = threads_create_on(1, shoot_write, NULL);
    shoot_go(moves, 0);
    threads_sleep_below(1000);
    shoot_go(moves, 1);
    thread_join(moves);
    thread_join(writes);
    shoot_write(NULL);
    shoot_end(0);
}

/* Who unmaps is moved to another CPU meanwhile. */
EXPLORE(shoot, moved)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_moves, NULL);
}

/* ----------------------------------------------------------------- protect */

static void
shoot_write_while_allowed(void *arg __unused)
{
    status_t status = OK;

    space_use(shoot_space);
    for (uint64_t i = 0; i < 4 && status == OK; i++) {
        status = mmu_write(shoot_page(SHOOT_PAGES - 1), i);
        explore_expect(status == OK || status == ERR_ACCESS);
    }
    space_use(NULL);
}

/* The contents of a page, which nobody changes. */
static uint64_t
shoot_read_twice(void)
{
    uint64_t value, again;

    explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 1), &value) == OK);
    cpu_pause();
    explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 1), &again) == OK);
    explore_expect(value == again);
    return value;
}

static void
shoot_main_protects(void *arg __unused)
{
    struct thread *thread;

    shoot_map();
    thread = threads_create_on(1, shoot_write_while_allowed, NULL);
    space_use(shoot_space);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    explore_expect(mmu_write(shoot_page(0), 7) == OK);
    threads_sleep_below(2000);
    explore_expect(space_protect(shoot_space, SHOOT_PAGE,
                                 SHOOT_PAGES * PAGE_SIZE, PMAP_READ) == OK);
    (void)shoot_read_twice();
    thread_join(thread);
    shoot_end(2);
}

/* Nobody writes to what was made read-only. */
EXPLORE(shoot, protect)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_protects, NULL);
}

/* ------------------------------------------------------------------- clone */

static _Atomic uint64_t shoot_written; /* into the original, after the clone */

/* What was written before is seen. */
static void
shoot_look_and_write(void *arg __unused)
{
    space_use(shoot_space);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t least = shoot_written, value;

        explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 1), &value) == OK);
        explore_expect(least == 0 || value >= least);
        if (least == 0) {
            explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 2), i) == OK);
        }
    }
    space_use(NULL);
}

static void
shoot_main_clones(void *arg __unused)
{
    struct thread *thread;
    struct vm_space *clone;
    uint64_t value, again;

    shoot_map();
    thread = threads_create_on(1, shoot_look_and_write, NULL);
    space_use(shoot_space);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    threads_sleep_below(2000);
    explore_expect(space_clone(&clone, shoot_space, NULL, "clone") == OK);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 8) == OK);
    shoot_written = 8;

    space_use(clone);
    explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 1), &value) == OK);
    explore_expect(value == 7);
    explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 2), &value) == OK);
    cpu_pause();
    explore_expect(mmu_read(shoot_page(SHOOT_PAGES - 2), &again) == OK);
    explore_expect(value == again);
    thread_join(thread);
    space_use(NULL);
}

/* What threads of the original write is in the original, not in the clone. */
EXPLORE(shoot, clone)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_clones, NULL);
}

/* -------------------------------------------------------------------- drop */

static void
shoot_main_drops(void *arg __unused)
{
    struct thread *thread;

    shoot_map();
    thread = threads_create_on(1, shoot_write, NULL);
    space_use(shoot_space);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    space_drop_tables(shoot_space);
    threads_sleep_below(1000);
    space_drop_tables(shoot_space);
    explore_expect(mmu_write(shoot_page(SHOOT_PAGES - 1), 7) == OK);
    shoot_unmap();
    thread_join(thread);
    shoot_end(0);
}

/* Page tables go while they are used. */
EXPLORE(shoot, drop)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_drops, NULL);
}

/* -------------------------------------------------------------------- trim */

static void
shoot_write_again(void *arg __unused)
{
    space_use(shoot_space);
    for (uint64_t i = 0; i < 2; i++) {
        explore_expect(mmu_write(SHOOT_PAGE, i) == OK);
        explore_expect(space_unmap(shoot_space, SHOOT_PAGE,
                                   SHOOT_PAGES * PAGE_SIZE) == OK);
        /* Through tables that may lead to a node that is gone. */
        threads_sleep_below(SHOOT_GRACE_NS);
        explore_expect(mmu_write(SHOOT_PAGE, i) == ERR_FAULT);
        shoot_map();
    }
    explore_expect(mmu_write(SHOOT_PAGE, 2) == OK);
    space_use(NULL);
}

static void
shoot_main_trims(void *arg __unused)
{
    struct thread *thread;

    shoot_map();
    thread = threads_create_on(1, shoot_write_again, NULL);
    for (int i = 0; i < 2; i++) {
        threads_sleep_below(SHOOT_GRACE_NS);
        space_trim(shoot_space, SHOOT_PAGE, SHOOT_PAGE + PAGE_SIZE);
        rcu_barrier();
    }
    thread_join(thread);
    shoot_end(1);
}

/* A node is taken out that is the page table of a CPU. */
EXPLORE(shoot, trim)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_trims, NULL);
}

/* -------------------------------------------------------------------- used */

static atomic_uint shoot_nr_begun; /* writes */

static void
shoot_read_and_write(void *arg __unused)
{
    uint64_t value;

    space_use(shoot_space);
    explore_expect(mmu_read(SHOOT_PAGE, &value) == OK);
    for (int i = 0; i < 2; i++) {
        shoot_nr_begun++;
        explore_expect(mmu_write(SHOOT_PAGE, value) == OK);
        threads_sleep_below(1000);
    }
    space_use(NULL);
}

static void
shoot_main_asks(void *arg __unused)
{
    unsigned int used, begun;
    struct thread *thread;

    shoot_map();
    space_use(shoot_space);
    explore_expect(mmu_write(SHOOT_PAGE, 7) == OK);
    thread = threads_create_on(1, shoot_read_and_write, NULL);
    threads_sleep_below(2000);
    explore_expect(space_take_used(shoot_space, SHOOT_PAGE, &used) == OK);
    begun = shoot_nr_begun;
    threads_sleep_below(1000);
    space_drop_tables(shoot_space);
    thread_join(thread);
    explore_expect(space_take_used(shoot_space, SHOOT_PAGE, &used) == OK);
    explore_expect(shoot_nr_begun == begun || (used & SPACE_USED_DIRTY));
    shoot_end(1);
}

/* That a page was written is known, though the tables went that said so. */
EXPLORE(shoot, used)
{
    shoot_setup_machine(2);
    threads_go(2, shoot_main_asks, NULL);
}
