/* SPDX-License-Identifier: MIT */
/*
 * What programs need of QNX's library for resource managers who only exchange
 * messages: the types.
 */
#ifndef SYS_IOFUNC_H
#define SYS_IOFUNC_H

#include <sys/dispatch.h>
#include <sys/iomsg.h>

#endif /* SYS_IOFUNC_H */
