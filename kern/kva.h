/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual addresses: stacks, large buffers, device registers.
 *
 * Each range has a guard page below, which is never mapped, and what lies
 * above is another's guard page or free; so an overrun in either direction
 * faults, and the fault handler can name the victim.  A freed range is not
 * mapped any more.  It may be given out again with the memory it had; before
 * addresses or pages are used for anything else all CPUs have flushed their
 * TLBs, which is done for many ranges at once.
 *
 * The layer above does it, in the kernel's own address space, and registers
 * how.
 *
 * Lock rank: LOCK_KVA.  Design: doc/vm.md.
 */
#ifndef KERN_KVA_H
#define KERN_KVA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/pmap.h>
#include <arch/types.h>

/* Bytes of a name, with its end; the rest is cut. */
#define KVA_NAME_SIZE 32

enum kva_place {
    KVA_PLACE_INSIDE, /* allocated */
    KVA_PLACE_GUARD,  /* the guard page below what is allocated */
    KVA_PLACE_FREED,  /* was allocated, and is not flushed yet */
};

/* What an address belongs to. */
struct kva_info {
    uintptr_t base; /* of what is allocated, above the guard page */
    size_t size;    /* bytes */
    enum kva_place place;
    char name[KVA_NAME_SIZE];
};

/* The functions below, of who implements them. */
struct kva_ops {
    void *(*alloc)(size_t size, const char *name);
    void *(*map_mmio)(paddr_t phys, size_t size, enum pmap_cache cache,
                      const char *name);
    void (*free)(void *ptr);
    void (*purge)(void);
    bool (*find)(uintptr_t addr, struct kva_info *info);
    bool (*find_next)(uintptr_t addr, struct kva_info *info);
    size_t (*nr_used)(void);
    size_t (*nr_dirty)(void);
};

/*
 * Say who does it.
 *
 * @ops  kept
 *
 * Context: boot CPU, once
 */
void kva_register(const struct kva_ops *ops);

/*
 * Allocate memory that is contiguous only virtually; not zeroed.
 *
 * @size  bytes, rounded up to pages
 * @name  copied
 *
 * Context: thread, preemptible; a CPU that is not online yet: any
 * Locks:   takes and drops LOCK_KVA, LOCK_PAGE_NODE
 * Blocks:  while another CPU makes room close by
 * Returns: a page-aligned address; NULL on exhaustion
 */
void *kva_alloc(size_t size, const char *name) __must_check;

/*
 * Allocate a kernel stack of KERNEL_STACK_SIZE bytes; as kva_alloc().
 *
 * Returns: its lowest address; NULL on exhaustion
 */
void *kva_alloc_stack(const char *name) __must_check;

/*
 * Map physical addresses that are not the page allocator's.
 *
 * @phys, @size  need not be page aligned; whole pages are mapped
 * @name         copied
 *
 * Context: as kva_alloc()
 * Returns: where @phys is; NULL on exhaustion
 */
void *kva_map_mmio(paddr_t phys, size_t size, enum pmap_cache cache,
                   const char *name) __must_check;

/*
 * Free what kva_alloc(), kva_alloc_stack() or kva_map_mmio() returned.
 *
 * Context: as kva_alloc(); with interrupts disabled nothing is flushed and the
 *          memory waits for a later call
 * Locks:   takes and drops LOCK_KVA, LOCK_PAGE_NODE
 */
void kva_free(void *ptr);

/*
 * Flush all TLBs and make everything that was freed available again.
 *
 * Context: thread, interrupts enabled, no spin lock held
 */
void kva_purge(void);

/*
 * Say what an address belongs to.  No lock is taken: while others allocate
 * and free, a range may be missed.
 *
 * @info  receives it
 *
 * Context: any, also in a panic
 * Returns: false, nothing known
 */
bool kva_find(uintptr_t addr, struct kva_info *info);

/*
 * The range at the lowest address at or above @addr, allocated or freed and
 * not flushed yet.  As kva_find().
 */
bool kva_find_next(uintptr_t addr, struct kva_info *info);

/* Bytes allocated, guard pages included. */
size_t kva_nr_used(void);

/* Bytes freed, but not flushed yet. */
size_t kva_nr_dirty(void);

#endif /* KERN_KVA_H */
