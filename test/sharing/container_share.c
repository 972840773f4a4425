/* SPDX-License-Identifier: MIT */
/*
 * Resource containers: one for all CPUs.
 */
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/sref.h>
#include <test/sharing/share.h>

SHARE(container, charge)
{
    static struct container *container;

    if (s->index == 0) {
        container = container_root;
        (void)container_create(&container, container_root, "share");
    }
    share_meet(s);
    SHARE_LOOP(s)
    {
        if (container_charge(container, CONTAINER_PAGES, 1) == OK) {
            container_refund(container, CONTAINER_PAGES, 1);
        }
    }

    /* Its end is no part of the workloads that follow. */
    share_meet(s);
    if (s->index == 0) {
        container_put(container);
        (void)sref_sync(CLOCK_NEVER);
    }
}
