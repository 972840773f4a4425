/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/container.h>
#include <test/bench.h>
#include <vm/object.h>

/* A page that is there. */
BENCH(object, get_frame)
{
    struct object_frame frame;
    struct vm_object *object;

    if (object_create_anon(&object, container_root, "bench", 100) != OK) {
        return;
    }
    BENCH_LOOP(b)
    {
        (void)object_get_frame(object, 70, false, &frame);
    }
    object_put(object);
    (void)object_sync(CLOCK_NEVER);
}

/* A page that is made, from the allocator, with its part of the tree. */
BENCH(object, fill)
{
    struct object_frame frame;
    struct vm_object *object;
    uint64_t index = 0;

    if (object_create_anon(&object, container_root, "bench", OBJECT_ANON_MAX) !=
        OK) {
        return;
    }
    BENCH_LOOP(b)
    {
        (void)object_get_frame(object, index++, true, &frame);
    }
    object_put(object);
    (void)object_sync(CLOCK_NEVER);
}
