/* SPDX-License-Identifier: MIT */
/*
 * May run concurrently:   insert  remove  resize  find
 *              insert       -       -       -     yes
 *              remove       -       -       -     yes
 *              resize       -       -       -     yes
 *              find        yes     yes     yes    yes
 *
 * A look-up that began before a resize follows the old table's links to their
 * end; what is inserted or removed later it may miss or still see, as if it
 * had run before.
 */
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <kern/rcu_hash.h>
#include <lib/assert.h>
#include <lib/macros.h>

static struct rcu_hash_table *
rcu_hash_table_create(size_t nr_buckets, unsigned link)
{
    struct rcu_hash_table *table;

    assert(IS_POWER_OF_2(nr_buckets) && nr_buckets >= 2);
    table = kzalloc(sizeof(*table) + nr_buckets * sizeof(table->buckets[0]));
    if (table == NULL) {
        return NULL;
    }

    table->link = link;
    table->shift = 64 - (unsigned)__builtin_ctzl(nr_buckets);
    return table;
}

static void
rcu_hash_table_insert(struct rcu_hash_table *table, struct rcu_hash_node *node)
{
    struct rcu_hash_node **bucket;

    bucket = &table->buckets[rcu_hash_index(table, node->key)];
    node->next[table->link] = *bucket;
    /* Pairs with rcu_dereference() in rcu_hash_find(). */
    rcu_assign(*bucket, node);
}

status_t
rcu_hash_create(struct rcu_hash *hash, size_t nr_buckets)
{
    hash->count = 0;
    hash->cookie = 0;
    hash->table = rcu_hash_table_create(nr_buckets, 0);
    return hash->table != NULL ? OK : ERR_NO_MEMORY;
}

void
rcu_hash_destroy(struct rcu_hash *hash)
{
    assert(hash->count == 0);
    kfree(hash->table);
    hash->table = NULL;
}

void
rcu_hash_insert(struct rcu_hash *hash, struct rcu_hash_node *node)
{
    rcu_hash_table_insert(hash->table, node);
    hash->count++;
}

void
rcu_hash_remove(struct rcu_hash *hash, struct rcu_hash_node *node)
{
    struct rcu_hash_table *table;
    struct rcu_hash_node **place;

    table = hash->table;
    place = &table->buckets[rcu_hash_index(table, node->key)];
    while (*place != node) {
        assert(*place != NULL);
        place = &(*place)->next[table->link];
    }
    rcu_assign(*place, node->next[table->link]);
    hash->count--;
}

size_t
rcu_hash_nr_buckets(const struct rcu_hash *hash)
{
    return (size_t)1 << (64 - hash->table->shift);
}

/* Chain all nodes of one table into another, by its own links, in order. */
static void
rcu_hash_rechain(struct rcu_hash_table *to, const struct rcu_hash_table *from)
{
    struct rcu_hash_node *node, **place;
    size_t i;

    for (i = 0; i < (size_t)1 << (64 - from->shift); i++) {
        for (node = from->buckets[i]; node != NULL;
             node = node->next[from->link]) {
            place = &to->buckets[rcu_hash_index(to, node->key)];
            while (*place != NULL) {
                place = &(*place)->next[to->link];
            }
            node->next[to->link] = NULL;
            *place = node;
        }
    }
}

status_t
rcu_hash_resize(struct rcu_hash *hash, size_t nr_buckets)
{
    struct rcu_hash_table *old, *table;

    old = hash->table;
    if (hash->cookie != 0 && !rcu_poll_done(hash->cookie)) {
        return ERR_STATE;
    }
    table = rcu_hash_table_create(nr_buckets, !old->link);
    if (table == NULL) {
        return ERR_NO_MEMORY;
    }

    rcu_hash_rechain(table, old);
    /* Pairs with rcu_dereference() in rcu_hash_find(). */
    rcu_assign(hash->table, table);
    hash->cookie = rcu_poll_start();
    rcu_free(old, head);
    return OK;
}
