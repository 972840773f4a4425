/* SPDX-License-Identifier: MIT */
/*
 * What kernel objects begin with, for those who make a kind of them.
 */
#ifndef IPC_KOBJECT_TYPES_H
#define IPC_KOBJECT_TYPES_H

#include <stdint.h>

#include <kern/rcu_types.h>
#include <kern/sref_types.h>
#include <lib/status.h>

#define KOBJECT_NAME_SIZE 32

/* name, what people call it */
#define KOBJECT_KINDS(X)                                                       \
    X(NONE, "none")                                                            \
    X(PORT, "port")                                                            \
    X(CONNECTION, "connection")                                                \
    X(TASK, "task")                                                            \
    X(THREAD, "thread")                                                        \
    X(SPACE, "space")                                                          \
    X(MEMORY, "memory")                                                        \
    X(CONTAINER, "container")                                                  \
    X(BOOTSTRAP, "bootstrap")                                                  \
    X(TEST, "test")

#define KOBJECT_KIND_ENUM(name, text) KOBJECT_##name,
enum kobject_kind {
    KOBJECT_KINDS(KOBJECT_KIND_ENUM) KOBJECT_NR_KINDS
};

struct kobject;

/*
 * What the objects of a kind do; constant.
 */
struct kobject_ops {
    enum kobject_kind kind;

    /*
     * The last reference is gone: take apart what the object is made of, and
     * call kobject_free() when that is done, now or, if it takes long, later
     * in a thread of one's own.
     *
     * Context: thread, preemptible, no lock held
     */
    void (*release)(struct kobject *object);

    /*
     * Free the memory: a grace period has passed since kobject_free(), nobody
     * has found the object by RCU any more.
     *
     * Context: callback of RCU
     */
    void (*free)(struct kobject *object);

    /*
     * An entry is no more, of whatever task; once for each.  NULL: nobody
     * cares.
     *
     * Context: thread, preemptible, no lock held; the caller has a reference
     */
    void (*close)(struct kobject *object, uint64_t label);
};

/*
 * Keys: [c] constant once made   [S] sref   [D] the dead's: kobject_free()
 */
struct kobject {
    const struct kobject_ops *ops; /* [c] */
    enum kobject_kind kind;        /* [c] that of @ops */
    struct sref_weakable ref;      /* [S] */
    struct sref_weak weak;         /* [S] for who finds it by RCU */
    struct rcu_head head;          /* [D] */
    uint64_t serial;               /* [c] never used for another one */
    char name[KOBJECT_NAME_SIZE];  /* for people; may change at any time */
};

#endif /* IPC_KOBJECT_TYPES_H */
