/* SPDX-License-Identifier: MIT */
/*
 * What the files that implement spaces share.
 */
#ifndef VM_SPACE_I_H
#define VM_SPACE_I_H

#include <stdbool.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>
#include <kern/cpu.h>
#include <vm/shoot.h>
#include <vm/space.h>
#include <vm/space_here.h>
#include <vm/space_types.h>

/*
 * Have this CPU's part of a space.
 *
 * Context: thread, preemptible; the caller may move afterwards
 * Returns: OK; ERR_NO_MEMORY
 */
status_t space_cpu_ensure(struct vm_space *space);

/* Whether a CPU has tables, or is about to.  Racy */
static inline bool
space_has_tables(const struct vm_space *space, uint32_t cpu)
{
    struct vm_space_cpu *part =
        atomic_load_explicit(&space->cpus[cpu], memory_order_relaxed);

    return part != NULL && READ_ONCE(part->tables.root) != NULL;
}

/*
 * Whether a range of a space can be worked on.
 *
 * Returns: OK; ERR_INVALID: not aligned or empty; ERR_RANGE
 */
status_t space_check_range(const struct vm_space *space, uintptr_t va,
                           size_t size);

/* Bytes of the smallest and the largest arenas. */
#define SPACE_ARENA_MIN MIB(128)
#define SPACE_ARENA_MAX GIB(512)

/*
 * Have arenas in the upper half of a space, once it has its bounds.
 *
 * @arena_size  of each, a power of two; smaller if there are too many CPUs
 */
void space_room_init(struct vm_space *space, size_t arena_size);

/*
 * Check a range and lock its slots; empty ones that it covers in part stay
 * whole.
 *
 * Context: as tree_lock_range()
 * Returns: as space_check_range(), or as tree_lock_range()
 */
status_t space_lock_range(struct vm_space *space, uintptr_t va, size_t size,
                          struct tree_range *range);

/*
 * Find room for a mapping from this CPU's addresses.  It is not reserved.
 *
 * @below  only below this address; 0: anywhere
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NO_MEMORY
 */
status_t space_find_room(struct vm_space *space, size_t size, uintptr_t below,
                         uintptr_t *vap);

/*
 * Find room and lock it; nothing is mapped there.
 *
 * @vap    where if that is empty and not 0, else anywhere; receives where
 * @range  receives it
 *
 * Context: as space_map()
 * Returns: OK; ERR_NO_MEMORY
 */
status_t space_lock_room(struct vm_space *space, size_t size, uintptr_t *vap,
                         struct tree_range *range);

/*
 * Lock a range in which nothing is mapped.
 *
 * Context: as tree_lock_range()
 * Returns: OK; ERR_EXISTS: something is mapped; ERR_NO_MEMORY
 */
status_t space_lock_new(struct vm_space *space, uintptr_t start, uintptr_t end,
                        struct tree_range *range);

/*
 * Unmap all that is in a locked range, which begins at @va, and unlock it.
 *
 * Context: as space_unmap()
 */
void space_unmap_locked(struct vm_space *space, const struct tree_range *range,
                        uintptr_t va);

/* Say that a mapping was made that begins at @va: next time look below. */
void space_room_used(struct vm_space *space, uintptr_t va);

/* Say that mappings were removed: next time look below @end again. */
void space_room_freed(struct vm_space *space, uintptr_t va, uintptr_t end);

/*
 * Take nodes out of the tree now whose slots all say the same, of those that
 * lie in a range as a whole.
 *
 * Context: thread, preemptible
 */
void space_fold(struct vm_space *space, uintptr_t start, uintptr_t end);

/*
 * Have the tree looked through soon for nodes that became empty.
 *
 * Context: thread, preemptible
 */
void space_trim_later(struct vm_space *space, uintptr_t start, uintptr_t end);

/* Make a CPU's part ready for that. */
void space_trim_init(struct vm_space_cpu *cpu);

/* End it, and wait until nothing goes on.  Context: thread, preemptible */
void space_trim_cancel(struct vm_space_cpu *cpu);

/* Drop the page tables once in a while, as vm_drop= says. */
void space_drop_sometimes(struct vm_space *space);

/*
 * Give up what a slot has: its frame and region.
 *
 * Context: thread, preemptible; the lock of the slot, no CPU has a translation
 */
void space_drop(struct vm_space *space, const struct vm_place *place,
                uint64_t word);

/*
 * The word of a slot that becomes resident.
 *
 * @word  of the slot, of which the mapping is kept
 */
uint64_t space_word(uint64_t word, paddr_t phys, enum pmap_cache cache,
                    enum slot_frame frame, bool is_writable);

#endif /* VM_SPACE_I_H */
