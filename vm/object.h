/* SPDX-License-Identifier: MIT */
/*
 * Memory objects: pages that can be mapped into address spaces.
 *
 *   anonymous   zeros at first, made when touched, resizable
 *   physical    a range of addresses that are no RAM: registers of devices
 *   module      a boot module; behind its end, zeros up to a whole page
 *   contiguous  RAM in one piece, whose address is known, for devices
 *   others      whoever makes a struct object_ops, as a pager does
 *
 * An object has a size, in pages, and is charged to a container.  It may be
 * given a name, by which others find it; the name counts as a reference.
 *
 * FRAMES.  What object_get_frame() says stays true until the object dies or is
 * made smaller than the page's index.  In the second case the page is still not
 * freed until every mapping (object_attach()) of the object is gone that there
 * was, and all read sections of RCU have ended that had begun.  So slots of
 * spaces hold nothing for each page.
 *
 * May run concurrently: everything with everything.
 * Design: doc/objects.md.
 */
#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>
#include <arch/pmap.h>
#include <vm/object_types.h>

/* Most pages of an anonymous object: 4 TiB. */
#define OBJECT_ANON_MAX (UINT64_C(1) << 30)

/* Bytes of the longest name in the table of names. */
#define OBJECT_PATH_MAX 255

/* Physical addresses. */
struct object_range {
    paddr_t phys;
    uint64_t size; /* bytes */
    enum pmap_cache cache;
};

/*
 * Create an object full of zeros; memory is taken, and charged, page by page.
 *
 * @container  charged for all of it; referenced
 * @name       for people; copied, cut to OBJECT_NAME_SIZE
 * @nr_pages   size, up to OBJECT_ANON_MAX
 *
 * Context: thread, preemptible
 * Returns: OK, with one reference; ERR_RANGE; ERR_NO_MEMORY, also when the
 *          container's limit is reached
 */
status_t object_create_anon(struct vm_object **objectp,
                            struct container *container, const char *name,
                            uint64_t nr_pages);

/*
 * Create an object for physical addresses.  Who may do so is not asked here.
 *
 * Context: thread, preemptible
 * Returns: as object_create_anon(); ERR_INVALID: not aligned to pages, empty,
 *          or the kernel uses some of it with another type of caching;
 *          ERR_RANGE: beyond what page tables can say; ERR_ACCESS: some of it
 *          is RAM
 */
status_t object_create_phys(struct vm_object **objectp,
                            struct container *container, const char *name,
                            const struct object_range *range);

/*
 * Create an object of a boot module, for reading and executing.
 *
 * @range  any bytes, which stay what they are; caching is that of memory
 *
 * Context: thread, preemptible
 * Returns: as object_create_anon(); ERR_ACCESS: not all of it is RAM
 */
status_t object_create_module(struct vm_object **objectp,
                              struct container *container, const char *name,
                              const struct object_range *range);

/*
 * Create an object of RAM in one piece, aligned to its size, full of zeros.
 * What is beyond its size up to the next power of two is charged, too.
 *
 * Context: thread, preemptible
 * Returns: as object_create_anon(); ERR_RANGE: none or too many pages
 */
status_t object_create_contiguous(struct vm_object **objectp,
                                  struct container *container, const char *name,
                                  uint64_t nr_pages);

/*
 * Create an object of any kind: its struct, zeroed behind the part that is
 * common to all.  Who makes the kind then changes @prot, @cache and @phys if
 * they are not all protections, PMAP_WB and PADDR_NONE.
 *
 * @ops  kept
 *
 * Context: thread, preemptible
 * Returns: as object_create_anon()
 */
status_t object_create(struct vm_object **objectp, const struct object_ops *ops,
                       struct container *container, const char *name,
                       uint64_t nr_pages);

/*
 * Allow no more than some protections.
 *
 * @prot  PMAP_..., any combination
 *
 * Context: nobody has seen the object but who made it
 */
void object_restrict(struct vm_object *object, unsigned int prot);

/* Take another reference.  Context: as sref_get(); the caller has one */
void object_get(struct vm_object *object);

/*
 * Give a reference up.  Some epochs after the last one the object's death is
 * noticed, and a thread takes it apart; object_sync() waits for that.
 *
 * Context: as sref_put()
 */
void object_put(struct vm_object *object);

/*
 * Wait until all objects are taken apart that had no references left when this
 * was called.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: as sref_sync()
 * Returns: OK; ERR_TIMEOUT
 */
status_t object_sync(uint64_t deadline);

/*
 * A reference that counts as a mapping.
 *
 * Context: thread, the caller has a reference
 */
void object_attach(struct vm_object *object);

/*
 * Give such a one up: nobody uses frames that he got by it.
 *
 * Context: thread, preemptible; slots of spaces may be locked
 */
void object_detach(struct vm_object *object);

/*
 * Whether pages may be mapped.
 *
 * @prot        PMAP_..., any combination
 * @is_private  pages are copied before they are written
 *
 * Returns: OK; ERR_RANGE: there are no such pages; ERR_ACCESS: not with this
 *          protection; ERR_INVALID: what is no RAM cannot be copied
 */
status_t object_check_map(struct vm_object *object, uint64_t index, uint64_t nr,
                          unsigned int prot, bool is_private);

/* Whether a mapping may have a protection.  Returns: OK or ERR_ACCESS */
status_t object_check_prot(struct vm_object *object, unsigned int prot,
                           bool is_private);

/*
 * Find the frame of a page, and make the page if there is none.
 *
 * @is_write  the page is going to be written
 *
 * Context: thread, preemptible; slots of spaces may be locked
 * Returns: OK; ERR_RANGE: behind the end; ERR_NO_MEMORY: also a limit of the
 *          container; ERR_AGAIN: it was asked for: unlock everything, call
 *          object_wait(), try again; what the kind says
 */
status_t object_get_frame(struct vm_object *object, uint64_t index,
                          bool is_write, struct object_frame *frame);

/*
 * Whether pages are one piece of physical addresses, aligned to its size, with
 * one type of caching: a large page can show them.
 *
 * @nr  a power of two
 */
bool object_is_run(const struct vm_object *object, uint64_t index, uint64_t nr);

/*
 * Wait for a page for which object_get_frame() has said ERR_AGAIN.
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, preemptible, no slot of a space locked
 * Returns: OK: try again; ERR_TIMEOUT; what the kind says
 */
status_t object_wait(struct vm_object *object, uint64_t index,
                     uint64_t deadline);

/*
 * Change the size.  What is cut off is gone: after it was made larger again
 * there are zeros.  Mappings keep what they have in use of it until they end.
 *
 * Context: thread, preemptible, no slot of a space locked
 * Blocks:  for a grace period of RCU when it becomes smaller
 * Returns: OK; ERR_RANGE: too large; ERR_UNSUPPORTED: its kind cannot
 */
status_t object_resize(struct vm_object *object, uint64_t nr_pages);

/* Size, in pages. */
uint64_t object_nr_pages(const struct vm_object *object);

/* Pages that are in memory; racy. */
uint64_t object_nr_resident(struct vm_object *object);

/* Address of the first byte; PADDR_NONE if it is not in one piece. */
paddr_t object_phys(const struct vm_object *object);

/* What it was called when it was made, as long as it lives. */
const char *object_name(const struct vm_object *object);

/*
 * Enter an object into the table of names.
 *
 * @path  copied, charged to the object's container
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_EXISTS; ERR_INVALID: empty or too long; ERR_NO_MEMORY
 */
status_t object_publish(struct vm_object *object, const char *path);

/*
 * Find an object by its name.  Who may is not asked here.
 *
 * @objectp  receives it, with a reference
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NOT_FOUND
 */
status_t object_open(struct vm_object **objectp, const char *path);

/*
 * Take a name out of the table; the object stays as long as others have it.
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NOT_FOUND
 */
status_t object_unlink(const char *path);

/*
 * What the monitor shows of an object.
 */
struct object_info {
    const char *kind;
    char name[OBJECT_NAME_SIZE];
    char container[OBJECT_NAME_SIZE];
    uint64_t nr_pages;
    uint64_t nr_resident;
    uint64_t nr_mappings;
    paddr_t phys;
};

/*
 * Describe the object with a given place in the list of all.
 *
 * Context: thread, preemptible
 * Returns: false, there is none
 */
bool object_info_get(size_t index, struct object_info *info);

#endif /* VM_OBJECT_H */
