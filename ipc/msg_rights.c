/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <lib/assert.h>
#include <ipc/call_use.h>
#include <ipc/connection.h>
#include <ipc/msg_rights.h>
#include <ipc/right_table.h>
#include <ipc/uthread.h>

static_assert(PORTOLAN_MSG_RIGHTS_MAX == RIGHT_RESERVE_MAX,
              "as many can be reserved at once");

/*
 * The sides
 */

static struct msg_rights *
msg_rights_alloc(void)
{
    struct container *container = task_self()->container;
    struct msg_rights *rights;

    if (container_charge(container, CONTAINER_OBJECTS, sizeof(*rights)) != OK) {
        return NULL;
    }
    rights = kzalloc(sizeof(*rights));
    if (rights == NULL) {
        container_refund(container, CONTAINER_OBJECTS, sizeof(*rights));
    }
    return rights;
}

/* Drop references and memory. */
static void
msg_rights_free(struct msg_rights *rights)
{
    for (uint32_t i = 0; i < rights->nr_given; i++) {
        right_put(rights->given[i].right);
    }
    kfree(rights);
    container_refund(task_self()->container, CONTAINER_OBJECTS,
                     sizeof(*rights));
}

/* Take a reference to one that is to be given. */
static long
msg_rights_add(struct msg_rights *rights,
               const struct portolan_msg_right *wanted)
{
    struct msg_right *given = &rights->given[rights->nr_given];
    uint32_t name = (uint32_t)wanted->name;

    if (wanted->flags & ~PORTOLAN_MSG_RIGHT_MOVE) {
        return CALL_EINVAL;
    }
    if (right_table_get(task_table(task_self(), name), name, &given->right) !=
        OK) {
        return CALL_EBADF;
    }
    given->name = name;
    given->flags = wanted->flags;
    rights->nr_given++;
    return 0;
}

static long
msg_rights_add_all(struct msg_rights *rights,
                   const struct portolan_msg_options *options)
{
    uintptr_t at = options->send;
    long error = 0;

    for (uint32_t i = 0; i < options->nr_send && error == 0; i++) {
        struct portolan_msg_right wanted;

        error = call_copy_in(&wanted, at + i * sizeof(wanted), sizeof(wanted));
        if (error == 0) {
            error = msg_rights_add(rights, &wanted);
        }
    }
    return error;
}

long
msg_rights_begin(struct msg_rights **rightsp,
                 const struct portolan_msg_options *options)
{
    struct msg_rights *rights;
    long error;

    *rightsp = NULL;
    if (options->nr_send == 0 && options->max_receive == 0) {
        return 0;
    }
    if (options->nr_send > PORTOLAN_MSG_RIGHTS_MAX) {
        return CALL_EINVAL;
    }
    rights = msg_rights_alloc();
    if (rights == NULL) {
        return CALL_ENOMEM;
    }
    rights->max_got =
        MIN(options->max_receive, (uint32_t)PORTOLAN_MSG_RIGHTS_MAX);
    error = msg_rights_add_all(rights, options);
    if (error != 0) {
        msg_rights_free(rights);
        return error;
    }
    *rightsp = rights;
    return 0;
}

/* Close what was given away, unless the name has got another meaning. */
static void
msg_rights_close_moved(struct msg_rights *rights)
{
    for (uint32_t i = 0; i < rights->nr_taken; i++) {
        const struct msg_right *given = &rights->given[i];
        struct right_table *table = task_table(task_self(), given->name);
        bool is_same;

        rcu_read_lock();
        is_same = right_table_find(table, given->name) == given->right;
        rcu_read_unlock();
        if ((given->flags & PORTOLAN_MSG_RIGHT_MOVE) && is_same) {
            /* Who closes it at the same time has done it. */
            (void)right_table_close(table, given->name);
        }
    }
}

long
msg_rights_end(struct msg_rights *rights, uintptr_t options,
               const struct portolan_msg_options *from)
{
    uint64_t nr_got;
    long error;

    if (rights == NULL) {
        return 0;
    }
    nr_got = rights->nr_got;
    error = call_copy_out(from->receive, rights->got,
                          nr_got * sizeof(rights->got[0]));
    if (error == 0) {
        error = call_copy_out(options + offsetof(struct portolan_msg_options,
                                                 nr_receive),
                              &nr_got, sizeof(nr_got));
    }
    msg_rights_close_moved(rights);
    msg_rights_free(rights);
    return error;
}

/*
 * The transfer
 */

/* Returns: how many were copied; not all, if one could not */
static uint32_t
msg_rights_copy_all(const struct msg_rights *from, uint32_t nr, struct task *to,
                    struct right **copies)
{
    uint32_t i = 0;

    while (i < nr &&
           connection_right_for(from->given[i].right, to, &copies[i]) == OK) {
        i++;
    }
    return i;
}

/* Enter one under its name. */
static void
msg_rights_commit(struct msg_rights *into, struct task *to, uint32_t name,
                  struct right *copy)
{
    struct portolan_msg_right *got = &into->got[into->nr_got];

    *got = (struct portolan_msg_right){
        .name = (int32_t)name,
        .flags = copy->object->kind,
        .label = copy->label,
    };
    if (right_table_commit(&to->rights, name, copy, 0) == OK) {
        into->nr_got++;
    } else {
        /* The task ends: it will not see any of them. */
        right_put(copy);
    }
}

void
msg_rights_give(struct msg_rights *from, struct msg_rights *into,
                struct task *to)
{
    struct right *copies[PORTOLAN_MSG_RIGHTS_MAX];
    uint32_t names[PORTOLAN_MSG_RIGHTS_MAX];
    uint32_t nr, nr_copies;

    if (from == NULL || into == NULL) {
        return;
    }
    nr = MIN(from->nr_given, into->max_got);
    if (nr == 0 || right_table_reserve(&to->rights, nr, 0, names) != OK) {
        return;
    }
    nr_copies = msg_rights_copy_all(from, nr, to, copies);
    if (nr_copies < nr) {
        while (nr_copies > 0) {
            right_put(copies[--nr_copies]);
        }
        right_table_cancel(&to->rights, nr, names);
        return;
    }
    for (uint32_t i = 0; i < nr; i++) {
        msg_rights_commit(into, to, names[i], copies[i]);
    }
    from->nr_taken = nr;
}

void
msg_rights_take_back(struct msg_rights *into, struct task *to)
{
    for (uint32_t i = 0; i < into->nr_got; i++) {
        /* The program may have guessed the name and closed it. */
        (void)right_table_close(&to->rights, (uint32_t)into->got[i].name);
    }
    into->nr_got = 0;
}
