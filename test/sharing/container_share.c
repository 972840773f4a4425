/* SPDX-License-Identifier: MIT */
/*
 * Resource containers: one for all CPUs.
 */
#include <kern/container.h>
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
    share_meet(s);
    if (s->index == 0) {
        container_put(container);
    }
}
