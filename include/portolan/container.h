/* SPDX-License-Identifier: MIT */
/*
 * Resource containers: what is passed by pointer.  Types only.
 */
#ifndef PORTOLAN_CONTAINER_H
#define PORTOLAN_CONTAINER_H

#include <stdint.h>

#include <portolan/types.h>

/* What is counted; the kernel asserts that its kinds are the same. */
enum portolan_resource {
    PORTOLAN_RESOURCE_PAGES,
    PORTOLAN_RESOURCE_TABLES,  /* pages of page tables and trees */
    PORTOLAN_RESOURCE_OBJECTS, /* bytes of kernel objects */
    PORTOLAN_RESOURCE_RIGHTS,
    PORTOLAN_RESOURCE_THREADS,
    PORTOLAN_NR_RESOURCES,
};

#define PORTOLAN_RESOURCES_MAX 16
#define PORTOLAN_UNLIMITED     UINT64_MAX

struct portolan_container_info {
    char name[PORTOLAN_NAME_SIZE];
    uint64_t used[PORTOLAN_RESOURCES_MAX];
    uint64_t limits[PORTOLAN_RESOURCES_MAX];
};

#endif /* PORTOLAN_CONTAINER_H */
