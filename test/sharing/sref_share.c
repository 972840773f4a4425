/* SPDX-License-Identifier: MIT */
/*
 * References: one object for all CPUs.
 */
#include <kern/clock.h>
#include <kern/hub_ref.h>
#include <kern/sref.h>
#include <test/sharing/share.h>

static void
share_noref(struct sref *sref __unused)
{
}

static const struct sref_class share_class = {
    .name = "share",
    .noref = share_noref,
};

static struct sref share_sref = {
    .word = 1,
    .next = NULL,
    .class = &share_class,
};

static void
share_release(struct hub_ref *hub __unused)
{
}

SHARE(sref, get_put)
{
    SHARE_LOOP(s)
    {
        sref_get(&share_sref);
        sref_put(&share_sref);
    }

    /* Leave no epochs to the workloads that follow. */
    share_meet(s);
    if (s->index == 0) {
        (void)sref_sync(CLOCK_NEVER);
    }
}

static struct hub_ref share_hub;

SHARE(hub_ref, get_put)
{
    if (s->index == 0 && share_hub.release == NULL) {
        hub_ref_init(&share_hub, share_release);
    }
    share_meet(s);
    SHARE_LOOP(s)
    {
        hub_ref_get(&share_hub);
        hub_ref_put(&share_hub);
    }
}
