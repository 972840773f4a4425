/* SPDX-License-Identifier: MIT */
#include <arch/pmap.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <ipc/kobject.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <test/ipc/peer.h>
#include <vm/space.h>

/* Bytes that are compared or written at a time. */
#define PEER_PIECE 256

void
peer_task_destroy(struct peer_task *of)
{
    struct test *t = of->t;

    peer_task_kill(of);
    task_put(of->task);
    /* Objects refer to each other: each sync ends one level. */
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(kobject_sync(CLOCK_NEVER), OK);
    }
    for (int kind = 0; kind < CONTAINER_NR_KINDS; kind++) {
        EXPECT_EQ(container_used(of->container, kind), 0);
    }
    container_put(of->container);
    kfree(of);
}

static void
peer_task_end(void *arg)
{
    peer_task_destroy(arg);
}

struct peer_task *
peer_task_make(struct test *t)
{
    struct peer_task *of = kzalloc(sizeof(*of));
    struct task_params params = { .name = "peer",
                                  .max_priority = THREAD_PRIORITY_MAX };
    struct space_mapping mapping = { .size = PEER_MEMORY,
                                     .prot = PMAP_READ | PMAP_WRITE };

    verify(of != NULL);
    of->t = t;
    verify(container_create(&of->container, container_root, "peer") == OK);
    params.container = of->container;
    verify(task_create(&of->task, &params) == OK);
    verify(space_map(of->task->space, &mapping, &of->memory) == OK);
    return of;
}

struct peer_task *
peer_task_create(struct test *t)
{
    struct peer_task *of = peer_task_make(t);

    test_cleanup(t, peer_task_end, of);
    return of;
}

void
peer_task_kill(struct peer_task *of)
{
    struct portolan_task_end end;

    task_end(of->task, PORTOLAN_TASK_KILLED, 0);
    verify(task_wait(of->task, &end, CLOCK_NEVER) == OK);
}

/* Be a thread of the task, in its space. */
static void
peer_enter(struct peer *peer)
{
    struct uthread_params params = { .name = "peer" };
    struct task *task = peer->of->task;

    verify(uthread_create(&peer->uthread, task, &params) == OK);
    rtmutex_lock(&task->mutex);
    peer->uthread->thread = thread_self();
    rtmutex_unlock(&task->mutex);
    uthread_adopt(peer->uthread);
    space_use(task->space);
    atomic_store(&peer->is_there, true);
}

/* Be a thread of the kernel again. */
static void
peer_leave(struct peer *peer)
{
    struct task *task = peer->of->task;

    space_use(NULL);
    rtmutex_lock(&task->mutex);
    peer->uthread->thread = NULL;
    rtmutex_unlock(&task->mutex);
    thread_self()->uthread = NULL;
    atomic_store(&thread_self()->user_work, 0);
    uthread_cancel(peer->uthread);
    uthread_put(peer->uthread);
}

long
peer_play(struct peer *peer)
{
    peer_enter(peer);
    peer->result = peer->fn(peer);
    peer_leave(peer);
    return peer->result;
}

static void
peer_main(void *arg)
{
    peer_play(arg);
}

void
peer_start(struct peer *peer, const struct thread_attr *attr)
{
    peer->thread = thread_create("peer", peer_main, peer, attr);
    verify(peer->thread != NULL);
    while (!atomic_load(&peer->is_there)) {
        thread_sleep(100000);
    }
}

void
peer_await(struct peer *peer, enum portolan_thread_state what)
{
    struct uthread *uthread = peer->uthread;

    while (atomic_load(&uthread->doing) != what ||
           (what == PORTOLAN_THREAD_SEND &&
            READ_ONCE(uthread->message.port) == NULL)) {
        thread_sleep(100000);
    }
}

long
peer_join(struct peer *peer)
{
    thread_join(peer->thread);
    atomic_store(&peer->is_there, false);
    return peer->result;
}

void
peer_fill(uintptr_t va, int byte, size_t size)
{
    char piece[PEER_PIECE];

    memset(piece, byte, sizeof(piece));
    for (size_t done = 0; done < size; done += sizeof(piece)) {
        verify(user_copy_out(va + done, piece,
                             MIN(size - done, sizeof(piece))) == 0);
    }
}

bool
peer_has(uintptr_t va, int byte, size_t size)
{
    char piece[PEER_PIECE];

    for (size_t done = 0; done < size; done += sizeof(piece)) {
        size_t nr = MIN(size - done, sizeof(piece));

        verify(user_copy_in(piece, va + done, nr) == 0);
        for (size_t i = 0; i < nr; i++) {
            if (piece[i] != (char)byte) {
                return false;
            }
        }
    }
    return true;
}
