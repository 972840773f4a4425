/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/layout.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <vm/kernel.h>
#include <vm/space_i.h>
#include <vm/space_list.h>

static struct vm_space kernel_space_object = {
    .name = "kernel",
    .start = KVA_BASE,
    .end = KVA_BASE + KVA_SIZE,
    .is_kernel = true,
    .nr_refs = 1,
};

struct vm_space *const kernel_space = &kernel_space_object;

static PERCPU(struct vm_space_cpu, kernel_cpu);

status_t
kernel_link(struct vm_node *node)
{
    struct page_tree *info = node_info(node);
    status_t status;

    assert(info->level == 0);

    if (likely(node_home(node) == NODE_HOME_ALL)) {
        return OK;
    }
    status = pmap_link(info->va, node_phys(node));
    if (status == OK) {
        /* Whoever else is here says the same. */
        __atomic_store_n(&info->home, NODE_HOME_ALL, __ATOMIC_RELAXED);
    }
    return status;
}

status_t
kernel_enter(struct vm_node *node, uint64_t *wordp)
{
    *wordp = (*wordp & ~UWORD_USER) | UWORD_ACCESSED | UWORD_DIRTY |
             UWORD_GLOBAL | UWORD_PRESENT;
    return kernel_link(node);
}

/*
 * What a CPU has mapped is memory at most, but for registers.  With arenas no
 * larger than that the nodes above the leaves serve several CPUs.
 */
static size_t
kernel_arena_size(void)
{
    size_t size = SPACE_ARENA_MIN;

    while (size < page_nr_total() * PAGE_SIZE) {
        size *= 2;
    }
    return size;
}

/* Before anything is allocated here: what the space itself needs. */
static status_t
kernel_setup(void)
{
    struct vm_space *space = kernel_space;

    space->container = container_root;
    space->cpus = kmalloc(cpu_nr_possible * sizeof(*space->cpus));
    if (space->cpus == NULL) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        struct vm_space_cpu *cpu = percpu_ptr(kernel_cpu, i);

        cpu->space = space;
        space_trim_init(cpu);
        atomic_init(&space->cpus[i], cpu);
    }
    space_room_init(space, kernel_arena_size());
    space_list_add(space);
    /* It has no large pages that anybody could have to forget. */
    return tree_init(&space->tree, container_root, NULL);
}

INIT_OP(kernel_setup, INIT_BOOT_CPU, AFTER(container_setup),
        AFTER(kmalloc_setup), AFTER(slot_setup), AFTER(shoot_setup),
        AFTER(region_setup), AFTER(thread_first_setup));
