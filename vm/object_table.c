/* SPDX-License-Identifier: MIT */
/*
 * Names of memory objects: a hash table with a reference to each object in it.
 */
#include <stddef.h>

#include <kern/container.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/mutex.h>
#include <lib/hash.h>
#include <lib/list.h>
#include <lib/string.h>
#include <vm/object.h>

#define OBJECT_TABLE_BUCKETS 64

/* Keys: [c] constant   [T] lock of the table */
struct object_entry {
    struct list node;         /* [T] */
    struct vm_object *object; /* [c] referenced */
    size_t size;              /* [c] of this, bytes */
    char path[];              /* [c] */
};

static struct mutex object_table_mutex;
static struct list object_table[OBJECT_TABLE_BUCKETS]; /* of the mutex */

static struct list *
object_table_bucket(const char *path)
{
    return &object_table[hash_string(path) % OBJECT_TABLE_BUCKETS];
}

static struct object_entry *
object_table_find_locked(const char *path)
{
    struct object_entry *entry;

    assert(mutex_is_owned(&object_table_mutex));

    list_for_each_entry (object_table_bucket(path), entry, node) {
        if (strcmp(entry->path, path) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct object_entry *
object_entry_create(struct vm_object *object, const char *path)
{
    size_t size = sizeof(struct object_entry) + strlen(path) + 1;
    struct object_entry *entry;

    if (container_charge(object->container, CONTAINER_OBJECTS, size) != OK) {
        return NULL;
    }
    entry = kmalloc(size);
    if (entry == NULL) {
        container_refund(object->container, CONTAINER_OBJECTS, size);
        return NULL;
    }
    list_node_init(&entry->node);
    object_get(object);
    entry->object = object;
    entry->size = size;
    strlcpy(entry->path, path, size - sizeof(*entry));
    return entry;
}

static void
object_entry_destroy(struct object_entry *entry)
{
    container_refund(entry->object->container, CONTAINER_OBJECTS, entry->size);
    object_put(entry->object);
    kfree(entry);
}

status_t
object_publish(struct vm_object *object, const char *path)
{
    struct object_entry *entry;
    status_t status = ERR_EXISTS;

    if (path[0] == '\0' || strlen(path) > OBJECT_PATH_MAX) {
        return ERR_INVALID;
    }
    entry = object_entry_create(object, path);
    if (entry == NULL) {
        return ERR_NO_MEMORY;
    }
    mutex_lock(&object_table_mutex);
    if (object_table_find_locked(path) == NULL) {
        list_insert_head(object_table_bucket(path), &entry->node);
        status = OK;
    }
    mutex_unlock(&object_table_mutex);
    if (status != OK) {
        object_entry_destroy(entry);
    }
    return status;
}

status_t
object_open(struct vm_object **objectp, const char *path)
{
    struct object_entry *entry;

    mutex_lock(&object_table_mutex);
    entry = object_table_find_locked(path);
    if (entry != NULL) {
        *objectp = entry->object;
        object_get(*objectp);
    }
    mutex_unlock(&object_table_mutex);
    return entry != NULL ? OK : ERR_NOT_FOUND;
}

status_t
object_unlink(const char *path)
{
    struct object_entry *entry;

    mutex_lock(&object_table_mutex);
    entry = object_table_find_locked(path);
    if (entry != NULL) {
        list_remove(&entry->node);
    }
    mutex_unlock(&object_table_mutex);
    if (entry == NULL) {
        return ERR_NOT_FOUND;
    }
    object_entry_destroy(entry);
    return OK;
}

static status_t
object_table_setup(void)
{
    mutex_init(&object_table_mutex, LOCK_OBJECT_NAMES, "names of objects");
    for (size_t i = 0; i < OBJECT_TABLE_BUCKETS; i++) {
        list_init(&object_table[i]);
    }
    return OK;
}

INIT_OP(object_table_setup, INIT_BOOT_CPU, AFTER(slab_setup));
