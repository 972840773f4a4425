/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <ipc/call_error.h>
#include <ipc/console_reads.h>
#include <ipc/message.h>

struct console_read {
    struct list link; /* [W] */
    uint32_t rcvid;
};

void
console_reads_init(struct console_reads *reads)
{
    waitq_init(&reads->queue);
    list_init(&reads->list);
    reads->nr = 0;
    reads->limit = CONSOLE_READS_MIN;
}

/* Put reads behind those that wait. */
static void
console_reads_append(struct console_reads *reads, struct list *list,
                     uint32_t nr)
{
    uint64_t flags = waitq_lock(&reads->queue);

    list_concat(&reads->list, list);
    WRITE_ONCE(reads->nr, reads->nr + nr);
    waitq_wake_one_locked(&reads->queue);
    waitq_unlock(&reads->queue, flags);
}

/*
 * Forget the reads that nobody waits for.  Whoever takes one meanwhile finds
 * none, and waits until the others are back.
 */
static void
console_reads_sweep(struct console_reads *reads)
{
    struct portolan_msg_info info;
    struct console_read *read;
    struct list all, left;
    uint32_t nr = 0;
    uint64_t flags;

    list_init(&all);
    list_init(&left);
    flags = waitq_lock(&reads->queue);
    list_concat(&all, &reads->list);
    WRITE_ONCE(reads->nr, 0);
    waitq_unlock(&reads->queue, flags);
    while (!list_is_empty(&all)) {
        read = list_first_entry(&all, struct console_read, link);
        list_remove(&read->link);
        if (message_info(NULL, read->rcvid, &info) == 0) {
            list_insert_tail(&left, &read->link);
            nr++;
        } else {
            kfree(read);
        }
    }
    reads->limit = MAX(2 * nr, (uint32_t)CONSOLE_READS_MIN);
    console_reads_append(reads, &left, nr);
}

long
console_reads_add(struct console_reads *reads, uint32_t rcvid)
{
    struct console_read *read = kmalloc(sizeof(*read));
    struct list list;

    if (read == NULL) {
        return CALL_ENOMEM;
    }
    if (READ_ONCE(reads->nr) >= reads->limit) {
        console_reads_sweep(reads);
    }
    read->rcvid = rcvid;
    list_init(&list);
    list_insert_tail(&list, &read->link);
    console_reads_append(reads, &list, 1);
    return 0;
}

uint32_t
console_reads_next(struct console_reads *reads)
{
    struct console_read *read = NULL;
    uint32_t rcvid;

    while (read == NULL) {
        uint64_t flags = waitq_lock(&reads->queue);

        if (list_is_empty(&reads->list)) {
            waitq_wait_locked(&reads->queue, flags, CLOCK_NEVER);
            continue;
        }
        read = list_first_entry(&reads->list, struct console_read, link);
        list_remove(&read->link);
        WRITE_ONCE(reads->nr, reads->nr - 1);
        waitq_unlock(&reads->queue, flags);
    }
    rcvid = read->rcvid;
    kfree(read);
    return rcvid;
}
