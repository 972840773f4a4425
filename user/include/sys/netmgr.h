/* SPDX-License-Identifier: MIT */
/*
 * Nodes of a network: there is one, the local one.
 */
#ifndef SYS_NETMGR_H
#define SYS_NETMGR_H

#include <stdint.h>

#define ND_LOCAL_NODE     0
#define ND_NODE_CMP(a, b) ((int)((a) - (b)))

#endif /* SYS_NETMGR_H */
