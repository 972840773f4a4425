/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: a weakable sref whose weak reference is the object's own, for
 * those who find it under RCU.
 */
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/sref.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <ipc/kobject.h>
#include <portolan/types.h>

static_assert((int)KOBJECT_NONE == (int)PORTOLAN_KIND_NONE &&
                  (int)KOBJECT_PORT == (int)PORTOLAN_KIND_PORT &&
                  (int)KOBJECT_CONNECTION == (int)PORTOLAN_KIND_CONNECTION &&
                  (int)KOBJECT_TASK == (int)PORTOLAN_KIND_TASK &&
                  (int)KOBJECT_THREAD == (int)PORTOLAN_KIND_THREAD &&
                  (int)KOBJECT_SPACE == (int)PORTOLAN_KIND_SPACE &&
                  (int)KOBJECT_MEMORY == (int)PORTOLAN_KIND_MEMORY &&
                  (int)KOBJECT_CONTAINER == (int)PORTOLAN_KIND_CONTAINER &&
                  (int)KOBJECT_BOOTSTRAP == (int)PORTOLAN_KIND_BOOTSTRAP,
              "programs know them");

#define KOBJECT_KIND_NAME(name, text) [KOBJECT_##name] = (text),
static const char *const kobject_kind_names[] = { KOBJECT_KINDS(
    KOBJECT_KIND_NAME) };

static const struct kobject_ops kobject_none_ops = {
    .kind = KOBJECT_NONE,
};

/* Its weak reference is null from the beginning. */
struct kobject kobject_none = {
    .ops = &kobject_none_ops,
    .kind = KOBJECT_NONE,
    .name = "none",
};

/* Objects that each CPU has made; interrupts make none. */
static PERCPU(uint64_t, kobject_count);

static void
kobject_noref(struct sref *sref)
{
    struct kobject *object = container_of(sref, struct kobject, ref.sref);

    object->ops->release(object);
}

static const struct sref_class kobject_class = {
    .name = "kernel object",
    .noref = kobject_noref,
    .is_weakable = true,
};

/* A number that no object has had. */
static uint64_t
kobject_new_serial(void)
{
    uint64_t nr, cpu;

    preempt_disable();
    nr = percpu_read(kobject_count);
    percpu_add(kobject_count, 1);
    cpu = cpu_id();
    preempt_enable();
    return nr * cpu_nr_possible + cpu + 1;
}

void
kobject_init(struct kobject *object, const struct kobject_ops *ops,
             const char *name)
{
    assert(ops->release != NULL && ops->free != NULL);

    object->ops = ops;
    object->kind = ops->kind;
    object->serial = kobject_new_serial();
    memset(object->name, 0, sizeof(object->name));
    strlcpy(object->name, name, sizeof(object->name));
    sref_weak_init(&object->weak);
    sref_weakable_init(&object->ref, &kobject_class, &object->weak);
}

void
kobject_set_name(struct kobject *object, const char *name)
{
    bool is_over = false;

    /* The last byte stays 0. */
    for (size_t i = 0; i < sizeof(object->name) - 1; i++) {
        is_over = is_over || name[i] == '\0';
        WRITE_ONCE(object->name[i], is_over ? '\0' : name[i]);
    }
}

void
kobject_copy_name(const struct kobject *object, char *to)
{
    bool is_over = false;

    for (size_t i = 0; i < sizeof(object->name); i++) {
        char c = READ_ONCE(object->name[i]);

        is_over = is_over || c == '\0';
        to[i] = is_over ? '\0' : c;
    }
}

void
kobject_get(struct kobject *object)
{
    sref_get(&object->ref.sref);
}

bool
kobject_try_get(struct kobject *object)
{
    return sref_weak_get(&object->weak) != NULL;
}

void
kobject_put(struct kobject *object)
{
    sref_put(&object->ref.sref);
}

static void
kobject_free_now(struct rcu_head *head)
{
    struct kobject *object = container_of(head, struct kobject, head);

    object->ops->free(object);
}

void
kobject_free(struct kobject *object)
{
    rcu_call(&object->head, kobject_free_now);
}

status_t
kobject_sync(uint64_t deadline)
{
    status_t status;

    status = sref_sync(deadline);
    rcu_barrier();
    return status;
}

const char *
kobject_kind_name(enum kobject_kind kind)
{
    assert(kind < KOBJECT_NR_KINDS);

    return kobject_kind_names[kind];
}
