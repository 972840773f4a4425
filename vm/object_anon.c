/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory objects: zeros until they are written.
 *
 * Pages are in a radix tree, looked up without a lock and changed under the
 * object's.  A page that is cut off is out of the tree at once, and freed when
 * a grace period has passed and no mapping is left; until then it is cut off
 * (anon->cut), and still charged.
 *
 * INVARIANT.  A thread that finds a page in the tree is a mapping or inside of
 * a read section.  If it finds it before it is taken out, a mapping has been
 * counted before that, and who looks at the number of mappings after a grace
 * period sees it, unless it is over.
 */
#include <kern/container.h>
#include <kern/page.h>
#include <kern/rcu.h>
#include <kern/rcu_radix.h>
#include <kern/rtmutex.h>
#include <kern/zero_pool.h>
#include <lib/assert.h>
#include <vm/object.h>

static_assert(OBJECT_ANON_MAX == RCU_RADIX_MAX_KEY, "an index is a key");

/* Pages that are taken out under one hold of the lock. */
#define ANON_CUT_BATCH 64

/*
 * Keys: [L] lock   [R] lock, readers under RCU
 */
struct anon_object {
    struct vm_object object;
    struct rtmutex lock;
    struct rtmutex
        resize_lock;        /* taken before the lock: one resize at a time */
    struct rcu_radix pages; /* [R] struct page by index */
    struct list cut;        /* [L] pages that mappings may still use */
    uint64_t nr_resident;   /* [L] pages in the tree */
    uint64_t nr_cut;        /* [L] */
};

static struct anon_object *
anon_of(struct vm_object *object)
{
    return container_of(object, struct anon_object, object);
}

static void
anon_set_frame(struct object_frame *frame, const struct page *page)
{
    frame->phys = page_phys(page);
    frame->cache = PMAP_WB;
}

/* ------------------------------------------------------------- get a page */

/*
 * Put a page into the tree unless one is there by now.
 *
 * @pagep  receives the one that is; NULL: none
 */
static status_t
anon_insert_locked(struct anon_object *anon, uint64_t index,
                   struct page **pagep)
{
    struct page *page = *pagep;
    status_t status;

    assert(rtmutex_is_owned(&anon->lock));

    *pagep = NULL;
    if (index >= object_nr_pages(&anon->object)) {
        return ERR_RANGE;
    }
    status = rcu_radix_insert(&anon->pages, (uint32_t)index, page);
    if (status == OK) {
        anon->nr_resident++;
        *pagep = page;
    } else if (status == ERR_EXISTS) {
        *pagep = rcu_radix_find(&anon->pages, (uint32_t)index);
        status = OK;
    }
    return status;
}

/* Enter a page, and charge for the nodes that the tree needs. */
static status_t
anon_enter(struct anon_object *anon, uint64_t index, struct page **pagep)
{
    struct container *container = anon->object.container;
    const size_t most = RCU_RADIX_MAX_NEW_NODES * sizeof(struct rcu_radix_node);
    size_t nr_nodes;
    status_t status;

    status = container_charge(container, CONTAINER_OBJECTS, most);
    if (status != OK) {
        return status;
    }
    rtmutex_lock(&anon->lock);
    nr_nodes = anon->pages.nr_nodes;
    status = anon_insert_locked(anon, index, pagep);
    nr_nodes = anon->pages.nr_nodes - nr_nodes;
    rtmutex_unlock(&anon->lock);
    container_refund(container, CONTAINER_OBJECTS,
                     most - nr_nodes * sizeof(struct rcu_radix_node));
    return status;
}

/* Make a page. */
static status_t
anon_fill(struct anon_object *anon, uint64_t index, struct object_frame *frame)
{
    struct container *container = anon->object.container;
    struct page *page, *entered;
    status_t status;

    status = container_charge(container, CONTAINER_PAGES, 1);
    if (status != OK) {
        return status;
    }
    page = zero_pool_get();
    if (page == NULL) {
        status = ERR_NO_MEMORY;
        goto fail_page;
    }
    entered = page;
    status = anon_enter(anon, index, &entered);
    if (status == OK) {
        anon_set_frame(frame, entered);
        if (entered == page) {
            return OK;
        }
    }

    zero_pool_put(page);
fail_page:
    container_refund(container, CONTAINER_PAGES, 1);
    return status;
}

static status_t
anon_get_frame(struct vm_object *object, uint64_t index, bool is_write __unused,
               struct object_frame *frame)
{
    struct anon_object *anon = anon_of(object);
    struct page *page;

    if (unlikely(index >= object_nr_pages(object))) {
        return ERR_RANGE;
    }
    rcu_read_lock();
    page = rcu_radix_find(&anon->pages, (uint32_t)index);
    rcu_read_unlock();
    if (unlikely(page == NULL)) {
        return anon_fill(anon, index, frame);
    }
    anon_set_frame(frame, page);
    return OK;
}

/* ------------------------------------------------------------ cut, destroy */

/* Free pages that nobody uses any more. */
static void
anon_free_pages(struct anon_object *anon, struct list *pages)
{
    uint64_t nr = 0;

    while (!list_is_empty(pages)) {
        struct page *page = list_first_entry(pages, struct page, node);

        list_remove(&page->node);
        page_free(page, 0);
        nr++;
    }
    container_refund(anon->object.container, CONTAINER_PAGES, nr);
}

/*
 * Take some pages out of the tree, from an index on.
 *
 * @pages  receives them
 *
 * Returns: whether there may be more
 */
static bool
anon_remove_some(struct anon_object *anon, uint64_t index, struct list *pages)
{
    struct page *page = NULL;
    size_t nr_nodes;
    uint32_t key;

    if (index >= OBJECT_ANON_MAX) {
        return false;
    }
    rtmutex_lock(&anon->lock);
    nr_nodes = anon->pages.nr_nodes;
    for (unsigned int i = 0; i < ANON_CUT_BATCH; i++) {
        page = rcu_radix_find_next(&anon->pages, (uint32_t)index, &key);
        if (page == NULL) {
            break;
        }
        (void)rcu_radix_remove(&anon->pages, key);
        anon->nr_resident--;
        list_insert_tail(pages, &page->node);
    }
    nr_nodes -= anon->pages.nr_nodes;
    rtmutex_unlock(&anon->lock);
    container_refund(anon->object.container, CONTAINER_OBJECTS,
                     nr_nodes * sizeof(struct rcu_radix_node));
    return page != NULL;
}

/* Take the pages that were cut off if there is no mapping. */
static void
anon_take_cut_locked(struct anon_object *anon, struct list *pages)
{
    assert(rtmutex_is_owned(&anon->lock));

    if (atomic_load(&anon->object.nr_mappings) == 0) {
        list_concat(pages, &anon->cut);
        anon->nr_cut = 0;
    }
}

/* Cut off all pages from an index on. */
static void
anon_cut(struct anon_object *anon, uint64_t index)
{
    struct list pages = LIST_INITIALIZER(pages);
    struct list unused = LIST_INITIALIZER(unused);

    while (anon_remove_some(anon, index, &pages)) {
        /* Others may come in between. */
    }
    if (list_is_empty(&pages)) {
        return;
    }

    rcu_synchronize();
    rtmutex_lock(&anon->lock);
    list_concat(&anon->cut, &pages);
    anon_take_cut_locked(anon, &unused);
    rtmutex_unlock(&anon->lock);
    anon_free_pages(anon, &unused);
}

static void
anon_unmapped(struct vm_object *object)
{
    struct anon_object *anon = anon_of(object);
    struct list pages = LIST_INITIALIZER(pages);

    rtmutex_lock(&anon->lock);
    anon_take_cut_locked(anon, &pages);
    rtmutex_unlock(&anon->lock);
    anon_free_pages(anon, &pages);
}

static status_t
anon_resize(struct vm_object *object, uint64_t nr_pages)
{
    struct anon_object *anon = anon_of(object);
    bool is_smaller;

    if (nr_pages > OBJECT_ANON_MAX) {
        return ERR_RANGE;
    }
    rtmutex_lock(&anon->resize_lock);
    is_smaller = nr_pages < object_nr_pages(object);
    /* No page is made behind the end from here on. */
    rtmutex_lock(&anon->lock);
    atomic_store_explicit(&object->nr_pages, nr_pages, memory_order_relaxed);
    rtmutex_unlock(&anon->lock);
    if (is_smaller) {
        anon_cut(anon, nr_pages);
    }
    rtmutex_unlock(&anon->resize_lock);
    return OK;
}

static uint64_t
anon_nr_resident(struct vm_object *object)
{
    struct anon_object *anon = anon_of(object);

    return READ_ONCE(anon->nr_resident) + READ_ONCE(anon->nr_cut);
}

/* Nobody reads the tree: what is in there can be freed at once. */
static void
anon_destroy(struct vm_object *object)
{
    struct anon_object *anon = anon_of(object);
    bool more;

    do {
        struct list pages = LIST_INITIALIZER(pages);

        more = anon_remove_some(anon, 0, &pages);
        anon_free_pages(anon, &pages);
    } while (more);
    anon_unmapped(object);
    assert(anon->pages.nr_nodes == 0);
}

static const struct object_ops anon_ops = {
    .kind = "anonymous",
    .size = sizeof(struct anon_object),
    .is_memory = true,
    .is_extensible = true,
    .get_frame = anon_get_frame,
    .resize = anon_resize,
    .unmapped = anon_unmapped,
    .nr_resident = anon_nr_resident,
    .destroy = anon_destroy,
};

status_t
object_create_anon(struct vm_object **objectp, struct container *container,
                   const char *name, uint64_t nr_pages)
{
    struct vm_object *object;
    struct anon_object *anon;
    status_t status;

    if (nr_pages > OBJECT_ANON_MAX) {
        return ERR_RANGE;
    }
    status = object_create(&object, &anon_ops, container, name, nr_pages);
    if (status != OK) {
        return status;
    }
    anon = anon_of(object);
    rtmutex_init(&anon->lock, LOCK_OBJECT, "memory object");
    rtmutex_init(&anon->resize_lock, LOCK_OBJECT_RESIZE, "object size");
    rcu_radix_init(&anon->pages);
    list_init(&anon->cut);
    *objectp = object;
    return OK;
}
