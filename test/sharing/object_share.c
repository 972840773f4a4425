/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: the same page of one object.
 */
#include <kern/container.h>
#include <test/sharing/share.h>
#include <vm/object.h>

SHARE(object, get_frame)
{
    static struct vm_object *object;
    struct object_frame frame;

    if (s->index == 0 && object == NULL) {
        (void)object_create_anon(&object, container_root, "share", 100);
    }
    share_meet(s);
    SHARE_LOOP(s)
    {
        (void)object_get_frame(object, 70, false, &frame);
    }
}
