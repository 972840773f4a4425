/* SPDX-License-Identifier: MIT */
/*
 * Room for mappings whose address does not matter.
 *
 * Each CPU of a space has addresses of its own, an arena, and searches it from
 * a hint downwards; so what different CPUs map lies in different nodes.  The
 * hint goes down with each mapping and up again when something above is
 * unmapped.  When an arena is full the CPU takes another one, and when there
 * is none left, or the mapping is larger than an arena, all of the space is
 * searched from the top.
 *
 * Nothing is reserved here: two may find the same room, and the one who locks
 * it later has to search again.
 */
#include <kern/cpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <vm/space_i.h>

/* What a mapping is aligned to, so that large ones need few slots. */
static size_t
room_align(size_t size)
{
    unsigned int level = 0;

    while (level < NODE_LEVEL_TOP && size >= node_slot_size(level + 1)) {
        level++;
    }
    return node_slot_size(level);
}

/*
 * Whether nothing is mapped in a range.
 *
 * @topp  receives, if not, an address at or below which the last mapping
 *        begins
 */
static bool
room_is_free(struct vm_space *space, uintptr_t va, size_t size, uintptr_t *topp)
{
    uintptr_t next = va + size;

    while (next > va) {
        struct vm_place place;
        uint64_t word;

        rcu_read_lock();
        word = tree_find(&space->tree, next - 1, &place);
        rcu_read_unlock();
        if (slot_type(word) != SLOT_EMPTY) {
            *topp = place.va;
            return false;
        }
        next = place.va;
    }
    return true;
}

/* Find room in [start, end), as high as possible. */
static status_t
room_search(struct vm_space *space, uintptr_t start, uintptr_t end, size_t size,
            uintptr_t *vap)
{
    size_t align = room_align(size);

    while (end > start && end - start >= size) {
        uintptr_t va = ALIGN_DOWN(end - size, align);

        if (va < start) {
            break;
        }
        if (room_is_free(space, va, size, &end)) {
            *vap = va;
            return OK;
        }
    }
    return ERR_NO_MEMORY;
}

/* Take another arena.  Returns: false, there are no more */
static bool
room_next_arena(struct vm_space *space, struct vm_space_cpu *cpu)
{
    uintptr_t end, start;

    end = atomic_load_explicit(&space->next_arena, memory_order_relaxed);
    do {
        start = ALIGN_DOWN(end - 1, space->arena_size);
        if (start < space->arenas_start) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&space->next_arena, &end,
                                                    start, memory_order_relaxed,
                                                    memory_order_relaxed));

    /* Hints: one who reads a mixture searches in vain, or elsewhere. */
    atomic_store_explicit(&cpu->arena, start, memory_order_relaxed);
    atomic_store_explicit(&cpu->arena_end, end, memory_order_relaxed);
    atomic_store_explicit(&cpu->hint, end, memory_order_relaxed);
    return true;
}

/* Search a CPU's arena: below its hint, then all of it. */
static status_t
room_search_arena(struct vm_space *space, struct vm_space_cpu *cpu, size_t size,
                  uintptr_t below, uintptr_t *vap)
{
    uintptr_t start, hint, end;

    start = atomic_load_explicit(&cpu->arena, memory_order_relaxed);
    end = atomic_load_explicit(&cpu->arena_end, memory_order_relaxed);
    hint = atomic_load_explicit(&cpu->hint, memory_order_relaxed);
    if (below > start && below < hint) {
        hint = below;
    }
    if (room_search(space, start, MIN(hint, end), size, vap) == OK) {
        return OK;
    }
    return hint < end ? room_search(space, start, end, size, vap)
                      : ERR_NO_MEMORY;
}

status_t
space_find_room(struct vm_space *space, size_t size, uintptr_t below,
                uintptr_t *vap)
{
    struct vm_space_cpu *cpu;

    if (space_cpu_ensure(space) != OK) {
        return ERR_NO_MEMORY;
    }
    /* Whichever CPU this is: it only names an arena, which never goes. */
    cpu = space->cpus[cpu_id()];
    if (cpu != NULL && size <= space->arena_size / 2) {
        do {
            if (room_search_arena(space, cpu, size, below, vap) == OK) {
                return OK;
            }
        } while (room_next_arena(space, cpu));
    }
    return room_search(space, space->start, space->end, size, vap);
}

void
space_room_used(struct vm_space *space, uintptr_t va)
{
    struct vm_space_cpu *cpu = space->cpus[cpu_id()];

    if (cpu != NULL && va - cpu->arena < cpu->arena_end - cpu->arena) {
        atomic_store_explicit(&cpu->hint, va, memory_order_relaxed);
    }
}

void
space_room_freed(struct vm_space *space, uintptr_t va, uintptr_t end)
{
    struct vm_space_cpu *cpu = space->cpus[cpu_id()];

    if (cpu != NULL && va - cpu->arena < cpu->arena_end - cpu->arena &&
        end > cpu->hint) {
        atomic_store_explicit(&cpu->hint, MIN(end, cpu->arena_end),
                              memory_order_relaxed);
    }
}

void
space_room_init(struct vm_space *space, size_t arena_size)
{
    size_t half = (space->end - space->start) / 2;

    space->arena_size = arena_size;
    while (space->arena_size > SPACE_ARENA_MIN &&
           space->arena_size * cpu_nr_possible > half) {
        space->arena_size /= 2;
    }
    space->arenas_start = space->end - half;
    atomic_init(&space->next_arena, space->end);
}
