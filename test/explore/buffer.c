/* SPDX-License-Identifier: MIT */
/*
 * Store buffers of x86-TSO: stores of a CPU become visible to others in their
 * order, later; the CPU itself sees them at once; a locked instruction or a
 * fence makes all of them visible first.
 *
 * The compiler's hooks come before a store and do not know its value, and
 * loads are made by the program itself.  So memory is what the running CPU
 * sees, and the buffer keeps below each store what was there: when another
 * CPU is to run, they are exchanged from the newest to the oldest.  To make
 * the oldest store of the running CPU visible is just to forget it.
 *
 * Sewell et al., "x86-TSO: A Rigorous and Usable Programmer's Model for x86
 * Multiprocessors", CACM 2010.
 */
#include "engine.h"

static struct store *
buffer_at(struct store_buffer *buffer, unsigned i)
{
    return &buffer->stores[(buffer->head + i) % ENGINE_BUFFER_MAX];
}

static void
buffer_forget(struct store_buffer *buffer, unsigned nr)
{
    buffer->head = (buffer->head + nr) % ENGINE_BUFFER_MAX;
    buffer->nr -= nr;
}

static uint64_t
buffer_load(uintptr_t addr, unsigned size)
{
    uint64_t value = 0;

    __builtin_memcpy(&value, (const void *)addr, size);
    return value;
}

static void
buffer_exchange(struct store *store)
{
    uint64_t value;

    value = buffer_load(store->addr, store->size);
    __builtin_memcpy((void *)store->addr, &store->other, store->size);
    store->other = value;
}

static void
buffer_push_one(struct store_buffer *buffer, uintptr_t addr, unsigned size)
{
    struct store *store;

    if (buffer->nr >= engine.buffer_limit) {
        buffer_forget(buffer, buffer->nr + 1 - engine.buffer_limit);
    }
    store = buffer_at(buffer, buffer->nr);
    store->addr = addr;
    store->size = size;
    store->other = buffer_load(addr, size);
    buffer->nr++;
}

void
buffer_push(uintptr_t addr, size_t size)
{
    struct store_buffer *buffer;
    unsigned part;

    if (engine.sc || !engine.active) {
        return;
    }

    buffer = &engine.cpu->buffer;
    if (buffer->nr > 0 && rand_below(&engine.rand, 16) < engine.drain_chance) {
        buffer_forget(buffer,
                      1 + (unsigned)rand_below(&engine.rand, buffer->nr));
    }
    while (size > 0) {
        part = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
        buffer_push_one(buffer, addr, part);
        addr += part;
        size -= part;
    }
}

void
buffer_drain(void)
{
    if (engine.active) {
        buffer_forget(&engine.cpu->buffer, engine.cpu->buffer.nr);
    }
}

void
buffer_enter(struct sim_cpu *cpu)
{
    unsigned i;

    for (i = 0; i < cpu->buffer.nr; i++) {
        buffer_exchange(buffer_at(&cpu->buffer, i));
    }
}

void
buffer_leave(struct sim_cpu *cpu)
{
    unsigned i;

    for (i = cpu->buffer.nr; i > 0; i--) {
        buffer_exchange(buffer_at(&cpu->buffer, i - 1));
    }
}

void
buffer_commit(struct sim_cpu *cpu, unsigned nr)
{
    struct store *store;

    for (; nr > 0 && cpu->buffer.nr > 0; nr--) {
        store = buffer_at(&cpu->buffer, 0);
        buffer_exchange(store);
        if (engine.tracing) {
            trace_commit(cpu, store->addr, store->size);
        }
        buffer_forget(&cpu->buffer, 1);
    }
}

void
buffer_commit_some(struct sim_cpu *last)
{
    struct sim_cpu *cpu;
    unsigned i, chance;

    if (engine.sc) {
        return;
    }

    for (i = 0; i < engine.nr_cpus; i++) {
        cpu = &engine.cpus[i];
        /* Those that wait longer are more likely to be through. */
        chance = cpu == last ? engine.drain_chance
                             : 1 + engine.drain_chance / 2;
        if (cpu->buffer.nr > 0 && rand_below(&engine.rand, 16) < chance) {
            buffer_commit(cpu, 1 + (unsigned)rand_below(&engine.rand,
                                                        cpu->buffer.nr));
        }
    }
}
