/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: what all kinds have in common.
 *
 * An object is counted by an sref, since mappings and handles of it come and
 * go on all CPUs, and nobody kills it.  The end is noticed by the thread that
 * does the epochs of a CPU, which must not be kept: taking a large object apart
 * is left to a thread of ours, the reaper.
 */
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/mutex.h>
#include <kern/page.h>
#include <kern/preempt.h>
#include <kern/sref.h>
#include <kern/thread.h>
#include <kern/waitq.h>
#include <lib/assert.h>
#include <lib/string.h>
#include <vm/object.h>

/* How long an allocation waits for the reaper, nanoseconds. */
#define OBJECT_SHRINK_PATIENCE UINT64_C(20000000)

static struct mutex object_list_mutex;
static struct list object_list = LIST_INITIALIZER(object_list); /* its */

/* Dead objects: pushed by any, taken as a whole by the reaper. */
static _Atomic(struct vm_object *) object_dead;
static struct thread *object_reaper; /* constant once all CPUs are up */

/* Objects whose death was noticed, not yet taken apart. */
static _Atomic uint64_t object_nr_dead;
static struct waitq object_reaped; /* for those who wait for that to be 0 */

static void object_noref(struct sref *sref);

static const struct sref_class object_class = {
    .name = "object",
    .noref = object_noref,
};

/* ------------------------------------------------------- create, destroy */

status_t
object_create(struct vm_object **objectp, const struct object_ops *ops,
              struct container *container, const char *name, uint64_t nr_pages)
{
    struct vm_object *object;

    assert(ops->size >= sizeof(*object));
    if (container_charge(container, CONTAINER_OBJECTS, ops->size) != OK) {
        return ERR_NO_MEMORY;
    }
    object = kzalloc(ops->size);
    if (object == NULL) {
        container_refund(container, CONTAINER_OBJECTS, ops->size);
        return ERR_NO_MEMORY;
    }

    sref_init(&object->sref, &object_class);
    object->ops = ops;
    container_get(container);
    object->container = container;
    object->prot = PMAP_READ | PMAP_WRITE | PMAP_EXEC;
    object->cache = PMAP_WB;
    object->phys = PADDR_NONE;
    atomic_init(&object->nr_pages, nr_pages);
    atomic_init(&object->nr_mappings, 0);
    strlcpy(object->name, name, sizeof(object->name));

    mutex_lock(&object_list_mutex);
    list_insert_tail(&object_list, &object->node);
    mutex_unlock(&object_list_mutex);
    *objectp = object;
    return OK;
}

void
object_restrict(struct vm_object *object, unsigned int prot)
{
    object->prot &= prot;
}

static void
object_destroy(struct vm_object *object)
{
    struct container *container = object->container;
    size_t size = object->ops->size;

    assert(atomic_load(&object->nr_mappings) == 0);

    mutex_lock(&object_list_mutex);
    list_remove(&object->node);
    mutex_unlock(&object_list_mutex);
    object->ops->destroy(object);
    kfree(object);
    container_refund(container, CONTAINER_OBJECTS, size);
    container_put(container);
}

void
object_get(struct vm_object *object)
{
    sref_get(&object->sref);
}

void
object_put(struct vm_object *object)
{
    sref_put(&object->sref);
}

/* ------------------------------------------------------------- the reaper */

static void
object_noref(struct sref *sref)
{
    struct vm_object *object = container_of(sref, struct vm_object, sref);
    struct vm_object *head;

    atomic_fetch_add_explicit(&object_nr_dead, 1, memory_order_relaxed);
    head = atomic_load_explicit(&object_dead, memory_order_relaxed);
    do {
        object->next_dead = head;
        /* Pairs with the acquire in object_reap(): the link is set. */
    } while (!atomic_compare_exchange_weak_explicit(&object_dead, &head, object,
                                                    memory_order_release,
                                                    memory_order_relaxed));
    if (object_reaper != NULL) {
        thread_unpark(object_reaper);
    }
}

/* One dead object less. */
static void
object_reap_done(void)
{
    uint64_t flags;

    flags = waitq_lock(&object_reaped);
    atomic_fetch_sub_explicit(&object_nr_dead, 1, memory_order_relaxed);
    waitq_unlock(&object_reaped, flags);
    if (atomic_load_explicit(&object_nr_dead, memory_order_relaxed) == 0) {
        waitq_wake_all(&object_reaped);
    }
}

static void
object_reap(void *arg __unused)
{
    struct vm_object *object, *next;

    for (;;) {
        /* Pairs with the release in object_noref(). */
        object =
            atomic_exchange_explicit(&object_dead, NULL, memory_order_acquire);
        if (object == NULL) {
            thread_park(CLOCK_NEVER);
        }
        for (; object != NULL; object = next) {
            next = object->next_dead;
            object_destroy(object);
            object_reap_done();
        }
    }
}

/* Wait until no dead object is left. */
static status_t
object_wait_reaped(uint64_t deadline)
{
    status_t status = OK;
    uint64_t flags;

    while (status == OK) {
        flags = waitq_lock(&object_reaped);
        if (atomic_load_explicit(&object_nr_dead, memory_order_relaxed) == 0) {
            waitq_unlock(&object_reaped, flags);
            return OK;
        }
        status = waitq_wait_locked(&object_reaped, flags, deadline);
    }
    return status;
}

status_t
object_sync(uint64_t deadline)
{
    status_t status;

    status = sref_sync(deadline);
    return status == OK ? object_wait_reaped(deadline) : status;
}

/* Memory is short: what dead objects have is there soon. */
static void
object_shrink(void)
{
    if (thread_self() != object_reaper && preempt_is_enabled() &&
        cpu_irq_is_enabled()) {
        (void)object_wait_reaped(clock_now() + OBJECT_SHRINK_PATIENCE);
    }
}

static struct page_shrinker object_shrinker = {
    .name = "objects",
    .order = PAGE_SHRINK_REAPED,
    .shrink = object_shrink,
};

/* --------------------------------------------------------------- mappings */

void
object_attach(struct vm_object *object)
{
    object_get(object);
    /* Pairs with the grace period before who made it smaller looks. */
    atomic_fetch_add_explicit(&object->nr_mappings, 1, memory_order_seq_cst);
}

void
object_detach(struct vm_object *object)
{
    uint64_t old;

    /* With itself: what others did with frames is over. */
    old = atomic_fetch_sub_explicit(&object->nr_mappings, 1,
                                    memory_order_acq_rel);
    assert(old > 0);
    if (old == 1 && object->ops->unmapped != NULL) {
        object->ops->unmapped(object);
    }
    object_put(object);
}

status_t
object_check_prot(struct vm_object *object, unsigned int prot, bool is_private)
{
    unsigned int allowed = object->prot | (is_private ? PMAP_WRITE : 0U);

    return (prot & ~allowed) == 0 ? OK : ERR_ACCESS;
}

status_t
object_check_map(struct vm_object *object, uint64_t index, uint64_t nr,
                 unsigned int prot, bool is_private)
{
    uint64_t nr_pages = object->ops->is_extensible ? OBJECT_ANON_MAX
                                                   : object_nr_pages(object);

    if (is_private && !object->ops->is_memory) {
        return ERR_INVALID;
    }
    if (index > nr_pages || nr > nr_pages - index) {
        return ERR_RANGE;
    }
    return object_check_prot(object, prot, is_private);
}

/* ------------------------------------------------------- calls of the kind */

status_t
object_get_frame(struct vm_object *object, uint64_t index, bool is_write,
                 struct object_frame *frame)
{
    return object->ops->get_frame(object, index, is_write, frame);
}

bool
object_is_run(const struct vm_object *object, uint64_t index, uint64_t nr)
{
    uint64_t nr_pages = object_nr_pages(object);

    return object->phys != PADDR_NONE && nr <= nr_pages &&
           index <= nr_pages - nr &&
           IS_ALIGNED(object->phys + (index << PAGE_SHIFT), nr << PAGE_SHIFT);
}

status_t
object_wait(struct vm_object *object, uint64_t index, uint64_t deadline)
{
    return object->ops->wait != NULL
               ? object->ops->wait(object, index, deadline)
               : OK;
}

status_t
object_resize(struct vm_object *object, uint64_t nr_pages)
{
    return object->ops->resize != NULL ? object->ops->resize(object, nr_pages)
                                       : ERR_UNSUPPORTED;
}

uint64_t
object_nr_pages(const struct vm_object *object)
{
    return atomic_load_explicit(&object->nr_pages, memory_order_relaxed);
}

uint64_t
object_nr_resident(struct vm_object *object)
{
    return object->ops->nr_resident != NULL ? object->ops->nr_resident(object)
                                            : object_nr_pages(object);
}

paddr_t
object_phys(const struct vm_object *object)
{
    return object->phys;
}

const char *
object_name(const struct vm_object *object)
{
    return object->name;
}

/* ---------------------------------------------------------------- reports */

static void
object_describe(struct vm_object *object, struct object_info *info)
{
    info->kind = object->ops->kind;
    strlcpy(info->name, object->name, sizeof(info->name));
    strlcpy(info->container, container_name(object->container),
            sizeof(info->container));
    info->nr_pages = object_nr_pages(object);
    info->nr_resident = object_nr_resident(object);
    info->nr_mappings =
        atomic_load_explicit(&object->nr_mappings, memory_order_relaxed);
    info->phys = object->phys;
}

bool
object_info_get(size_t index, struct object_info *info)
{
    struct vm_object *object;
    bool is_found = false;

    mutex_lock(&object_list_mutex);
    list_for_each_entry (&object_list, object, node) {
        if (index-- == 0) {
            object_describe(object, info);
            is_found = true;
            break;
        }
    }
    mutex_unlock(&object_list_mutex);
    return is_found;
}

/* ----------------------------------------------------------------- set-up */

static status_t
object_setup(void)
{
    mutex_init(&object_list_mutex, LOCK_OBJECT_LIST, "objects");
    waitq_init(&object_reaped);
    page_register_shrinker(&object_shrinker);
    return OK;
}

INIT_OP(object_setup, INIT_BOOT_CPU, AFTER(slab_setup));

static bool
object_start_reaper(void)
{
    object_reaper = thread_create("objects", object_reap, NULL, NULL);
    if (object_reaper == NULL) {
        log_error("object: no memory for the reaper");
    }
    return object_reaper != NULL;
}

MAIN_STAGE(MAIN_THREADS, object_start_reaper);
