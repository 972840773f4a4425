/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <lib/string.h>
#include <kern/container.h>
#include <kern/rcu.h>
#include <vm/node.h>

static_assert(sizeof(struct rcu_head) == sizeof(struct list),
              "a retired node waits in its struct page");

/* A page that the container pays for. */
static struct page *
node_page_alloc(struct container *container, unsigned int flags)
{
    struct page *page;

    if (container_charge(container, CONTAINER_TABLES, 1) != OK) {
        return NULL;
    }
    page = page_alloc(0, flags);
    if (page == NULL) {
        container_refund(container, CONTAINER_TABLES, 1);
    }
    return page;
}

static void
node_page_free(struct container *container, struct page *page)
{
    page->use = PAGE_USE_OTHER;
    page_free(page, 0);
    container_refund(container, CONTAINER_TABLES, 1);
}

struct vm_node *
node_create(struct container *container, uintptr_t va, unsigned int level,
            uint64_t fill)
{
    struct page *page = node_page_alloc(container, 0);
    struct vm_node *node;

    if (page == NULL) {
        return NULL;
    }

    node = page_ptr(page);
    page->use = PAGE_USE_NODE;
    page->tree = (struct page_tree){
        .home = NODE_HOME_NONE,
        .level = (uint8_t)level,
        .container = container,
        .va = va,
    };
    for (size_t i = 0; i < NODE_NR_SLOTS; i++) {
        atomic_init(&node->slots[i], fill);
    }
    return node;
}

static void
node_array_free(struct container *container, void *array)
{
    if (array != NULL) {
        node_page_free(container, page_from_ptr(array));
    }
}

void
node_destroy(struct vm_node *node)
{
    struct page *page = page_from_ptr(node);
    struct container *container = page->tree.container;

    node_array_free(container, page->tree.sharers);
    node_array_free(container, page->tree.regions);
    node_page_free(container, page);
}

static void
node_retired(struct rcu_head *head)
{
    struct page *page =
        container_of((struct list *)(void *)head, struct page, node);
    struct container *container = page->tree.container;

    node_destroy(page_ptr(page));
    container_put(container);
}

void
node_retire(struct vm_node *node)
{
    struct page *page = page_from_ptr(node);

    container_get(page->tree.container);
    rcu_call((struct rcu_head *)(void *)&page->node, node_retired);
}

uint32_t
node_claim_home(struct vm_node *node, uint32_t cpu)
{
    uint32_t *homep = &node_info(node)->home;
    uint32_t home = __atomic_load_n(homep, __ATOMIC_RELAXED);

    if (home != NODE_HOME_NONE) {
        return home;
    }
    /* Nothing was written before that others rely on: relaxed. */
    if (__atomic_compare_exchange_n(homep, &home, cpu, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        return cpu;
    }
    return home;
}

static status_t
node_array_ensure(struct vm_node *node, void **arrayp)
{
    struct container *container = node_info(node)->container;
    struct page *page;
    void *none = NULL;

    if (__atomic_load_n(arrayp, __ATOMIC_RELAXED) != NULL) {
        return OK;
    }
    page = node_page_alloc(container, PAGE_ZERO);
    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    /* Release: pairs with the acquires in node.h. */
    if (!__atomic_compare_exchange_n(arrayp, &none, page_ptr(page), false,
                                     __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
        node_page_free(container, page);
    }
    return OK;
}

status_t
node_sharers_ensure(struct vm_node *node)
{
    return node_array_ensure(node, &node_info(node)->sharers);
}

status_t
node_regions_ensure(struct vm_node *node)
{
    return node_array_ensure(node, &node_info(node)->regions);
}
