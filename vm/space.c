/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/preempt.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/thread_space.h>
#include <kern/xcall.h>
#include <vm/space_i.h>
#include <vm/space_list.h>

static void space_end_work(struct work *work);

static status_t
space_create_cpus(struct vm_space *space)
{
    size_t size = cpu_nr_possible * sizeof(*space->cpus);

    if (container_charge(space->container, CONTAINER_OBJECTS, size) != OK) {
        return ERR_NO_MEMORY;
    }
    space->cpus = kmalloc(size);
    if (space->cpus == NULL) {
        container_refund(space->container, CONTAINER_OBJECTS, size);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        atomic_init(&space->cpus[i], NULL);
    }
    return OK;
}

static void
space_destroy_cpus(struct vm_space *space)
{
    size_t size = cpu_nr_possible * sizeof(*space->cpus);

    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        struct vm_space_cpu *cpu = space->cpus[i];

        if (cpu != NULL) {
            if (cpu->tables.root != NULL) {
                utable_destroy(&cpu->tables);
            }
            kfree(cpu);
            container_refund(space->container, CONTAINER_OBJECTS, sizeof(*cpu));
        }
    }
    kfree(space->cpus);
    container_refund(space->container, CONTAINER_OBJECTS, size);
}

static void
space_forget(struct vm_tree *tree, const struct vm_place *place)
{
    shoot_slot(container_of(tree, struct vm_space, tree), place);
}

status_t
space_create(struct vm_space **spacep, struct container *container,
             const char *name)
{
    struct vm_space *space;
    status_t status;

    status = container_charge(container, CONTAINER_OBJECTS, sizeof(*space));
    if (status != OK) {
        return status;
    }
    space = kmalloc(sizeof(*space));
    if (space == NULL) {
        status = ERR_NO_MEMORY;
        goto fail_alloc;
    }

    *space = (struct vm_space){
        .container = container,
        .start = SPACE_START,
        .end = SPACE_END,
    };
    space_room_init(space, SPACE_ARENA_MAX);
    atomic_init(&space->nr_refs, 1);
    work_init(&space->destroyer, space_end_work);
    strlcpy(space->name, name, sizeof(space->name));
    status = space_create_cpus(space);
    if (status != OK) {
        goto fail_cpus;
    }
    status = tree_init(&space->tree, container, space_forget);
    if (status != OK) {
        goto fail_tree;
    }

    container_get(container);
    space_list_add(space);
    *spacep = space;
    return OK;

fail_tree:
    space_destroy_cpus(space);
fail_cpus:
    kfree(space);
fail_alloc:
    container_refund(container, CONTAINER_OBJECTS, sizeof(*space));
    return status;
}

void
space_get(struct vm_space *space)
{
    atomic_fetch_add_explicit(&space->nr_refs, 1, memory_order_relaxed);
}

/* End what trims the tree: it may use the tables of any CPU. */
static void
space_cancel_trims(struct vm_space *space)
{
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        struct vm_space_cpu *cpu = space->cpus[i];

        if (cpu != NULL) {
            space_trim_cancel(cpu);
        }
    }
}

/* Context: interrupt */
static void
space_leave(void *arg)
{
    thread_space_leave(arg);
}

static void
space_destroy(struct vm_space *space)
{
    struct container *container = space->container;

    space_list_remove(space);
    verify(space_unmap(space, SPACE_START, SPACE_END - SPACE_START) == OK);
    space_cancel_trims(space);
    /* Kernel threads use the tables of whoever ran before them. */
    xcall_all(space_leave, space);
    space_destroy_cpus(space);
    tree_destroy(&space->tree);
    kfree(space);
    container_refund(container, CONTAINER_OBJECTS, sizeof(*space));
    container_put(container);
}

/* Returns: whether that was the last reference */
static bool
space_unref(struct vm_space *space)
{
    uint32_t old;

    /* Whoever destroys it sees what all others did: acquire and release. */
    old = atomic_fetch_sub_explicit(&space->nr_refs, 1, memory_order_acq_rel);
    assert(old != 0);
    return old == 1;
}

void
space_put(struct vm_space *space)
{
    if (space_unref(space)) {
        space_destroy(space);
    }
}

static void
space_end_work(struct work *work)
{
    space_destroy(container_of(work, struct vm_space, destroyer));
}

void
space_put_later(struct vm_space *space)
{
    if (space_unref(space)) {
        (void)work_queue(&space->destroyer);
    }
}

/* Make the part of some CPU.  Returns: NULL on exhaustion */
static struct vm_space_cpu *
space_cpu_create(struct vm_space *space)
{
    struct container *container = space->container;
    struct vm_space_cpu *cpu;

    if (container_charge(container, CONTAINER_OBJECTS, sizeof(*cpu)) != OK) {
        return NULL;
    }
    cpu = kmalloc(sizeof(*cpu));
    if (cpu == NULL) {
        container_refund(container, CONTAINER_OBJECTS, sizeof(*cpu));
        return NULL;
    }
    *cpu = (struct vm_space_cpu){ .space = space };
    space_trim_init(cpu);
    return cpu;
}

status_t
space_cpu_ensure(struct vm_space *space)
{
    struct vm_space_cpu *cpu, *none = NULL;

    if (space->cpus[cpu_id()] != NULL) {
        return OK;
    }
    cpu = space_cpu_create(space);
    if (cpu == NULL) {
        return ERR_NO_MEMORY;
    }

    /* It becomes that of the CPU on which the caller is by now. */
    if (!atomic_compare_exchange_strong(&space->cpus[cpu_id()], &none, cpu)) {
        kfree(cpu);
        container_refund(space->container, CONTAINER_OBJECTS, sizeof(*cpu));
    }
    return OK;
}

/* Load the tables of a space.  Context: interrupts disabled */
static void
space_load(struct vm_space *space)
{
    struct utable *ut = space != NULL ? space_tables_this(space) : NULL;

    if (ut != NULL) {
        utable_load(ut);
    } else {
        /* If the thread needs any, they are made by its first fault. */
        utable_unload();
    }
}

void
space_use(struct vm_space *space)
{
    thread_space_use(space);
}

const char *
space_name(const struct vm_space *space)
{
    return space->name;
}

status_t
space_check_range(const struct vm_space *space, uintptr_t va, size_t size)
{
    if (!IS_ALIGNED(va | size, PAGE_SIZE) || size == 0) {
        return ERR_INVALID;
    }
    if (va < space->start || va >= space->end || size > space->end - va) {
        return ERR_RANGE;
    }
    return OK;
}

status_t
space_lock_range(struct vm_space *space, uintptr_t va, size_t size,
                 struct tree_range *range)
{
    status_t status;

    status = space_check_range(space, va, size);
    if (status != OK) {
        return status;
    }
    return tree_lock_range(&space->tree, va, va + size, TREE_KEEP_EMPTY, range);
}

/* A fault of the current thread. */
static status_t
space_fault_current(uintptr_t addr, unsigned int access)
{
    struct vm_space *space = thread_self()->space;

    return space != NULL ? space_fault(space, addr, access) : ERR_FAULT;
}

static status_t
space_setup(void)
{
    user_fault_register(space_fault_current);
    (void)thread_space_register(space_load);
    return OK;
}

INIT_OP(space_setup, INIT_BOOT_CPU, AFTER(thread_setup));
