/* SPDX-License-Identifier: MIT */
/*
 * Events, as programs for QNX make them.  The members are in <signal.h>.
 */
#ifndef SYS_SIGINFO_H
#define SYS_SIGINFO_H

#include <signal.h>

#define SIGEV_SIGNAL_CODE   16
#define SIGEV_SIGNAL_THREAD 17
#define SIGEV_PULSE         18
#define SIGEV_UNBLOCK       19
#define SIGEV_INTR          20
#define SIGEV_SEM           21
#define SIGEV_MEMORY        22

#define SIGEV_PULSE_PRIO_INHERIT (-1)

#define SIGEV_FLAG_UPDATEABLE 0x8000
#define SIGEV_MAKE_UPDATEABLE(event)                                           \
    ((event)->sigev_notify |= SIGEV_FLAG_UPDATEABLE)
#define SIGEV_CLEAR_UPDATEABLE(event)                                          \
    ((event)->sigev_notify &= ~SIGEV_FLAG_UPDATEABLE)

#define SIGEV_GET_TYPE(event) ((event)->sigev_notify & ~SIGEV_FLAG_UPDATEABLE)

#define SIGEV_NONE_INIT(event)    ((event)->sigev_notify = SIGEV_NONE)
#define SIGEV_UNBLOCK_INIT(event) ((event)->sigev_notify = SIGEV_UNBLOCK)
#define SIGEV_INTR_INIT(event)    ((event)->sigev_notify = SIGEV_INTR)

#define SIGEV_SIGNAL_INIT(event, signal)                                       \
    ((event)->sigev_notify = SIGEV_SIGNAL, (event)->sigev_signo = (signal))
#define SIGEV_SIGNAL_CODE_INIT(event, signal, val, cod)                        \
    ((event)->sigev_notify = SIGEV_SIGNAL_CODE,                                \
     (event)->sigev_signo = (signal), (event)->sigev_code = (cod),             \
     (event)->sigev_value.sival_int = (val))
#define SIGEV_SIGNAL_THREAD_INIT(event, signal, val, cod)                      \
    ((event)->sigev_notify = SIGEV_SIGNAL_THREAD,                              \
     (event)->sigev_signo = (signal), (event)->sigev_code = (cod),             \
     (event)->sigev_value.sival_int = (val))

#define SIGEV_PULSE_INIT(event, coid, prio, cod, val)                          \
    ((event)->sigev_notify = SIGEV_PULSE, (event)->sigev_coid = (coid),        \
     (event)->sigev_priority = (short)(prio),                                  \
     (event)->sigev_code = (short)(cod), (event)->sigev_value.sival_long = 0,  \
     (event)->sigev_value.sival_int = (int)(val))
#define SIGEV_PULSE_INT_INIT SIGEV_PULSE_INIT
#define SIGEV_PULSE_PTR_INIT(event, coid, prio, cod, val)                      \
    ((event)->sigev_notify = SIGEV_PULSE, (event)->sigev_coid = (coid),        \
     (event)->sigev_priority = (short)(prio),                                  \
     (event)->sigev_code = (short)(cod),                                       \
     (event)->sigev_value.sival_ptr = (void *)(val))

#endif /* SYS_SIGINFO_H */
